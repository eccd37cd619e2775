/** Time limits on sending and receiving by clients: idle time and minimum rate, with 200 ms instead of 5 s of grace. */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ConnectionTable } from '../../../src/state/connection-table.js';
import { type Arrived, FaultTarget, ok, Plane, type RawClient, specOf, until } from '../engine-kit.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');
const TLS = `tls = { cert = "${CERT}", key = "${KEY}" }\n`;
const SLOW = 'min_body_rate = "2KiB"\nbody_timeout = "5s"';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n';
const PIECE = 'x'.repeat(1000);
/** More bytes than the kernel buffers of both sides hold. */
const BIG = 24 * 2 ** 20;

interface Context {
  target: FaultTarget;
  plane: Plane;
  table: ConnectionTable;
}

const test = suite<Context>('time limits');

test.before.each(async (context) => {
  context.target = await FaultTarget.start(whenComplete);
  const connections = ConnectionTable.allocate({ workers: 1 });
  context.table = new ConnectionTable(connections, 0);
  context.plane = await Plane.start(specOf(context.target.url, { listener: SLOW }), { bodyGrace: 200, connections });
});

test.after.each(async ({ plane, target }) => {
  await plane.close();
  await target.close();
});

/** Replies once all 20,000 bytes of the body have arrived. */
function whenComplete(request: Arrived, socket: Socket): void {
  const look = setInterval(() => {
    if (request.rest.length === 20_000) ok('hello')(request, socket);
    if (request.rest.length === 20_000 || socket.destroyed) clearInterval(look);
  }, 10);
  look.unref();
}

/** Sends `piece` every `ms` milliseconds; returns a function that stops it. */
function drip(client: RawClient, piece: string, ms: number): () => void {
  const timer = setInterval(() => client.send(piece), ms);
  timer.unref();
  return () => clearInterval(timer);
}

test('a body below min_body_rate: 408 request/too-slow', async ({ plane }) => {
  const client = plane.client();
  client.send(POST);
  const stop = drip(client, 'x', 30);
  const reply = await client.reply();
  stop();
  assert.is(reply.status, 408);
  assert.is(reply.header('connection'), 'close');
  assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:request/too-slow');
  const record = await plane.record(({ error }) => error === 'request/too-slow');
  assert.is(record.status, 408);
});

test('the rate of a body in tiny chunks counts payload only', async ({ plane }) => {
  const client = plane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  // 3.4 KB/s on the wire, 100 bytes/s of payload.
  const stop = drip(client, `1;x=${'y'.repeat(24)}\r\nz\r\n`, 10);
  assert.is((await client.reply()).status, 408);
  stop();
});

test('a body at min_body_rate arrives, regardless of its duration', async ({ plane, target }) => {
  const client = plane.client();
  client.send(POST);
  let sent = 0;
  const timer = setInterval(() => {
    client.send(PIECE);
    sent += PIECE.length;
    if (sent === 20_000) clearInterval(timer);
  }, 100);
  const reply = await client.reply();
  clearInterval(timer);
  assert.is(reply.status, 200);
  assert.is(target.arrived[0]?.rest.length, 20_000);
});

test('a silent client: 408 request/timeout, also without min_body_rate', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: 'min_body_rate = "0B"\nbody_timeout = "300ms"' }));
  const client = plane.client();
  client.send(POST + PIECE);
  assert.is(JSON.parse((await client.reply()).body.toString()).type, 'urn:gw:problem:request/timeout');
  const dripping = plane.client();
  dripping.send(POST);
  const stop = drip(dripping, 'x', 50);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.is(dripping.pending, '');
  stop();
});

test('a client that falls silent after fast data is limited by body_timeout, not by the rate', async ({ plane }) => {
  const client = plane.client();
  client.send(POST + PIECE.repeat(19));
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.is(client.pending, '');
  client.send(PIECE);
  assert.is((await client.reply()).status, 200);
});

test('time in which the target does not read the body does not count for the client', async ({ plane, target }) => {
  let taking: Socket | undefined;
  target.respond = (_request, socket) => {
    taking = socket;
    socket.pause();
  };
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${BIG}\r\n\r\n`);
  const bytes = Buffer.alloc(BIG, 'x');
  client.socket.write(bytes);
  await until(() => taking !== undefined, 'the request');
  // Much longer than grace and rate allow for the bytes sent so far.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  assert.is(client.pending, '');
  assert.is(plane.records.length, 0);
  client.destroy();
});

test('time in which the client waits for 100 Continue does not count', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: 'min_body_rate = "2KiB"\nbody_timeout = "300ms"' }));
  let answer: Socket | undefined;
  target.respond = (_request, socket) => {
    answer = socket;
  };
  const client = plane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  await until(() => answer !== undefined, 'the request');
  await new Promise((resolve) => setTimeout(resolve, 900));
  assert.is(client.pending, '');
  answer?.write('HTTP/1.1 100 Continue\r\n\r\n');
  assert.is((await client.reply()).status, 100);
  client.send('hello');
  answer?.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  assert.is((await client.reply()).status, 200);
});

test('after 100 Continue the time limits apply', async ({ plane, target }) => {
  target.respond = (_request, socket) => socket.write('HTTP/1.1 100 Continue\r\n\r\n');
  const client = plane.client();
  client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n');
  assert.is((await client.reply()).status, 100);
  assert.is((await client.reply()).status, 408);
});

test('min_body_rate also applies to the rest of a body after its reply', async ({ plane, target }) => {
  target.respond = (_request, socket) => socket.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n');
  const client = plane.client();
  client.send(POST + PIECE);
  assert.is((await client.reply()).status, 403);
  const stop = drip(client, 'x', 30);
  await client.end();
  stop();
});

/** Sends a large reply as fast as gw reads it. */
const flood = (_request: Arrived, socket: Socket): void => {
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${BIG}\r\n\r\n`);
  socket.write(Buffer.alloc(BIG, 'y'));
};

/** Reads `bytes` bytes every `ms` milliseconds. */
function sip(socket: Socket, bytes: number, ms: number): () => void {
  socket.pause();
  const timer = setInterval(() => socket.read(bytes), ms);
  timer.unref();
  return () => clearInterval(timer);
}

for (const tls of [false, true]) {
  const over = tls ? ' over TLS' : '';
  const open = (plane: Plane): Socket =>
    tls
      ? connectTls({ port: plane.port, host: '127.0.0.1', ca: readFileSync(CERT), servername: 'gateway.test' })
      : connect({ port: plane.port, host: '127.0.0.1' });

  test(`a client that reads its reply too slowly is disconnected: downstream/slow${over}`, async ({
    plane,
    target,
  }) => {
    await plane.load(specOf(target.url, { listener: `${tls ? TLS : ''}min_body_rate = "1GiB"\nbody_timeout = "60s"` }));
    target.respond = flood;
    const socket = open(plane);
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const stop = sip(socket, 20_000, 20);
    const record = await plane.record(({ error }) => error === 'downstream/slow');
    stop();
    assert.is(record.status, 200);
    assert.ok(record.bytesOut < BIG);
    socket.destroy();
  });

  test(`a client that reads nothing of its reply is disconnected after body_timeout${over}`, async ({
    plane,
    target,
  }) => {
    await plane.load(specOf(target.url, { listener: `${tls ? TLS : ''}min_body_rate = "0B"\nbody_timeout = "400ms"` }));
    target.respond = flood;
    const socket = open(plane);
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await plane.record(({ error }) => error === 'downstream/slow');
    socket.destroy();
  });

  test(`a client that reads its reply in large portions with pauses gets all of it${over}`, async ({
    plane,
    target,
  }) => {
    await plane.load(
      specOf(target.url, { listener: `${tls ? TLS : ''}min_body_rate = "256KiB"\nbody_timeout = "1s"` }),
    );
    target.respond = flood;
    const socket = open(plane);
    let got = 0;
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    // A third of the reply, then a pause, and so on; each pause is shorter than body_timeout.
    socket.on('data', (chunk: Buffer) => {
      const before = Math.floor((got * 3) / BIG);
      got += chunk.length;
      if (Math.floor((got * 3) / BIG) === before) return;
      socket.pause();
      setTimeout(() => socket.resume(), 600);
    });
    await until(() => got > BIG, 'the whole reply', 8000);
    const record = await plane.record(({ status }) => status === 200);
    assert.is(record.error, null);
    socket.destroy();
  });
}

test('the unread end of a reply is dropped after a timeout', async ({ plane, target, table }) => {
  await plane.load(
    specOf(target.url, { listener: 'min_body_rate = "0B"\nbody_timeout = "300ms"\nidle_timeout = "60s"' }),
  );
  target.respond = flood;
  const socket = connect({ port: plane.port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  let got = 0;
  socket.on('data', (chunk: Buffer) => {
    got += chunk.length;
    // By then gw has received the whole reply, in its own buffer and the kernel's.
    if (got > BIG - 200_000) socket.pause();
  });
  await plane.record(({ status }) => status === 200);
  await until(() => table.total(`127.0.0.1:${plane.port}`) === 0, 'the connection to be closed');
  socket.destroy();
});

test.run();
