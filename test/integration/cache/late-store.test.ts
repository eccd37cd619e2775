/** A store that answers late, as one over a network does, or not at all. */
import * as assert from 'uvu/assert';
import { create } from '../../../src/policies/cache/run.js';
import type { ContentOptions } from '../../../src/state/content/types.js';
import { compile } from '../../policies/support.js';
import { DelayedContents } from '../../support/delayed-contents.js';
import { withPolicies } from '../../support/test-policies.js';
import { until } from '../../support/until.js';
import { type CacheBed, cacheSuite, requestText } from './kit.js';

const test = cacheSuite('a cache with a late store');

async function late(bed: CacheBed): Promise<DelayedContents> {
  const contents = new DelayedContents({
    after: (ms, work) => {
      const timer = setTimeout(work, ms);
      return () => clearTimeout(timer);
    },
    delay: 5,
  });
  const settings = compile('cache', '')!;
  const policy = {
    run: (host: Parameters<typeof create>[1]) =>
      create(settings, { ...host, content: <Data>(options: ContentOptions) => contents.store<Data>('c', options) }),
  };
  await bed.load('', '', withPolicies([policy]));
  return contents;
}

test('everything works with a store that answers late', async ({ bed }) => {
  const contents = await late(bed);
  bed.origin = (request) =>
    request.header('if-none-match') === '"v1"'
      ? { status: 304, fields: { 'cache-control': 'max-age=60', etag: '"v1"' } }
      : { fields: { 'cache-control': 'max-age=10', etag: '"v1"', vary: 'x-a' }, body: request.header('x-a') ?? 'none' };
  await bed.ask('/a', { 'x-a': '1' });
  await until(
    async () => (await bed.ask('/a', { 'x-a': '1' })).header('cache-status')?.includes('hit') === true,
    'a hit',
  );
  assert.is((await bed.ask('/a', { 'x-a': '2' })).body.toString(), '2');
  bed.pass(20);
  const validated = await bed.ask('/a', { 'x-a': '1', range: 'bytes=0-0' });
  assert.is(validated.status, 206);
  await bed.ask('/a', {}, 'POST');
  assert.match((await bed.ask('/a', { 'x-a': '1' })).header('cache-status')!, /miss/);
  await until(() => contents.pinned === 0, 'all contents are released');
});

test('a reply that was purged softly may be used stale only as long as any other', async ({ bed }) => {
  const contents = await late(bed);
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1000, stale-while-revalidate=20' } });
  await bed.ask('/a');
  const isHit = async (): Promise<boolean> => (await bed.ask('/a')).header('cache-status')?.includes('hit') === true;
  await until(isHit, 'a hit');
  await contents.store('c', { maxEntry: 1000, disk: false }).purge({ by: 'all' }, true);
  bed.origin = () => ({ status: 503 });
  assert.ok(await isHit());
  bed.pass(19);
  assert.ok(await isHit());
  bed.pass(1);
  assert.not(await isHit());
});

test('a store that fails is a miss', async ({ bed }) => {
  const contents = await late(bed);
  contents.failing = true;
  for (let round = 0; round < 3; round++) assert.is((await bed.ask('/a')).body.toString(), 'hello');
  assert.is(bed.asked, 3);
  assert.ok(contents.errors > 0);
});

test('a client that leaves while the store is asked leaves nothing pinned', async ({ bed }) => {
  const contents = await late(bed);
  await bed.ask('/a');
  await until(async () => (await bed.ask('/a')).header('cache-status')?.includes('hit') === true, 'a hit');
  contents.delays = { get: 50, commit: 5, change: 5 };
  for (let round = 0; round < 5; round++) {
    const client = bed.plane.client();
    client.send(requestText('/a'));
    await new Promise((resolve) => setImmediate(resolve));
    client.socket.resetAndDestroy();
  }
  assert.is((await bed.ask('/a')).body.toString(), 'hello');
  await until(() => contents.pinned === 0, 'all contents are released');
});

test('no answer from the store leaves anything pinned, whatever a client asks for and wherever it leaves', async ({
  bed,
}) => {
  const contents = await late(bed);
  bed.origin = () => ({
    fields: { 'cache-control': 'max-age=60', etag: '"v1"' },
    body: Buffer.alloc(4 * 1024 * 1024, 'x'),
  });
  await bed.ask('/a');
  await until(async () => (await bed.ask('/a')).header('cache-status')?.includes('hit') === true, 'a hit');
  for (const [status, fields, method] of [
    [200, {}, 'HEAD'],
    [304, { 'if-none-match': '"v1"' }, 'GET'],
    [304, { 'if-none-match': '"v1"' }, 'HEAD'],
    [206, { range: 'bytes=1-2' }, 'GET'],
    [206, { range: 'bytes=1-2,100-200' }, 'GET'],
    [416, { range: 'bytes=9999999-' }, 'GET'],
    [200, { range: 'bytes=0-', 'if-range': '"v2"' }, 'GET'],
    [504, { 'cache-control': 'only-if-cached, max-age=0' }, 'GET'],
    [200, { 'if-match': '"v1"' }, 'GET'],
  ] as const)
    assert.is((await bed.ask('/a', fields, method)).status, status, JSON.stringify(fields));
  const client = bed.plane.client();
  client.send(requestText('/a'));
  await until(() => client.pending !== '', 'the beginning of the body');
  client.socket.pause();
  client.socket.resetAndDestroy();
  await until(() => contents.pinned === 0, 'all contents are released');
});

test.run();
