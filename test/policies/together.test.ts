/** All policies in one chain, from the text of a spec to the head for the target, with the driver of explain. */
import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import { OfflinePlane, type OfflineRequest, type OfflineResult } from '../../src/proxy/offline.js';
import { LimitTable } from '../../src/state/limits/table.js';
import { StatsRegistry } from '../../src/telemetry/stats/registry.js';
import { virtualClock } from '../support/virtual-clock.js';

const KEY = '3f1c9a2e5b7d4860a1c2e3f405162738';
const SPEC = `
spec = 1

[listener.main]
address = "127.0.0.1:8080"

[service.orders]
targets = ["http://127.0.0.1:4003"]

[consumer.acme]
api_keys = ["sha256:${createHash('sha256').update(KEY).digest('hex')}"]

[policy.pages]
use = "cors"
origins = ["https://app.example.com"]
headers = ["x-api-key"]

[policy.keys]
use = "api-key"
header = "x-api-key"
query = "api_key"

[policy.polite]
use = "rate-limit"
limit = "2/min"
by = "consumer"

[[route]]
name = "get-order"
match = "GET /orders/{id:int}"
to = "orders"
policies = ["polite", { use = "headers", request.set = { x-tenant = "{consumer.name}" }, reply.set = { x-seen = "yes" } }, "keys", "pages"]

[[route]]
name = "list-orders"
match = "GET /orders"
to = "orders"
policies = ["keys"]
`;

function plane(): { run(request: OfflineRequest): Promise<OfflineResult> } {
  const { value: model, diagnostics } = checkSpec({ path: 'gateway.toml', text: SPEC });
  assert.equal(
    diagnostics.filter(({ severity }) => severity === 'error'),
    [],
  );
  const { bundle } = compile(model!);
  const stats = new StatsRegistry({ now: 0 });
  const slots = { ...stats.assign(bundle.program, 0), chunks: stats.chunks(0) };
  const trie = bundle.trie as ArrayBuffer | SharedArrayBuffer;
  return new OfflinePlane(
    { id: 1, sha256: bundle.sha256, program: bundle.program, trie, stats: slots },
    { clock: virtualClock(() => 1_000_000), limits: new LimitTable(LimitTable.allocate({ slots: 64 })) },
  );
}

const fieldsOf = (result: OfflineResult): Map<string, string> => new Map(result.reply?.headers);

test('phases decide the order: a preflight is answered before the key is checked', async () => {
  const result = await plane().run({
    method: 'OPTIONS',
    url: '/orders/7',
    headers: { origin: 'https://app.example.com', 'access-control-request-method': 'GET' },
  });
  assert.is(result.status, 204);
  assert.is(fieldsOf(result).get('access-control-allow-origin'), 'https://app.example.com');
  // Reply edits apply to it too.
  assert.is(fieldsOf(result).get('x-seen'), 'yes');
});

test('an OPTIONS request that is not a preflight, and a preflight without cors, get 405', async () => {
  const at = plane();
  assert.is((await at.run({ method: 'OPTIONS', url: '/orders/7' })).status, 405);
  const origin = 'https://app.example.com';
  const asked = { origin, 'access-control-request-method': 'GET' };
  assert.is((await at.run({ method: 'OPTIONS', url: '/orders', headers: asked })).status, 405);
  const unknown = { origin, 'access-control-request-method': 'DELETE' };
  assert.is((await at.run({ method: 'OPTIONS', url: '/orders/7', headers: unknown })).status, 405);
});

test('a 401 has the CORS fields', async () => {
  const result = await plane().run({ method: 'GET', url: '/orders/7', headers: { origin: 'https://app.example.com' } });
  assert.is(result.status, 401);
  assert.is(result.error, 'auth/missing');
  assert.is(fieldsOf(result).get('access-control-allow-origin'), 'https://app.example.com');
  assert.is(fieldsOf(result).get('www-authenticate'), 'ApiKey realm="api"');
  assert.is(fieldsOf(result).get('x-seen'), 'yes');
});

test('the target gets the tenant and no key', async () => {
  for (const [url, headers] of [
    ['/orders/7?a=1', { 'x-api-key': KEY, 'x-tenant': 'forged' }],
    [`/orders/7?api_key=${KEY}&a=1`, { 'x-tenant': 'forged' }],
  ] as const) {
    const result = await plane().run({ method: 'GET', url, headers });
    assert.is(result.consumer, 'acme');
    const head = result.head!.join('\n');
    assert.not.match(head, KEY);
    assert.not.match(head, 'forged');
    assert.match(head, '/orders/7?a=1');
    assert.match(head, 'x-tenant: acme');
  }
});

test('excess requests get 429 with limit fields and CORS fields', async () => {
  const at = plane();
  const request = { method: 'GET', url: '/orders/7', headers: { 'x-api-key': KEY, origin: 'https://app.example.com' } };
  assert.is((await at.run(request)).status, null);
  assert.is((await at.run(request)).status, null);
  const refused = await at.run(request);
  assert.is(refused.status, 429);
  assert.is(refused.error, 'limit/exceeded');
  assert.is(fieldsOf(refused).get('retry-after'), '30');
  assert.is(fieldsOf(refused).get('ratelimit'), '"polite";r=0;t=60');
  assert.is(fieldsOf(refused).get('access-control-allow-origin'), 'https://app.example.com');
  assert.equal(
    refused.decisions.map(({ step, outcome }) => `${step} ${outcome}`),
    ['match pass', 'pages pass', 'keys pass', 'polite answer', 'get-order/headers edit', 'pages edit'],
  );
});

test.run();
