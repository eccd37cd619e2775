/** Limits on connections per listener and address, and on requests per connection. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConnectionTable } from '../../../src/state/connection-table.js';
import { FaultTarget, ok, Plane, RawClient, specOf, until } from '../engine-kit.js';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');
const TLS = `tls = { cert = "${CERT}", key = "${KEY}" }`;

interface Context {
  target: FaultTarget;
  planes: Plane[];
}

const test = suite<Context>('connection and request limits');

test.before.each(async (context) => {
  context.target = await FaultTarget.start(ok('hello'));
  context.planes = [];
});

test.after.each(async ({ target, planes }) => {
  for (const plane of planes) await plane.close();
  await target.close();
});

async function start(
  { target, planes }: Context,
  listener: string,
  options: Parameters<typeof Plane.start>[1] = {},
): Promise<Plane> {
  const plane = await Plane.start(specOf(target.url, { listener }), options);
  planes.push(plane);
  return plane;
}

/** A client with the given loopback address. */
const from = (plane: Plane, localAddress: string): RawClient =>
  new RawClient(connect({ port: plane.port, host: '127.0.0.1', localAddress, noDelay: true }));

const secure = (plane: Plane, localAddress: string): RawClient =>
  new RawClient(
    connectTls({
      socket: connect({ port: plane.port, host: '127.0.0.1', localAddress }),
      ca: readFileSync(CERT),
      servername: 'gateway.test',
    }),
  );

async function statusOf(client: RawClient): Promise<number> {
  client.send(GET);
  return (await client.reply()).status;
}

test('an address over its share gets a 429 problem, other addresses are served', async (context) => {
  const plane = await start(context, 'max_connections_per_address = 2');
  const clients = [from(plane, '127.0.0.2'), from(plane, '127.0.0.2')];
  for (const client of clients) assert.is(await statusOf(client), 200);
  const third = from(plane, '127.0.0.2');
  const refused = await third.reply();
  assert.is(refused.status, 429);
  assert.is(refused.header('content-type'), 'application/problem+json');
  assert.is(refused.header('retry-after'), '1');
  assert.is(refused.header('connection'), 'close');
  assert.is(JSON.parse(refused.body.toString()).type, 'urn:gw:problem:listener/address-full');
  await third.end();
  const record = await plane.record(({ error }) => error === 'listener/address-full');
  assert.equal([record.remote, record.status], ['127.0.0.2', 429]);
  assert.is(await statusOf(from(plane, '127.0.0.3')), 200);
  assert.is(await statusOf(clients[0]!), 200, 'open connections are still served');
  clients[0]!.destroy();
  await until(() => clients[0]!.closed, 'the first to be closed');
  const deadline = Date.now() + 3000;
  let status = 429;
  while (status !== 200 && Date.now() < deadline) status = await statusOf(from(plane, '127.0.0.2'));
  assert.is(status, 200);
});

test('a trusted proxy is limited only by the listener', async (context) => {
  const plane = await start(context, 'max_connections_per_address = 1\ntrusted_proxies = ["127.0.0.2"]');
  for (let at = 0; at < 4; at++) assert.is(await statusOf(from(plane, '127.0.0.2')), 200);
  assert.is(await statusOf(from(plane, '127.0.0.3')), 200);
  assert.is((await from(plane, '127.0.0.3').reply()).status, 429);
});

test('connections of all workers are counted; the count of a worker is reset when it is replaced', async (context) => {
  const connections = ConnectionTable.allocate({ workers: 2 });
  const listener = 'max_connections = 3\nmax_connections_per_address = 2';
  const one = await start(context, listener, { connections, worker: 0 });
  const table = new ConnectionTable(connections, 1);
  const door = `127.0.0.1:${one.port}`;
  // The second worker has accepted two connections on the shared port.
  assert.ok(table.enter(door, '127.0.0.2', 3, 2) > 0);
  assert.ok(table.enter(door, '127.0.0.9', 3, 2) > 0);
  assert.is(await statusOf(from(one, '127.0.0.2')), 200);
  const full = await from(one, '127.0.0.2').reply();
  assert.equal([full.status, full.header('retry-after')], [503, '1']);
  assert.is(JSON.parse(full.body.toString()).type, 'urn:gw:problem:listener/full');
  await start(context, listener, { connections, worker: 1 });
  assert.is(await statusOf(from(one, '127.0.0.2')), 200);
  assert.is((await from(one, '127.0.0.2').reply()).status, 429);
});

test('every closed connection is subtracted from the count, regardless of how it ended', async (context) => {
  const connections = ConnectionTable.allocate({ workers: 1 });
  const plane = await start(context, 'header_timeout = "200ms"', { connections });
  const table = new ConnectionTable(connections, 0);
  const open = (): number => table.total(`127.0.0.1:${plane.port}`);
  const clients = Array.from({ length: 6 }, (_, at) => from(plane, `127.0.1.${at}`));
  for (const client of clients) await statusOf(client);
  assert.is(open(), 6);
  clients[0]!.destroy();
  clients[1]!.socket.end();
  clients[2]!.socket.resetAndDestroy();
  clients[3]!.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  clients[4]!.send('nonsense\r\n\r\n');
  clients[5]!.send('GET / HT');
  await until(() => open() === 0, 'the count to be 0', 8000);
});

test('the reply to the last permitted request of a connection has Connection: close', async (context) => {
  const plane = await start(context, 'max_requests_per_connection = 3');
  const client = plane.client();
  // A pipelining client can tell which of its requests were not processed.
  client.send(GET.repeat(5));
  for (const connection of [undefined, undefined, 'close']) {
    const reply = await client.reply();
    assert.equal([reply.status, reply.header('connection')], [200, connection]);
  }
  await client.end();
  assert.is(context.target.arrived.length, 3);
});

test('a full TLS listener closes a connection before its handshake', async (context) => {
  const plane = await start(context, `${TLS}\nmax_connections_per_address = 1`);
  const first = secure(plane, '127.0.0.2');
  assert.is(await statusOf(first), 200);
  const second = secure(plane, '127.0.0.2');
  await until(() => second.closed, 'the second to be closed');
  await plane.record(({ error }) => error === 'listener/address-full');
  first.destroy();
  await until(() => first.closed, 'the first to be closed');
  const deadline = Date.now() + 3000;
  let status = 0;
  while (status !== 200 && Date.now() < deadline) status = await statusOf(secure(plane, '127.0.0.2')).catch(() => 0);
  assert.is(status, 200);
});

test('stalled handshakes count as connections and time out', async (context) => {
  const plane = await start(context, `${TLS}\nmax_connections = 3\nheader_timeout = "300ms"`);
  const silent = Array.from({ length: 3 }, () => plane.client());
  await until(() => silent.every(({ socket }) => !socket.connecting), 'the connections');
  await plane.client().end();
  await until(() => silent.every(({ closed }) => closed), 'the stalled handshakes to be closed');
  const client = secure(plane, '127.0.0.1');
  assert.is(await statusOf(client), 200);
});

test('a silent connection is closed, and one with half a head gets 408', async (context) => {
  const plane = await start(context, 'header_timeout = "200ms"');
  const silent = plane.client();
  await silent.end();
  assert.is(silent.pending, '');
  const slow = plane.client();
  slow.send('GET / HTTP/1.1\r\n');
  const drip = setInterval(() => slow.send('X: y\r\n'), 50);
  assert.is((await slow.reply()).status, 408);
  clearInterval(drip);
});

test('pipelined requests of one client are served in small batches, so that others are not delayed', async (context) => {
  const plane = await start(context, 'max_requests_per_connection = 100000');
  const client = plane.client();
  const count = 2000;
  let turns = 0;
  let ended = false;
  const tick = (): void => {
    turns++;
    if (!ended) setImmediate(tick);
  };
  setImmediate(tick);
  // Answered by gw without waiting. The client has half-closed by then.
  client.socket.end('GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count));
  for (let at = 0; at < count; at++) assert.is((await client.reply()).status, 400);
  ended = true;
  await client.end();
  assert.ok(turns > count / 20, `${turns} turns of the loop`);
});

test.run();
