/** The fake that other tests rely on: what they assume of a store that answers late. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ContentFacts, ContentStore } from '../../../src/state/content/types.js';
import { DelayedContents } from '../../support/delayed-contents.js';
import { ManualTime } from '../../support/manual-time.js';

const facts = (more: Partial<ContentFacts> = {}): ContentFacts => ({
  expiresAt: Number.POSITIVE_INFINITY,
  url: 'https://a.example/x',
  route: 'r',
  tags: ['t'],
  data: null,
  ...more,
});

function late(delay = 10) {
  const time = new ManualTime();
  const contents = new DelayedContents({ after: time.after, delay });
  return { time, contents, store: contents.store('a', { maxEntry: 10, disk: true }) };
}

function put(store: ContentStore, key: string, body: string, of = facts()): void {
  const writer = store.put(key, of, body.length);
  assert.ok(writer?.write(Buffer.from(body)));
  writer?.commit();
}

async function bodyOf(store: ContentStore, time: ManualTime, key: string): Promise<string | undefined> {
  const got = store.get(key);
  await time.pass(10);
  const content = await got;
  content?.release();
  return content && Buffer.concat(content.parts).toString();
}

test('a content can be read after the delay of its commit, and each answer takes its time', async () => {
  const { time, contents, store } = late();
  put(store, 'k', 'body');
  await time.pass(10);
  let answered = false;
  const got = store.get('k').then((content) => {
    answered = true;
    return content;
  });
  await time.pass(9);
  assert.is(answered, false);
  await time.pass(1);
  const content = await got;
  assert.is(content?.length, 4);
  assert.is(contents.pinned, 1);
  content?.release();
  content?.release();
  assert.is(contents.pinned, 0);
  assert.is(await bodyOf(contents.store('a', { maxEntry: 10, disk: true }), time, 'k'), 'body');
  assert.is(await bodyOf(contents.store('b', { maxEntry: 10, disk: true }), time, 'k'), undefined);
});

test('what is too large, too short or aborted is not stored', async () => {
  const { time, store } = late();
  assert.is(store.put('k', facts(), 11), undefined);
  const unknown = store.put('k', facts(), -1);
  assert.is(unknown?.write(Buffer.alloc(10)), true);
  assert.is(unknown?.write(Buffer.alloc(1)), false);
  unknown?.commit();
  const short = store.put('k', facts(), 5);
  short?.write(Buffer.alloc(4));
  short?.commit();
  const aborted = store.put('k', facts(), 1);
  aborted?.write(Buffer.alloc(1));
  aborted?.abort();
  aborted?.commit();
  await time.pass(10);
  assert.is(store.size, 0);
});

test('a purge removes or marks what it selects, and what is being written', async () => {
  const { time, store } = late();
  put(store, 'k', 'old');
  await time.pass(10);
  put(store, 'n', 'new');
  const soft = store.purge({ by: 'url', value: 'https://a.example/*' }, true);
  await time.pass(10);
  assert.is(await soft, 2);
  const got = store.get('n');
  await time.pass(10);
  assert.is((await got)?.soft, true);
  put(store, 'n', 'newer');
  const hard = store.purge({ by: 'tag', value: 't' }, false);
  await time.pass(10);
  assert.is(await hard, 2);
  assert.is(store.size, 0);
});

test('refresh() changes the facts of what is still stored', async () => {
  const { time, store } = late();
  put(store, 'k', 'body');
  await time.pass(10);
  const got = store.get('k');
  await time.pass(10);
  const content = await got;
  assert.ok(content);
  const refreshed = store.refresh(content, facts({ route: 'other' }), store.moment());
  await time.pass(10);
  await refreshed;
  assert.is(await bodyOf(store, time, 'k'), 'body');
  const purged = store.purge({ by: 'route', value: 'other' }, false);
  await time.pass(10);
  assert.is(await purged, 1);
});

test('a store that fails is a miss, and what it should have changed is as before', async () => {
  const { time, contents, store } = late();
  put(store, 'k', 'body');
  await time.pass(10);
  contents.failing = true;
  assert.is(await bodyOf(store, time, 'k'), undefined);
  const deleted = store.delete('k');
  const purged = store.purge({ by: 'all' }, false);
  await time.pass(10);
  await deleted;
  assert.is(await purged, 0);
  assert.is(contents.errors, 3);
  contents.failing = false;
  assert.is(await bodyOf(store, time, 'k'), 'body');
});

test.run();
