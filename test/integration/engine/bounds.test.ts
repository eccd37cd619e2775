/** Bounds of number: connections of a listener and of an address, requests of a connection. */
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

const test = suite<Context>('bounds of number');

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

/** A client that comes from one of the loopback addresses. */
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

async function asked(client: RawClient): Promise<number> {
  client.send(GET);
  return (await client.reply()).status;
}

test('an address that has its share gets 429 as a problem, and others are served', async (context) => {
  const plane = await start(context, 'max_connections_per_address = 2');
  const clients = [from(plane, '127.0.0.2'), from(plane, '127.0.0.2')];
  for (const client of clients) assert.is(await asked(client), 200);
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
  assert.is(await asked(from(plane, '127.0.0.3')), 200);
  assert.is(await asked(clients[0]!), 200, 'those that were there are served on');
  clients[0]!.destroy();
  await until(() => clients[0]!.closed, 'the first to be gone');
  const deadline = Date.now() + 3000;
  let status = 429;
  while (status !== 200 && Date.now() < deadline) status = await asked(from(plane, '127.0.0.2'));
  assert.is(status, 200);
});

test('a trusted proxy brings as many as the listener takes', async (context) => {
  const plane = await start(context, 'max_connections_per_address = 1\ntrusted_proxies = ["127.0.0.2"]');
  for (let at = 0; at < 4; at++) assert.is(await asked(from(plane, '127.0.0.2')), 200);
  assert.is(await asked(from(plane, '127.0.0.3')), 200);
  assert.is((await from(plane, '127.0.0.3').reply()).status, 429);
});

test('two workers count together; what one of them held is forgotten when another takes its place', async (context) => {
  const connections = ConnectionTable.allocate({ workers: 2 });
  const listener = 'max_connections = 3\nmax_connections_per_address = 2';
  const one = await start(context, listener, { connections, worker: 0 });
  const table = new ConnectionTable(connections, 1);
  const door = `127.0.0.1:${one.port}`;
  // The second worker has accepted two connections on the port that both share.
  assert.ok(table.enter(door, '127.0.0.2', 3, 2) > 0);
  assert.ok(table.enter(door, '127.0.0.9', 3, 2) > 0);
  assert.is(await asked(from(one, '127.0.0.2')), 200);
  const full = await from(one, '127.0.0.2').reply();
  assert.equal([full.status, full.header('retry-after')], [503, '1']);
  assert.is(JSON.parse(full.body.toString()).type, 'urn:gw:problem:listener/full');
  await start(context, listener, { connections, worker: 1 });
  assert.is(await asked(from(one, '127.0.0.2')), 200);
  assert.is((await from(one, '127.0.0.2').reply()).status, 429);
});

test('every connection that ends is given back, however it ends', async (context) => {
  const connections = ConnectionTable.allocate({ workers: 1 });
  const plane = await start(context, 'header_timeout = "200ms"', { connections });
  const table = new ConnectionTable(connections, 0);
  const open = (): number => table.total(`127.0.0.1:${plane.port}`);
  const clients = Array.from({ length: 6 }, (_, at) => from(plane, `127.0.1.${at}`));
  for (const client of clients) await asked(client);
  assert.is(open(), 6);
  clients[0]!.destroy();
  clients[1]!.socket.end();
  clients[2]!.socket.resetAndDestroy();
  clients[3]!.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  clients[4]!.send('nonsense\r\n\r\n');
  clients[5]!.send('GET / HT');
  await until(() => open() === 0, 'all to be given back', 8000);
});

test('the last request that a connection may have is told that it closes', async (context) => {
  const plane = await start(context, 'max_requests_per_connection = 3');
  const client = plane.client();
  // A pipelining client learns which of its requests were not read.
  client.send(GET.repeat(5));
  for (const connection of [undefined, undefined, 'close']) {
    const reply = await client.reply();
    assert.equal([reply.status, reply.header('connection')], [200, connection]);
  }
  await client.end();
  assert.is(context.target.arrived.length, 3);
});

test('a full TLS listener ends a connection before its handshake', async (context) => {
  const plane = await start(context, `${TLS}\nmax_connections_per_address = 1`);
  const first = secure(plane, '127.0.0.2');
  assert.is(await asked(first), 200);
  const second = secure(plane, '127.0.0.2');
  await until(() => second.closed, 'the second to be closed');
  await plane.record(({ error }) => error === 'listener/address-full');
  first.destroy();
  await until(() => first.closed, 'the first to be gone');
  const deadline = Date.now() + 3000;
  let status = 0;
  while (status !== 200 && Date.now() < deadline) status = await asked(secure(plane, '127.0.0.2')).catch(() => 0);
  assert.is(status, 200);
});

test('handshakes that do not come on are counted, and end in time', async (context) => {
  const plane = await start(context, `${TLS}\nmax_connections = 3\nheader_timeout = "300ms"`);
  const silent = Array.from({ length: 3 }, () => plane.client());
  await until(() => silent.every(({ socket }) => !socket.connecting), 'the connections');
  await plane.client().end();
  await until(() => silent.every(({ closed }) => closed), 'the handshakes to be given up');
  const client = secure(plane, '127.0.0.1');
  assert.is(await asked(client), 200);
});

test('a connection that says nothing is closed, and one that says half a head is told so', async (context) => {
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

test('what one client pipelines is served a little at a time, so that the loop looks after the others', async (context) => {
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
  // Answered by gw itself, without waiting for anything. The client has closed its half by then.
  client.socket.end('GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count));
  for (let at = 0; at < count; at++) assert.is((await client.reply()).status, 400);
  ended = true;
  await client.end();
  assert.ok(turns > count / 20, `${turns} turns of the loop`);
});

test.run();
