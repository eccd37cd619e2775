/** validate over real sockets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as assert from 'uvu/assert';
import { never, ok, say, whole } from '../../support/fault-target.js';
import { until } from '../../support/until.js';
import { specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('validate');

const folder = mkdtempSync(join(tmpdir(), 'gw-validate-'));
test.after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'order.json');
writeFileSync(
  file,
  JSON.stringify({
    type: 'object',
    required: ['sku'],
    properties: { sku: { type: 'string' }, n: { type: 'integer' } },
  }),
);

const load = ({ plane, target }: EngineContext, keys: string): Promise<void> =>
  plane.load(specOf(target.url, { route: 'policies = ["v"]', more: `[policy.v]\nuse = "validate"\n${keys}\n` }));

const post = (body: string | Buffer, fields = 'Content-Type: application/json\r\n'): Buffer =>
  Buffer.concat([
    Buffer.from(`POST /a HTTP/1.1\r\nHost: h\r\n${fields}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n`),
    Buffer.from(body),
  ]);

async function ask({ plane }: EngineContext, request: string | Buffer) {
  const client = plane.client();
  client.send(request);
  try {
    return await client.reply();
  } finally {
    client.destroy();
  }
}

test('a valid body reaches the target byte by byte', async (context) => {
  await load(context, `body = "${file}"`);
  let got = '';
  context.target.respond = whole((payload) => {
    got = payload.toString();
  });
  const body = ' {"sku" : "a", "n": 900719925474099312345 } ';
  assert.is((await ask(context, post(body))).status, 200);
  assert.is(got, body);
});

test('an invalid body never reaches a target, and the client learns every failing field', async (context) => {
  await load(context, `body = "${file}"`);
  const reply = await ask(context, post('{"n":"x"}'));
  assert.is(reply.status, 400);
  assert.is(reply.header('content-type'), 'application/problem+json');
  const { errors, type } = JSON.parse(reply.body.toString());
  assert.is(type, 'urn:gw:problem:validate/request');
  assert.equal(errors, [
    { in: 'body', pointer: '/sku', detail: 'is required' },
    { in: 'body', pointer: '/n', detail: 'must be integer' },
  ]);
  assert.is(context.target.arrived.length, 0);
});

test('failures of parameters and of the body are in one list, unless the body is too large to be read', async (context) => {
  const query = join(folder, 'query.json');
  writeFileSync(query, JSON.stringify({ required: ['page'], properties: { page: { type: 'integer' } } }));
  await load(context, `body = "${file}"\nquery = "${query}"\nmax_body = "100B"`);
  const failing = { in: 'query', pointer: '/page', detail: 'is required' };
  const errorsOf = async (request: string | Buffer) => {
    const reply = await ask(context, request);
    return [reply.status, JSON.parse(reply.body.toString()).errors];
  };
  assert.equal(await errorsOf(post('{}')), [400, [failing, { in: 'body', pointer: '/sku', detail: 'is required' }]]);
  assert.equal(await errorsOf(post('{"sku":"a"}')), [400, [failing]]);
  assert.equal(await errorsOf(post('<a/>', 'Content-Type: text/xml\r\n')), [415, [failing]]);
  assert.equal(await errorsOf(post(`{"sku":"${'a'.repeat(200)}"}`)), [413, undefined]);
  assert.is(context.target.arrived.length, 0);
});

test('a body in chunks is checked, and an empty one is missing', async (context) => {
  await load(context, `body = "${file}"`);
  const chunked = (text: string): string =>
    `POST /a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${text}0\r\n\r\n`;
  assert.is((await ask(context, chunked('5\r\n{"sku\r\n6\r\n":"a"}\r\n'))).status, 200);
  assert.is((await ask(context, chunked('5\r\n{"sku\r\n5\r\n":1 }\r\n'))).status, 400);
  assert.match((await ask(context, chunked(''))).body.toString(), /is required/);
});

test('what would bypass the check is refused: codings, upgrades, larger bodies', async (context) => {
  await load(context, `body = "${file}"\nmax_body = "100B"`);
  const json = 'Content-Type: application/json\r\n';
  assert.is((await ask(context, post(gzipSync('{"n":1}'), `${json}Content-Encoding: gzip\r\n`))).status, 415);
  assert.is((await ask(context, post('{"sku":"a"}', 'Content-Type: text/plain\r\n'))).status, 415);
  assert.is((await ask(context, post(`{"sku":"${'a'.repeat(200)}"}`))).status, 413);
  assert.is((await ask(context, 'GET /a HTTP/1.1\r\nHost: h\r\n\r\n')).status, 400);
  const upgrade = 'GET /a HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n';
  assert.not.equal((await ask(context, upgrade)).status, 101);
  assert.is(context.target.arrived.length, 0);
});

test('10 MB of [ are refused, and the next request of another client is served', async (context) => {
  await load(context, `body = "${file}"\nmax_body = "16MiB"`);
  const attack = context.plane.client();
  attack.send(post(Buffer.alloc(10_000_000, '[')));
  const reply = await attack.reply();
  assert.is(reply.status, 400);
  assert.match(reply.body.toString(), /more than 64 levels/);
  attack.destroy();
  assert.is((await ask(context, post('{"sku":"a"}'))).status, 200);
});

test('a client that leaves in the middle of its body leaves nothing behind', async (context) => {
  await load(context, `body = "${file}"`);
  context.target.respond = never;
  const client = context.plane.client();
  client.send('POST /a HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"sku"');
  await until(() => context.plane.connections === 1, 'the connection');
  client.destroy();
  await until(() => context.plane.connections === 0, 'its end');
  assert.is(context.target.arrived.length, 0);
});

test('enforced replies that do not match become 502', async (context) => {
  await load(context, `reply = "${file}"\nreplies = "enforce"\nmax_reply = "1KiB"`);
  const get = 'GET /a HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n';
  const json = 'Content-Type: application/json\r\n';
  context.target.respond = ok('{"sku":"a"}', json);
  assert.is((await ask(context, get)).body.toString(), '{"sku":"a"}');
  assert.is(context.target.arrived[0]?.header('accept-encoding'), 'identity');
  for (const respond of [
    ok('{"sku":1}', json),
    ok('{"sku":', json),
    ok('<a>', 'Content-Type: text/html\r\n'),
    ok(`{"sku":"${'a'.repeat(2000)}"}`, json),
    ok('x', `${json}Content-Encoding: gzip\r\n`),
  ]) {
    context.target.respond = respond;
    const reply = await ask(context, get);
    assert.is(reply.status, 502);
    assert.not.match(reply.body.toString(), 'sku');
  }
  context.target.respond = say('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone');
  assert.is((await ask(context, get)).status, 404);
});

test('observed replies pass unchanged and at once, and are counted and logged', async (context) => {
  await load(context, `reply = "${file}"\nreplies = "observe"`);
  const fields =
    'Content-Type: application/json\r\nETag: "v1"\r\nAccept-Ranges: bytes\r\nContent-Digest: sha-256=:AA==:\r\n';
  const get = 'GET /a HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n';
  const logged = () => context.plane.logs.filter(({ message }) => message === 'reply does not match its schema');
  context.target.respond = ok('{"sku":1}', fields);
  const reply = await ask(context, get);
  assert.is(reply.status, 200);
  assert.is(reply.body.toString(), '{"sku":1}');
  assert.is(reply.header('content-length'), '9');
  assert.is(reply.header('etag'), '"v1"');
  assert.is(reply.header('accept-ranges'), 'bytes');
  assert.is(reply.header('content-digest'), 'sha-256=:AA==:');
  assert.is(context.target.arrived[0]?.header('accept-encoding'), 'gzip');
  await until(() => logged().length === 1, 'the log line');
  assert.match(String(logged()[0]?.fields?.['cause']), /\/sku must be string/);
});

test.run();
