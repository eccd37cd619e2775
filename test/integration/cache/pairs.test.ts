/** The cache with other policies, where the order matters. */
import { gunzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { cacheSuite } from './kit.js';

const test = cacheSuite('cache with other policies');

const CACHE = '[policy.c]\nuse = "cache"\nttl = "60s"\n';
const TEXT = 'a'.repeat(2000);

test('cache+compress: the stored reply is not compressed, and each client gets the coding that it accepts', async ({
  bed,
}) => {
  await bed.load(`${CACHE}[policy.z]\nuse = "compress"\n`, 'policies = ["c", "z"]\n');
  bed.origin = () => ({ fields: { 'content-type': 'text/plain', etag: '"v1"' }, body: TEXT });
  const first = await bed.ask('/a', { 'accept-encoding': 'gzip' });
  assert.is(gunzipSync(first.body).toString(), TEXT);
  assert.is((await bed.ask('/a')).body.toString(), TEXT);
  const hit = await bed.ask('/a', { 'accept-encoding': 'gzip' });
  assert.match(hit.header('cache-status')!, /hit/);
  assert.is(hit.header('content-encoding'), 'gzip');
  assert.is(hit.header('etag'), 'W/"v1"');
  assert.is(gunzipSync(hit.body).toString(), TEXT);
  assert.is((await bed.ask('/a', { 'accept-encoding': 'gzip', 'if-none-match': 'W/"v1"' })).status, 304);
  // A part of the stored bytes is not compressed.
  const part = await bed.ask('/a', { 'accept-encoding': 'gzip', range: 'bytes=0-9' });
  assert.is(part.status, 206);
  assert.is(part.body.toString(), TEXT.slice(0, 10));
  assert.is(bed.asked, 1);
});

test('cors+cache: the fields of CORS are those of each request, and are not stored', async ({ bed }) => {
  await bed.load(
    `${CACHE}[policy.x]\nuse = "cors"\norigins = ["https://one.example", "https://two.example"]\n`,
    'policies = ["x", "c"]\n',
  );
  for (const origin of ['https://one.example', 'https://two.example', 'https://three.example']) {
    const reply = await bed.ask('/a', { origin });
    const allowed = origin.includes('three') ? undefined : origin;
    assert.is(reply.header('access-control-allow-origin'), allowed);
  }
  const preflight = await bed.ask(
    '/a',
    { origin: 'https://one.example', 'access-control-request-method': 'GET' },
    'OPTIONS',
  );
  assert.is(preflight.header('access-control-allow-origin'), 'https://one.example');
  assert.is(bed.asked, 1);
});

test('cache+transform: the stored reply is the transformed one, and the target is not asked again', async ({ bed }) => {
  await bed.load(
    `${CACHE}[policy.t]\nuse = "transform"\nreply = { body = { jsonata = '{ "total": $sum(prices) }' } }\n`,
    'policies = ["c", "t"]\n',
  );
  bed.origin = () => ({
    fields: { 'content-type': 'application/json', etag: '"v1"' },
    body: JSON.stringify({ prices: [1, 2] }),
  });
  assert.is((await bed.ask('/a', { range: 'bytes=0-1' })).body.toString(), '{"total":3}');
  const hit = await bed.ask('/a');
  assert.match(hit.header('cache-status')!, /hit/);
  assert.is(hit.body.toString(), '{"total":3}');
  assert.is(hit.header('etag'), undefined);
  const part = await bed.ask('/a', { range: 'bytes=0-1' });
  assert.is(part.status, 206);
  assert.is(part.body.toString(), '{"');
  assert.is(bed.asked, 1);
});

test('headers+cache: fields that a policy sets on the reply are those of each request', async ({ bed }) => {
  await bed.load(
    `${CACHE}[policy.h]\nuse = "headers"\nreply = { set = { x-id = "{request.id}" } }\n`,
    'policies = ["c", "h"]\n',
  );
  const [first, second] = [await bed.ask('/a'), await bed.ask('/a')];
  assert.is(bed.asked, 1);
  assert.is.not(first.header('x-id'), second.header('x-id'));
  assert.is(second.header('x-id'), second.header('x-request-id'));
});

test('limit+cache: a hit counts', async ({ bed }) => {
  await bed.load(`${CACHE}[policy.l]\nuse = "rate-limit"\nlimit = "2/min"\nby = "ip"\n`, 'policies = ["l", "c"]\n');
  assert.is((await bed.ask('/a')).status, 200);
  assert.is((await bed.ask('/a')).status, 200);
  assert.is((await bed.ask('/a')).status, 429);
});

test('a slow policy of replies outside of the cache sees hits too', async ({ bed }) => {
  await bed.load(`${CACHE}[policy.s]\nuse = "security-headers"\n`, 'policies = ["s", "c"]\n');
  await bed.ask('/a');
  assert.is((await bed.ask('/a')).header('x-content-type-options'), 'nosniff');
});

test.run();
