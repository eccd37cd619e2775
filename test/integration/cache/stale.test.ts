/** Stale replies: while they are fetched anew, and after a soft purge. */
import * as assert from 'uvu/assert';
import { until } from '../../support/until.js';
import { cacheSuite } from './kit.js';

const test = cacheSuite('stale replies');

test('stale-while-revalidate: the stale reply is sent at once, and fetched anew once', async ({ bed }) => {
  let version = 1;
  bed.origin = () => ({
    fields: { 'cache-control': 'max-age=1, stale-while-revalidate=60', etag: `"v${version}"` },
    body: `v${version}`,
  });
  await bed.ask('/a');
  bed.pass(5);
  version = 2;
  const replies = await Promise.all(Array.from({ length: 5 }, () => bed.ask('/a')));
  for (const reply of replies) assert.match(reply.body.toString(), /^v[12]$/);
  assert.is(replies[0]!.header('cache-status'), 'gw; hit; ttl=-4');
  await until(() => bed.asked === 2, 'the fetch in the background');
  assert.is(bed.target.arrived[1]!.header('if-none-match'), '"v1"');
  await until(async () => (await bed.ask('/a')).body.toString() === 'v2', 'the new reply');
  assert.is(bed.asked, 2);
  bed.pass(70);
  assert.is((await bed.ask('/a')).header('cache-status')?.includes('fwd=stale'), true);
});

test('a 304 in the background makes the stored reply fresh again', async ({ bed }) => {
  bed.origin = (request) =>
    request.header('if-none-match') === '"v1"'
      ? { status: 304, fields: { 'cache-control': 'max-age=60', etag: '"v1"' } }
      : { fields: { 'cache-control': 'max-age=1, stale-while-revalidate=60', etag: '"v1"' }, body: 'kept' };
  await bed.ask('/a');
  bed.pass(5);
  assert.is((await bed.ask('/a')).body.toString(), 'kept');
  await until(async () => (await bed.ask('/a')).header('cache-status') === 'gw; hit; ttl=60', 'the fresh reply');
  assert.is(bed.asked, 2);
});

test('an origin that fails in the background leaves the stale reply', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1, stale-while-revalidate=60' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = () => ({ status: 503 });
  assert.is((await bed.ask('/a')).body.toString(), 'old');
  await until(() => bed.asked === 2, 'the fetch in the background');
  assert.is((await bed.ask('/a')).body.toString(), 'old');
});

test('a request with no-store gets a stale reply, and does not fetch it anew', async ({ bed }) => {
  bed.origin = () => ({ fields: { 'cache-control': 'max-age=1, stale-while-revalidate=60' }, body: 'old' });
  await bed.ask('/a');
  bed.pass(5);
  assert.is((await bed.ask('/a', { 'cache-control': 'no-store' })).body.toString(), 'old');
  await bed.ask('/other');
  assert.is(bed.asked, 2);
});

test('must-revalidate forbids stale replies', async ({ bed }) => {
  bed.origin = () => ({
    fields: { 'cache-control': 'max-age=1, must-revalidate, stale-while-revalidate=60, stale-if-error=60' },
  });
  await bed.ask('/a');
  bed.pass(5);
  bed.origin = () => ({ status: 503 });
  assert.is((await bed.ask('/a')).status, 503);
});

test('defaults of the spec count where the origin says nothing', async ({ bed }) => {
  await bed.load('[policy.c]\nuse = "cache"\nttl = "1s"\nstale_if_error = "1min"\nstale_while_revalidate = "2s"\n');
  bed.origin = () => ({ body: 'old' });
  await bed.ask('/a');
  bed.pass(2);
  assert.is((await bed.ask('/a')).header('cache-status'), 'gw; hit; ttl=-1');
  await until(() => bed.asked === 2, 'the fetch in the background');
  bed.pass(10);
  bed.origin = () => ({ status: 500 });
  assert.is((await bed.ask('/a')).status, 200);
});

test.run();
