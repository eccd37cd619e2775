/** transform with other policies where the order matters: validate, headers, compress, signatures, ranges; and what explain shows. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw } from '../cli/kit.js';
import { call, closeAll, removeFolders, SpecFile, startGateway } from './control-kit.js';
import { closeServers, type Got, startServer } from './upstream-kit.js';

test.after.each(async () => {
  await closeAll();
  await closeServers();
});
test.after(removeFolders);

const JSON_TYPE = { 'content-type': 'application/json' };

const json = (response: ServerResponse, body: unknown): void => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(body));
};

/** A gateway with one route, whose policies are these tables. */
async function start(answer: (got: Got, response: ServerResponse) => void, policies: readonly string[], more = '') {
  const target = await startServer(answer);
  const spec = new SpecFile(`spec = 1
[listener.main]
address = "127.0.0.1:0"
[service.orders]
targets = ["${target.url}"]
${more}
[[route]]
name = "orders"
match = "/orders/{id}"
to = "orders"
${policies.map((policy) => `[[route.policies]]\n${policy}\n`).join('')}`);
  writeFileSync(
    join(spec.folder, 'client.json'),
    JSON.stringify({
      type: 'object',
      required: ['item'],
      properties: { item: { type: 'string' } },
      additionalProperties: false,
    }),
  );
  const running = await startGateway({ spec: spec.path });
  return { ...running, target, spec };
}

test('validate checks what the client sends and gets, in front of transform', async () => {
  const { url, target } = await start(
    ({ body }, response) => json(response, { artikel: JSON.parse(body).artikel, intern: 1 }),
    [
      'use = "transform"\nrequest.body.rename = { item = "artikel" }\nreply.body = { pick = ["artikel"], rename = { artikel = "item" } }',
      'use = "validate"\nbody = "client.json"\nreply = "client.json"\nreplies = "enforce"',
    ],
  );
  const post = (body: unknown) =>
    call(`${url}/orders/1`, { method: 'POST', headers: JSON_TYPE, body: JSON.stringify(body) });
  const good = await post({ item: 'tea' });
  assert.equal([good.status, good.body, target.got[0]!.body], [200, '{"item":"tea"}', '{"artikel":"tea"}']);
  assert.is((await post({ artikel: 'tea' })).status, 400);
  assert.is(target.got.length, 1);
});

test('headers runs in the order of the spec for requests, and last for replies', async () => {
  const { url, target } = await start(
    (_got, response) => {
      response.setHeader('x-target', '1');
      json(response, {});
    },
    [
      'use = "headers"\nrequest.set = { x-a = "h" }\nreply.set = { x-seen = "{reply.status} {reply.header.x-new}" }',
      'use = "transform"\nrequest.headers.rename = { x-a = "x-b" }\nreply = { status = { 200 = 203 }, headers.rename = { x-target = "x-new" } }',
    ],
  );
  const { headers } = await call(`${url}/orders/1`);
  assert.is(headers['x-seen'], '203 1');
  assert.equal([target.got[0]!.request.headers['x-a'], target.got[0]!.request.headers['x-b']], [undefined, 'h']);
});

test('compress gets the transformed body, and the target is asked for one without coding', async () => {
  const items = Array.from({ length: 200 }, (_, id) => ({ id, secret: 'x'.repeat(20) }));
  const { url, target } = await start(
    (_got, response) => json(response, { items }),
    ['use = "transform"\nreply.body.omit = ["items[*].secret"]', 'use = "compress"'],
  );
  const { headers, bytes } = await raw(`${url}/orders/1`, { 'accept-encoding': 'gzip' });
  assert.is(headers['content-encoding'], 'gzip');
  assert.equal(JSON.parse(gunzipSync(bytes).toString()), { items: items.map(({ id }) => ({ id })) });
  assert.is(target.got[0]!.request.headers['accept-encoding'], 'identity');
});

/** A reply as bytes. */
async function raw(url: string, headers: Record<string, string>) {
  const { request } = await import('node:http');
  return new Promise<{ headers: Record<string, unknown>; bytes: Buffer }>((resolve, reject) => {
    const sent = request(url, { headers, agent: false }, (reply) => {
      const parts: Buffer[] = [];
      reply.on('data', (part: Buffer) => parts.push(part));
      reply.on('end', () => resolve({ headers: reply.headers, bytes: Buffer.concat(parts) }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

test('a signature covers the path, query and body that the target gets', async () => {
  process.env['TRANSFORM_TEST_HMAC'] = Buffer.from('a key of at least thirty-two bytes').toString('base64');
  const { url, target } = await start(
    (_got, response) => response.end(),
    [
      'use = "upstream-auth"\nsignature = { key_id = "gw", key = "${env:TRANSFORM_TEST_HMAC}", algorithm = "hmac-sha256", components = ["@method", "@path", "@query", "content-digest"] }',
      'use = "transform"\nrequest = { path = "/v2/{id}", query.set = { a = "1" }, body.omit = ["secret"] }',
    ],
  );
  const body = '{"n":12345678901234567890,"secret":1}';
  assert.is((await call(`${url}/orders/7`, { method: 'POST', headers: JSON_TYPE, body })).status, 200);
  const [got] = target.got;
  assert.equal([got!.request.url, got!.body], ['/v2/7?a=1', '{"n":12345678901234567890}']);
  const digest = createHash('sha256').update(got!.body).digest('base64');
  assert.is(got!.request.headers['content-digest'], `sha-256=:${digest}:`);
  const input = String(got!.request.headers['signature-input']).replace(/^[a-z0-9]+=/, '');
  const base = `"@method": POST\n"@path": /v2/7\n"@query": ?a=1\n"content-digest": sha-256=:${digest}:\n"@signature-params": ${input}`;
  const { createHmac } = await import('node:crypto');
  const keys = [Buffer.from('a key of at least thirty-two bytes'), Buffer.from(process.env['TRANSFORM_TEST_HMAC']!)];
  const expected = keys.map((key) => createHmac('sha256', key).update(base).digest('base64'));
  const signature = /:([^:]+):/.exec(String(got!.request.headers['signature']))?.[1];
  assert.ok(expected.includes(signature!), base);
});

test('a range passes where only heads change, and is removed where the body does', async () => {
  const answer = ({ request }: Got, response: ServerResponse): void => {
    response.setHeader('content-type', 'application/json');
    if (request.headers.range === undefined) {
      response.end('{"a":1,"b":2}');
      return;
    }
    response.statusCode = 206;
    response.setHeader('content-range', 'bytes 0-1/13');
    response.end('{"');
  };
  for (const [edits, status, body] of [
    ['reply.headers.remove = ["server"]', 206, '{"'],
    ['reply.body.omit = ["b"]', 200, '{"a":1}'],
  ] as const) {
    const { url } = await start(answer, [`use = "transform"\n${edits}`]);
    const got = await call(`${url}/orders/1`, { headers: { range: 'bytes=0-1' } });
    assert.equal([got.status, got.body], [status, body]);
  }
});

test('gw explain shows the path and the fields that the target would get', async () => {
  const { spec } = await start(
    (_got, response) => response.end(),
    [
      'use = "transform"\nrequest = { path = "/v2/order-{id}", query = { rename = { q = "search" } }, headers.set = { x-route = "{route.name}" } }',
    ],
  );
  const { out, code } = await gw(['explain', 'GET', '/orders/7?q=tea', spec.path]);
  assert.is(code, 0);
  assert.match(out, /path \/v2\/order-7; query: rename q to search; set x-route/);
  assert.match(out, /GET \/v2\/order-7\?search=tea HTTP\/1\.1|\/v2\/order-7\?search=tea/);
  assert.match(out, /x-route: orders/);
});

test.run();
