import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import * as assert from 'uvu/assert';
import type { Exchange } from '../../../src/policies/contract.js';
import { withPolicies } from '../../support/test-policies.js';
import { turn } from '../../support/until.js';
import { type Plane, RawClient, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');
const TLS = `tls = { cert = "${CERT}", key = "${KEY}" }`;
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

const test = engineSuite('TLS', { listener: TLS });

const secure = (plane: Plane): RawClient =>
  new RawClient(connect({ port: plane.port, host: '127.0.0.1', ca: readFileSync(CERT), servername: 'gateway.test' }));

test('a listener with a certificate serves HTTPS', async ({ target, plane }) => {
  const client = secure(plane);
  for (let i = 0; i < 2; i++) {
    client.send(GET);
    assert.is((await client.reply()).body.toString(), 'hello');
  }
  assert.is(target.arrived[0]!.header('x-forwarded-proto'), 'https');
  client.destroy();
});

test('plain HTTP on a TLS port is answered with an error and affects no other client', async ({ target, plane }) => {
  const body = 'x'.repeat(300_000);
  for (const text of [GET, 'DELETE / HTTP/1.1\r\n\r\n', `POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n${body}`]) {
    const plain = plane.client();
    plain.send(text);
    const reply = await plain.reply();
    assert.is(reply.status, 426);
    assert.is(reply.header('upgrade'), 'TLS/1.2, HTTP/1.1');
    assert.is(reply.header('connection'), 'upgrade, close');
    assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:request/cleartext');
    await until(() => plain.closed, 'the connection to be closed');
  }
  assert.is((await plane.record(({ error }) => error === 'request/cleartext')).status, 426);
  assert.is(target.arrived.length, 0);
  const client = secure(plane);
  client.send(GET);
  assert.is((await client.reply()).status, 200);
  client.destroy();
});

test('a connection without a handshake is closed after its timeout', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: `${TLS}\nheader_timeout = "100ms"` }));
  const silent = plane.client();
  await until(() => silent.closed, 'the connection to be closed');
});

/** Clients that disconnect before and in the middle of their handshake, with FIN and with a reset. */
async function leave(plane: Plane): Promise<void> {
  const silent = plane.client();
  const hello = secure(plane);
  const begun = plane.client();
  await Promise.all([silent, hello, begun].map(({ socket }) => once(socket, 'connect')));
  silent.socket.end();
  hello.destroy();
  begun.send('\x16\x03\x01');
  begun.socket.resetAndDestroy();
}

test('a drain does not wait for clients that left in the middle of a handshake', async ({ plane }) => {
  for (let i = 0; i < 10; i++) await leave(plane);
  const { tookMs, cut } = await plane.plane.drain(20_000);
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
  assert.is(cut, 0);
});

test('a drain does not wait for clients that left a handshake at its last accept', async ({ plane }) => {
  const drained = plane.plane.drain(20_000);
  await turn();
  await Promise.all(Array.from({ length: 10 }, () => leave(plane)));
  const { tookMs } = await drained;
  assert.ok(tookMs < 10_000, `${tookMs} ms`);
});

test('a drain does not wait for silent connections, which are idle', async ({ plane }) => {
  const silent = plane.client();
  await once(silent.socket, 'connect');
  const client = secure(plane);
  client.send(GET);
  assert.is((await client.reply()).status, 200);
  const drained = plane.plane.drain(20_000);
  client.destroy();
  await until(() => silent.closed, 'the connection to be closed');
  const { tookMs } = await drained;
  assert.ok(tookMs < 5000, `${tookMs} ms`);
});

test('clients that disconnect before they are accepted do not count as connections', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: `${TLS}\nmax_connections = 10` }));
  const gone = Array.from({ length: 60 }, () => plane.client());
  for (const { socket } of gone) socket.on('connect', () => socket.resetAndDestroy());
  await until(() => gone.every(({ closed }) => closed), 'all clients to be closed');
  for (let i = 0; i < 100; i++) await turn();
  const clients = Array.from({ length: 10 }, () => secure(plane));
  for (const client of clients) {
    client.send(GET);
    assert.is((await client.reply()).status, 200);
  }
  for (const client of clients) client.destroy();
});

test('a client that half-closes after its request gets its reply over TLS', async ({ plane }) => {
  const client = secure(plane);
  client.send(GET);
  client.socket.end();
  assert.is((await client.reply()).body.toString(), 'hello');
  await client.end();
});

test('TLS with a PEM text can be added to and removed from a bound address', async ({ target, plane }) => {
  const { port } = plane;
  await plane.load(specOf(target.url));
  assert.is(plane.port, port);
  assert.is((await plane.ask(GET)).status, 200);
  const pem = (path: string): string => JSON.stringify(readFileSync(path, 'utf8'));
  await plane.load(specOf(target.url, { listener: `tls = { cert = ${pem(CERT)}, key = ${pem(KEY)} }` }));
  const client = secure(plane);
  client.send(GET);
  assert.is((await client.reply()).status, 200);
  client.destroy();
});

test('a target with an untrusted certificate: 502, nothing is sent', async ({ plane }) => {
  const origin = createServer({ cert: readFileSync(CERT), key: readFileSync(KEY) }, (_request, response) => {
    response.end('secret');
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const address = origin.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await plane.load(specOf(`https://localhost:${address.port}`, { service: 'retries = 0' }));
  assert.is((await plane.ask(GET)).status, 502);
  origin.closeAllConnections();
  await new Promise((resolve) => origin.close(resolve));
});

test('a connection after its handshake is counted once and can finish in a drain', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: `${TLS}\nmax_connections = 2` }));
  const first = secure(plane);
  first.send(GET);
  assert.is((await first.reply()).status, 200);
  const second = secure(plane);
  second.send(GET);
  assert.is((await second.reply()).status, 200);
  second.destroy();
  let answer = (): void => {};
  target.respond = (_request, socket) => {
    answer = () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast');
  };
  first.send(GET);
  await until(() => target.arrived.length === 3, 'the request');
  const drained = plane.plane.drain(5000);
  setImmediate(() => answer());
  assert.is((await first.reply()).body.toString(), 'last');
  assert.is((await drained).cut, 0);
  first.destroy();
});

test('policies know the TLS of a connection', async ({ plane, target }) => {
  const seen: (string | undefined)[] = [];
  const note = ({ connection: { tls } }: Exchange): undefined =>
    void seen.push(tls?.version, tls?.serverName, tls?.clientCertificate?.subject);
  await plane.load(specOf(target.url, { listener: TLS }), withPolicies([{ run: { before: note } }]));
  const options = { port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' } as const;
  const client = new RawClient(connect({ ...options, servername: 'a.example' }));
  client.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
  assert.is((await client.reply()).status, 200);
  assert.equal(seen, ['TLSv1.2', 'a.example', undefined]);
  client.destroy();
});

test.run();
