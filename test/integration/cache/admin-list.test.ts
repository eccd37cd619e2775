/** `gw cache stats` and `gw cache warm` by what is stored: URLs, routes, tags. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AdminClient } from '../../../src/dashboard/client.js';
import type { StoredReplies, StoredReply } from '../../../src/telemetry/cache-calls.js';
import { closeAll, removeFolders, startGateway, until } from '../control-kit.js';
import { Bed } from './admin-bed.js';

test.after.each(closeAll);
test.after(removeFolders);

const paths = (replies: readonly StoredReply[]): string[] => replies.map(({ url }) => new URL(url).pathname);

test('what is stored is listed by URL, prefix, route, tag and cache', async () => {
  const bed = await Bed.open();
  for (const path of ['/a/x/1?b=1&a=2', '/a/x/2', '/b/1']) await bed.status(path);
  for (const [argv, found] of [
    [[`${bed.url}/a/x/1?a=2&b=1&utm=x`], ['/a/x/1']],
    [[`${bed.url}/a/x/*`], ['/a/x/1', '/a/x/2']],
    [
      ['--route', 'b', '--route', 'a'],
      ['/a/x/1', '/a/x/2', '/b/1'],
    ],
    [
      ['--tag', 'page-1', '--tag', 'green'],
      ['/a/x/1', '/a/x/2', '/b/1'],
    ],
    [['--tag', 'page-1', '--policy', 'short'], ['/a/x/1']],
    [['--all', '--policy', 'long'], ['/b/1']],
    [[`${bed.url}/a/none`], []],
  ] as const) {
    const { replies, complete } = await bed.stored(...argv);
    assert.equal(paths(replies), found, argv.join(' '));
    assert.is(complete, true);
  }
  const [reply] = (await bed.stored('--route', 'b')).replies;
  assert.is(reply?.policy, 'long');
  assert.is(reply?.bytes, 'hello /b/1'.length);
  // The group also under its origin.
  assert.equal([...reply!.tags].sort(), ['all', 'green', `${bed.url} shop`, 'page-1', 'red', 'shop']);
  assert.is(reply?.soft, false);
  assert.ok(reply!.expiresAt! > Date.now());
});

test('a list has as many replies as it may, and says so', async () => {
  const bed = await Bed.open();
  for (let at = 0; at < 5; at++) await bed.status(`/a/${at}`);
  const client = new AdminClient({ kind: 'socket', path: bed.running.gateway.adminSocket ?? '' });
  const list = (most: number): Promise<StoredReplies> => client.storedReplies({ all: true, most });
  assert.is((await list(5)).complete, true);
  const some = await list(4);
  assert.is(some.complete, false);
  assert.is(some.replies.length, 4);
});

test('a list has what is only on disk, and what both tiers have once', async () => {
  const bed = await Bed.open();
  bed.spec.write(bed.text('disk = true'));
  assert.is((await bed.running.gateway.reload())?.outcome, 'live');
  for (const path of ['/a/1', '/a/2']) await bed.status(path);
  await until(async () => (await bed.stats()).disk?.entries === 2, 'two replies on disk');
  assert.equal(paths((await bed.stored('--tag', 'all')).replies), ['/a/1', '/a/2']);
  await bed.running.gateway.close();
  bed.running = await startGateway({ spec: bed.spec.path });
  await until(async () => (await bed.stats()).disk !== null, 'the store');
  for (const argv of [['--tag', 'page-2'], ['--route', 'a'], ['--all']]) {
    const found = paths((await bed.stored(...argv)).replies);
    assert.equal(found, argv[0] === '--tag' ? ['/a/2'] : ['/a/1', '/a/2'], argv.join(' '));
  }
});

test('what a soft purge has marked is listed as such, and is validated by warm', async () => {
  const bed = await Bed.open();
  for (const path of ['/a/1', '/a/2', '/b/1']) await bed.status(path);
  assert.is(await bed.purge('--tag', 'page-1', '--soft'), 2);
  const soft = async (): Promise<string[]> => paths((await bed.stored('--all')).replies.filter((one) => one.soft));
  assert.equal(await soft(), ['/a/1', '/b/1']);
  const before = bed.asked.length;
  const { code, out } = await bed.gw('warm', '--tag', 'page-1');
  assert.is(code, 0);
  assert.match(out, /\n2 URLs: /);
  assert.equal(
    bed.asked
      .slice(before)
      .map(({ url, headers }) => `${url} ${headers['if-none-match']}`)
      .sort(),
    ['/a/1 "one"', '/b/1 "one"'],
  );
  assert.equal(await soft(), []);
  const prefixed = await bed.gw('warm', `${bed.url}/a/*`);
  assert.match(prefixed.out, /\n2 URLs: 0 stored now, 2 stored before, 0 failed\.\n$/);
  const none = await bed.gw('warm', '--route', 'a', '--policy', 'long');
  assert.is(none.code, 0);
  assert.match(none.err + none.out, 'Nothing is stored that matches.');
});

test('the list as a table', async () => {
  const bed = await Bed.open();
  for (const path of ['/a/1', '/a/22', '/b/1']) await bed.status(path);
  await bed.purge('--route', 'b', '--soft');
  const { out } = await bed.gw('stats', '--all');
  const host = bed.url;
  assert.equal(
    out.split('\n').map((line) => line.trimEnd()),
    [
      'POLICY  ENTRIES       SIZE  SOFT  URL',
      `short         1        10B     0  ${host}/a/1`,
      `short         1        11B     0  ${host}/a/22`,
      `long          1        10B     1  ${host}/b/1`,
      '3 entries, 31B.',
      '',
    ],
  );
  assert.match((await bed.gw('stats', '--tag', 'none')).err, 'Nothing is stored that matches.');
});

test('an unknown route or cache of a list is an error', async () => {
  const bed = await Bed.open();
  const wrong = await bed.gw('stats', '--route', 'aa');
  assert.is(wrong.code, 2);
  assert.match(wrong.err, 'There is no route `aa`.');
  assert.match(
    (await bed.gw('stats', '--all', '--policy', 'none')).err,
    'There is no cache `none`. Caches: short, long.',
  );
});

test.run();
