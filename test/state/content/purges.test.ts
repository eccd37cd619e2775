/** Purges that all threads number: what was asked for before one and comes after it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import { ContentLayout } from '../../../src/state/content/memory/layout.js';
import type { ContentSelector } from '../../../src/state/content/types.js';
import { selects } from '../../support/delayed-contents.js';
import { seededBelow } from '../../support/random.js';
import { bodyOf, facts, MIB, open, put } from './support.js';

const NAMES = { url: 'http://shop.test/1', route: 'shop', tags: ['a', 'b'] };

test('a purge concerns what it selects, in all threads, and nothing that is asked for later', () => {
  const { memory, store } = open();
  const other = new MemoryContents(memory, () => 0, 1).store('a', { maxEntry: MIB, disk: false });
  const control = new MemoryContents(memory, () => 0).store('a', { maxEntry: MIB, disk: false });
  for (const selector of [
    { by: 'url', value: NAMES.url },
    { by: 'url', value: 'http://shop.test/*' },
    { by: 'route', value: 'shop' },
    { by: 'tag', value: 'b' },
    { by: 'all' },
  ] as const satisfies readonly ContentSelector[]) {
    const since = store.moment();
    assert.not(store.purgedAt(NAMES) > since);
    control.purge(selector, selector.by === 'tag');
    for (const one of [store, other]) {
      assert.ok(one.purgedAt(NAMES) > since, JSON.stringify(selector));
      assert.not(one.purgedAt(NAMES) > one.moment());
    }
  }
});

test('purges of other contents and of other identities do not concern it', () => {
  const { contents, store } = open();
  const since = store.moment();
  store.purge({ by: 'url', value: 'http://shop.test/2' }, false);
  store.purge({ by: 'route', value: NAMES.url }, false);
  store.purge({ by: 'tag', value: 'shop' }, false);
  contents.store('b', { maxEntry: MIB, disk: false }).purge({ by: 'all' }, false);
  assert.is(store.moment(), since + 4);
  assert.not(store.purgedAt(NAMES) > since);
});

test('numbers only rise, and are exact beyond 32 bits', () => {
  const { memory, store } = open();
  const { purges } = new ContentLayout(memory);
  Atomics.store(purges, 0, 2n ** 40n);
  const since = store.moment();
  store.purge({ by: 'all' }, false);
  assert.is(store.purgedAt(NAMES), since + 1);
  // A purge that was numbered before, and comes later to its place.
  Atomics.store(purges, 0, 5n);
  store.announce({ by: 'all' });
  assert.is(store.purgedAt(NAMES), since + 1);
});

test('never a purge that is missed, in random histories; and few that did not concern it', () => {
  const below = seededBelow(11);
  const { store } = open();
  const name = (kind: string): string => `${kind}${below(40)}`;
  const past: ContentSelector[] = [];
  let wrong = 0;
  for (let round = 0; round < 5000; round++) {
    const by = (['url', 'route', 'tag'] as const)[below(3)]!;
    const selector: ContentSelector = below(100) === 0 ? { by: 'all' } : { by, value: name(by) };
    store.announce(selector);
    past.push(selector);
    const names = { url: name('url'), route: name('route'), tags: [name('tag'), name('tag')] };
    const since = Math.max(0, past.length - below(8));
    const concerned = past.slice(since).some((one) => selects(one, names));
    const found = store.purgedAt(names) > since;
    assert.ok(found || !concerned, `missed: ${JSON.stringify(names)}`);
    if (found !== concerned) wrong++;
  }
  assert.ok(wrong < 50, `${wrong} of 5000`);
});

test('refresh: facts that were asked for before a soft purge leave its mark', () => {
  const { store } = open();
  for (const [selector, tags] of [
    [{ by: 'url', value: 'http://shop.test/' }, ['new']],
    // The old facts have the tag, and the new ones have it.
    [{ by: 'tag', value: 'old' }, ['new']],
    [{ by: 'tag', value: 'new' }, ['new']],
  ] as const) {
    put(store, 'k', bodyOf(1, 10), { tags: ['old'], data: 'old' });
    const since = store.moment();
    const content = store.get('k')!;
    store.purge(selector, true);
    store.refresh(content, facts({ tags, data: 'new' }), since);
    content.release();
    assert.is(store.get('k')!.facts.data, 'old');
    store.refresh(content, facts({ tags, data: 'new' }), store.moment());
    const now = store.get('k')!;
    assert.equal([now.soft, now.facts.data], [false, 'new']);
    now.release();
    store.delete('k');
  }
});

test.run();
