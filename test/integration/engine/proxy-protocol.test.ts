/** The PROXY protocol from load balancers in front: with and without TLS, and everything that depends on the client's address. */
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import * as assert from 'uvu/assert';
import { proxyHeader } from '../../../src/proxy/proxy-protocol/write.js';
import { ok, RawClient, specOf, until } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const PROXIED = 'proxy_protocol = true\ntrusted_proxies = ["127.0.0.1", "203.0.113.0/24"]\nheader_timeout = "1s"';
const test = sharedEngineSuite('the PROXY protocol', { listener: PROXIED });
test.before.each(({ time, target }) => {
  time.go();
  target.respond = ok('fine');
});

const headerOf = (source: string, version: 'v1' | 'v2' = 'v2'): Buffer =>
  proxyHeader(version, {
    source,
    sourcePort: 1,
    destination: source.includes(':') ? '::1' : '127.0.0.1',
    destinationPort: 2,
  });
const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

for (const version of ['v1', 'v2'] as const)
  test(`the client's address is that of the header, ${version}, in one piece or byte by byte`, async ({
    plane,
    target,
  }) => {
    for (const step of [1000, 1]) {
      const client = plane.client();
      const bytes = Buffer.concat([headerOf('2001:db8::7', version), Buffer.from(get(`/${version}`))]);
      for (let at = 0; at < bytes.length; at += step) client.send(bytes.subarray(at, at + step));
      assert.is((await client.reply()).status, 200);
      client.send(get('/again', 'X-Forwarded-For: 6.6.6.6\r\n'));
      assert.is((await client.reply()).status, 200);
      client.destroy();
    }
    assert.is(target.arrived.at(-1)!.header('x-forwarded-for'), '2001:db8::7');
    const record = await plane.record(({ url }) => url === `/${version}`);
    assert.is(record.remote, '2001:db8::7');
  });

test('X-Forwarded-For of a trusted client address is extended', async ({ plane, target }) => {
  const client = plane.client();
  client.send(Buffer.concat([headerOf('203.0.113.9'), Buffer.from(get('/cdn', 'X-Forwarded-For: 192.0.2.1\r\n'))]));
  assert.is((await client.reply()).status, 200);
  assert.is(target.arrived.at(-1)!.header('x-forwarded-for'), '192.0.2.1, 203.0.113.9');
  assert.is((await plane.record(({ url }) => url === '/cdn')).remote, '192.0.2.1');
  client.destroy();
});

test('LOCAL: the address is that of the connection', async ({ plane }) => {
  const client = plane.client();
  client.send(Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'), Buffer.from(get('/local'))]));
  assert.is((await client.reply()).status, 200);
  assert.is((await plane.record(({ url }) => url === '/local')).remote, '127.0.0.1');
  client.destroy();
});

test('a connection without a header is closed without a reply', async ({ plane }) => {
  const client = plane.client();
  client.send(get('/bare'));
  await until(() => client.closed, 'the end');
  assert.is(client.pending, '');
  const record = await plane.record(({ error }) => error === 'listener/proxy-protocol');
  assert.is(record.cause, 'no PROXY header');
});

test('a header that does not come in time ends the connection, and its place is free', async ({ plane, time }) => {
  const client = plane.client();
  client.send('PROXY TCP4 ');
  const silent = plane.client();
  await until(() => plane.plane !== undefined && client.socket.bytesWritten > 0, 'the bytes');
  await new Promise((resolve) => setTimeout(resolve, 50));
  time.pass(1500);
  await until(() => client.closed && silent.closed, 'the ends');
  await plane.record(({ cause }) => cause === 'PROXY header timeout');
});

test('connections count under the address of the client', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: `${PROXIED}\nmax_connections_per_address = 1` }));
  const one = plane.client();
  one.send(Buffer.concat([headerOf('192.0.2.50'), Buffer.from(get('/one'))]));
  assert.is((await one.reply()).status, 200);
  const same = plane.client();
  same.send(Buffer.concat([headerOf('192.0.2.50'), Buffer.from(get('/two'))]));
  assert.is((await same.reply()).status, 429);
  const other = plane.client();
  other.send(Buffer.concat([headerOf('192.0.2.51'), Buffer.from(get('/three'))]));
  assert.is((await other.reply()).status, 200);
  one.destroy();
  await until(async () => {
    const again = plane.client();
    again.send(Buffer.concat([headerOf('192.0.2.50'), Buffer.from(get('/four'))]));
    const { status } = await again.reply();
    again.destroy();
    return status === 200;
  }, 'the place of the first one');
  for (const client of [same, other]) client.destroy();
});

test('other addresses than trusted proxies are refused', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: 'proxy_protocol = true\ntrusted_proxies = ["203.0.113.0/24"]' }));
  const client = plane.client();
  client.send(Buffer.concat([headerOf('192.0.2.7'), Buffer.from(get('/forged'))]));
  await until(() => client.closed, 'the end');
  assert.is(client.pending, '');
  await plane.record(({ cause }) => cause === 'the address is none of trusted_proxies');
});

test('the header comes before TLS', async ({ plane, target }) => {
  const [cert, key] = ['cert', 'key'].map((name) => `test/integration/fixtures/tls-${name}.pem`);
  await plane.load(specOf(target.url, { listener: `${PROXIED}\ntls = { cert = "${cert}", key = "${key}" }` }));
  const raw = plane.client();
  raw.socket.removeAllListeners('data');
  raw.send(headerOf('192.0.2.7'));
  const client = new RawClient(connectTls({ socket: raw.socket, ca: readFileSync(cert!), rejectUnauthorized: false }));
  client.send(get('/secure'));
  assert.is((await client.reply()).status, 200);
  assert.is(target.arrived.at(-1)!.header('x-forwarded-for'), '192.0.2.7');
  assert.is((await plane.record(({ url }) => url === '/secure')).remote, '192.0.2.7');
  client.destroy();
});

test.run();
