/** Edge cases: connection ends, and behavior of targets and clients outside the specifications. */
import { mock } from 'node:test';
import * as assert from 'uvu/assert';
import { RequestHead } from '../../../src/proxy/http/request-head.js';
import { type FaultTarget, ok, type Plane, type RawClient, say, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const H = 'Host: a.example\r\n';
const GET = `GET / HTTP/1.1\r\n${H}\r\n`;

const test = engineSuite('edge cases');

/** Bytes of a reply that exceed the socket buffers of the kernel. */
const BIG = 12 * 1024 * 1024;

/** A client with a paused socket, and a plane whose route `/big` replies with `BIG` bytes. */
async function slowReader(target: FaultTarget, plane: Plane): Promise<RawClient> {
  const reply = `[[route]]\nmatch = "/big"\nreply = { status = 200, body = "${'x'.repeat(BIG)}" }`;
  await plane.load(specOf(target.url, { more: reply }));
  const client = plane.client();
  client.socket.pause();
  return client;
}

test('a reply is complete if its reader is slower than the lingering close', async ({ target, plane }) => {
  const client = await slowReader(target, plane);
  client.send(`GET /big HTTP/1.1\r\n${H}Connection: close\r\n\r\n`);
  await plane.record(({ url }) => url === '/big');
  await new Promise((resolve) => setTimeout(resolve, 2500));
  client.socket.resume();
  assert.is((await client.reply()).body.length, BIG);
  client.destroy();
});

test('a drain waits until slow readers have received their last reply', async ({ target, plane }) => {
  const client = await slowReader(target, plane);
  client.send(`GET /big HTTP/1.1\r\n${H}\r\n`);
  await plane.record(({ url }) => url === '/big');
  const drained = plane.plane.drain(8000);
  setTimeout(() => client.socket.resume(), 100);
  assert.is((await client.reply()).body.length, BIG);
  assert.is((await drained).cut, 0);
  client.destroy();
});

test('an aborted reply to an HTTP/1.0 client resets the connection', async ({ target, plane }) => {
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n', () => socket.destroy());
  };
  const client = plane.client();
  let reset = false;
  client.socket.on('error', (error) => {
    reset = 'code' in error && error.code === 'ECONNRESET';
  });
  client.send(`GET / HTTP/1.0\r\n${H}\r\n`);
  await until(() => client.closed, 'the end');
  assert.ok(reset);
});

test('103 before the final reply to 100-continue: the next request is not read as a body', async ({
  target,
  plane,
}) => {
  target.respond = (request, socket) =>
    request.method === 'POST'
      ? socket.write(
          'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n',
        )
      : ok('second')(request, socket);
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${H}Expect: 100-continue\r\nContent-Length: 52\r\n\r\n`);
  assert.is((await client.reply()).status, 103);
  const reply = await client.reply();
  assert.is(reply.status, 403);
  assert.is(reply.header('connection'), 'close');
  await client.end();
  client.destroy();
});

test('a status line without a reason gets the space; an informational one gets the standard reason', async ({
  target,
  plane,
}) => {
  target.respond = say('HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n');
  assert.is((await plane.ask(GET)).statusLine, 'HTTP/1.1 200 ');
  target.respond = say('HTTP/1.1 103\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n');
  assert.is((await plane.ask(GET)).statusLine, 'HTTP/1.1 103 Early Hints');
});

test('endless informational replies from a target: 502', async ({ target, plane }) => {
  target.respond = (_request, socket) => {
    const flood = (): void => {
      if (!socket.destroyed) socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(100), flood);
    };
    flood();
  };
  const client = plane.client();
  client.send(GET);
  let reply = await client.reply();
  for (let i = 0; reply.status < 200 && i < 1000; i++) reply = await client.reply();
  assert.is(reply.status, 502);
  await until(() => target.open === 0, 'the target connection to be closed');
  client.destroy();
});

test('a client that sends requests and reads no replies is paused', async ({ target, plane }) => {
  const count = 400;
  const text = 'x'.repeat(100_000);
  await plane.load(
    specOf(target.url, { more: `[[route]]\nmatch = "/big"\nreply = { status = 200, body = "${text}" }` }),
  );
  const client = plane.client();
  client.socket.pause();
  client.send(`GET /big HTTP/1.1\r\n${H}\r\n`.repeat(count));
  let last = -1;
  let still = 0;
  await until(() => {
    still = plane.records.length > 0 && plane.records.length === last ? still + 1 : 0;
    last = plane.records.length;
    return last === count || still === 60;
  }, 'the replies to stop');
  assert.ok(last < count, `${last} replies wait in memory`);
  client.socket.resume();
  for (let i = 0; i < count; i++) assert.is((await client.reply()).body.length, text.length);
  client.destroy();
});

test('a client that stops reading its reply is disconnected after body_timeout', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'body_timeout = "200ms"' }));
  target.respond = (_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
    socket.write(Buffer.alloc(64 * 1024 * 1024));
  };
  const client = plane.client();
  client.socket.pause();
  client.send(GET);
  assert.is((await plane.record(() => true)).error, 'downstream/slow');
  await until(() => target.open === 0, 'the target connection to be closed');
  client.destroy();
});

test('a long head that arrives byte by byte is parsed in linear time', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { listener: 'max_header = "64KiB"' }));
  const client = plane.client();
  client.send(`GET / HTTP/1.1\r\n${H}X-Long: ${'a'.repeat(60_000)}`);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const parse = mock.method(RequestHead.prototype, 'parse');
  for (let i = 0; i < 200; i++) {
    client.send('a');
    await new Promise(setImmediate);
  }
  client.send('\r\n\r\n');
  assert.is((await client.reply()).status, 200);
  assert.ok(parse.mock.callCount() < 5, String(parse.mock.callCount()));
  parse.mock.restore();
  assert.is(target.arrived[0]!.header('x-long')?.length, 60_200);
  const endless = plane.client();
  endless.send('GET / HTTP/1.1\r\nX: ');
  for (let i = 0; i < 70 && !endless.ended; i++) {
    endless.send('a'.repeat(1024));
    await new Promise(setImmediate);
  }
  assert.is((await endless.reply()).status, 431);
  client.destroy();
  endless.destroy();
});

test('clients that disconnect free their places in the queue', async ({ target, plane }) => {
  await plane.load(specOf(target.url, { service: 'max_connections = 1\nmax_queue = 2\nconnect_timeout = "30s"' }));
  target.respond = () => {};
  const first = plane.client();
  first.send(GET);
  await until(() => target.arrived.length === 1, 'the first');
  const stays = plane.client();
  stays.send('GET /stays HTTP/1.1\r\nHost: a\r\n\r\n');
  const leaves = plane.client();
  leaves.send('GET /leaves HTTP/1.1\r\nHost: a\r\n\r\n');
  const full = await plane.ask('GET /full HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.is(full.status, 503);
  leaves.socket.resetAndDestroy();
  await plane.record(({ url }) => url === '/leaves');
  const late = plane.client();
  late.send('GET /late HTTP/1.1\r\nHost: a\r\n\r\n');
  // Answered by gw, after it has read the previous request.
  assert.is((await plane.ask('GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n')).status, 400);
  target.respond = ok('hello');
  target.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  assert.is((await first.reply()).status, 200);
  assert.is((await stays.reply()).status, 200);
  assert.is((await late.reply()).status, 200);
  for (const client of [first, stays, late]) client.destroy();
});

test.run();
