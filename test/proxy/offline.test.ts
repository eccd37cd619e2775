import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { OfflineCall } from '../../src/proxy/offline/mocks.js';
import { OfflinePlane } from '../../src/proxy/offline.js';
import { LimitTable } from '../../src/state/limits/table.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { generationOf } from '../integration/engine-kit.js';
import { virtualClock } from '../support/virtual-clock.js';

const SPEC = `
spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.shop]
targets = ["http://10.0.0.1:80/base", "http://10.0.0.2:80"]
[consumer.acme]
api_keys = ["sha256:2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683"]
[[route]]
name = "item"
match = "GET /items/{id:int}"
to = "shop"
policies = [{ use = "api-key" }, { use = "rate-limit", limit = "1/min", by = "consumer" }]
[[route]]
name = "hi"
match = "/hi"
reply = { body = "hi" }
`;

const plane = (): OfflinePlane => {
  const input = generationOf(SPEC, new StatsRegistry());
  return new OfflinePlane(input, {
    clock: virtualClock(() => 1_700_000_000_000),
    limits: new LimitTable(LimitTable.allocate({ slots: 64 })),
  });
};
const KEY = { 'x-api-key': 'key' };

test('reports route, parameters, steps, target and the head for the target', async () => {
  const offline = plane();
  const found = await offline.run({ method: 'GET', url: 'http://shop.example/items/7?q=1', headers: KEY });
  assert.is(found.status, null);
  assert.is(found.route, 0);
  assert.equal(found.params, { id: '7' });
  assert.is(found.service, 'shop');
  assert.is(found.target, 'http://10.0.0.1:80/base');
  assert.is(found.head?.[0], 'GET /base/items/7?q=1 HTTP/1.1');
  assert.ok(found.head?.includes('host: shop.example'));
  assert.not.ok(found.head?.some((line) => line.startsWith('x-api-key')));
  assert.is(found.consumer, 'acme');
  assert.equal(
    found.decisions.map(({ use }) => use),
    ['match', 'api-key', 'rate-limit', 'balance'],
  );
  assert.match(found.decisions[0]!.why, /^matched GET /);
  assert.match(found.decisions.at(-1)!.why, /^round robin, targets: \d+$/);
  const second = await offline.run({ method: 'GET', url: '/items/7', headers: [['X-API-Key', 'key']] });
  assert.is(second.status, 429);
  offline.close();
});

test('a mocked service gets what a target would get, and its reply goes back through the policies', async () => {
  const input = generationOf(
    `${SPEC}[[route]]\nname = "post"\nmatch = "/post"\nto = "shop"\nmax_body = "10B"\npolicies = ["fields"]\n` +
      '[policy.fields]\nuse = "headers"\nreply.set = { x-status = "{reply.status}" }\nreply.remove = ["server"]\n',
    new StatsRegistry(),
  );
  const calls: OfflineCall[] = [];
  const offline = new OfflinePlane(input, {
    clock: virtualClock(() => 0),
    limits: new LimitTable(LimitTable.allocate({ slots: 64 })),
    mocks: {
      shop: (call) => {
        calls.push(call);
        return { status: 201, headers: { Server: 's', Connection: 'x-hop', 'X-Hop': '1', ETag: '"a"' }, body: 'made' };
      },
    },
  });
  const post = (body: string, headers: Record<string, string> = {}) =>
    offline.run({ method: 'POST', url: '/post?q=1', body, headers });
  const found = await post('hello');
  assert.is(found.status, 201);
  assert.is(found.asked, true);
  assert.is(found.error, null);
  assert.is(found.reply?.body, 'made');
  assert.equal(Object.fromEntries(found.reply?.headers ?? []), {
    etag: '"a"',
    'x-status': '201',
  });
  assert.is(calls[0]?.body.toString(), 'hello');
  assert.match(calls[0]?.path ?? '', /^(\/base)?\/post\?q=1$/);
  assert.ok(calls[0]?.headers.some(([name, value]) => name === 'content-length' && value === '5'));
  // The bounds are those of the proxy.
  assert.is((await post('more than ten')).error, 'request/body-too-large');
  assert.is((await post('hello', { 'content-length': '3' })).error, 'request/malformed');
  const chunked = await post('more than ten', { 'transfer-encoding': 'chunked' });
  assert.is(chunked.error, 'request/body-too-large');
  const head = await offline.run({ method: 'HEAD', url: '/post' });
  assert.is(head.reply?.body, '');
  assert.is(calls.length, 2);
  offline.close();
});

test('the reply of a mock passes the parser of replies', async () => {
  for (const [mock, error] of [
    [{ status: 101 }, 'upstream/invalid'],
    [{ headers: { 'x y': '1' } }, 'upstream/invalid'],
    [{ headers: { 'content-length': 'x' } }, 'upstream/invalid'],
    [{ status: 204 }, null],
    [{ status: 304, headers: { etag: '"a"' } }, null],
  ] as const) {
    const offline = plane();
    const found = await offline.run({ method: 'GET', url: '/items/7', headers: KEY, mocks: { shop: mock } });
    assert.is(found.error, error, JSON.stringify(mock));
    offline.close();
  }
});

test('reports the reply of gw', async () => {
  const offline = plane();
  assert.is((await offline.run({ method: 'GET', url: '/items/7' })).status, 401);
  const hi = await offline.run({ method: 'GET', url: '/hi' });
  assert.is(hi.status, 200);
  assert.is(hi.reply?.body, 'hi');
  assert.is(hi.service, null);
  const none = await offline.run({ method: 'GET', url: '/none' });
  assert.is(none.status, 404);
  assert.is(none.error, 'route/none');
  assert.is(none.trace?.route, -1);
  assert.is((await offline.run({ method: 'POST', url: '/items/7' })).status, 405);
  assert.is((await offline.run({ method: 'GET', url: '/%00' })).status, 400);
  assert.is((await offline.run({ method: 'OPTIONS', url: '*' })).status, 204);
  offline.close();
});

test('the reply to a malformed request has fields and body', async () => {
  const offline = plane();
  const found = await offline.run({ method: 'GET', url: '/items/7 x' });
  assert.is(found.status, 400);
  const fields = new Map(found.reply?.headers);
  assert.is(fields.get('content-type'), 'application/problem+json');
  assert.is(fields.get('cache-control'), 'no-store');
  assert.match(found.reply?.body ?? '', '"urn:gw:problem:request/malformed"');
  offline.close();
});

test('refuses what the engine would refuse', async () => {
  const offline = plane();
  for (const [request, status] of [
    [{ method: 'GET', url: '/a b' }, 400],
    [{ method: 'G T', url: '/' }, 400],
    [{ method: 'CONNECT', url: 'a:1' }, 501],
    [{ method: 'GET', url: '/', headers: { host: 'a,b' } }, 400],
    [{ method: 'GET', url: '/', headers: { 'x-a': 'b\r\nc: d\r\n\r\nx' } }, 400],
    [{ method: 'POST', url: '/hi', headers: { 'content-length': '9999999999' } }, 413],
  ] as const)
    assert.is((await offline.run(request)).status, status, JSON.stringify(request));
  offline.close();
});

test.run();
