import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as assert from 'uvu/assert';
import { type Arrived, ok, say, specOf, until } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const HOST = 'Host: a.example\r\n';

const test = engineSuite('bodies', { listener: 'max_body = "1MiB"' });

/** Replies with the request body once it is complete. */
const echo =
  (length: number) =>
  (request: Arrived, socket: Arrived['socket']): void => {
    const answer = (): void => {
      if (request.rest.length >= length) ok(request.rest.toString('latin1'))(request, socket);
      else socket.once('data', () => setImmediate(answer));
    };
    answer();
  };

test('a body with Content-Length is forwarded, complete or in pieces', async ({ target, plane }) => {
  target.respond = echo(10);
  const whole = await plane.ask(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n0123456789`);
  assert.is(whole.body.toString(), '0123456789');
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 10\r\n\r\n0123`);
  await until(() => target.arrived.length === 2 && target.arrived[1]!.rest.length === 4, 'the first half');
  client.send('456789');
  assert.is((await client.reply()).body.toString(), '0123456789');
  assert.is(target.arrived[1]!.header('content-length'), '10');
  client.destroy();
});

test('a chunked body is re-framed: the target gets trailers, and no extensions', async ({ target, plane }) => {
  target.respond = (request, socket) => {
    const answer = (): void => {
      if (request.rest.toString().endsWith('\r\n\r\n')) ok(request.rest.toString('latin1'))(request, socket);
      else socket.once('data', () => setImmediate(answer));
    };
    answer();
  };
  const reply = await plane.ask(
    `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n005;a=b\r\nhello\r\n3 ;x\r\nyou\r\n0\r\nX-Sum: 1\r\n\r\n`,
  );
  assert.match(reply.body.toString(), /^8\r\nhelloyou\r\n0\r\nx-sum: ?1\r\n\r\n$/i);
  assert.is(target.arrived[0]!.header('transfer-encoding'), 'chunked');
  assert.is(target.arrived[0]!.header('x-sum'), undefined);
});

test('a chunked reply is re-framed', async ({ target, plane }) => {
  target.respond = say(
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;z\r\nabc\r\n002\r\nde\r\n0\r\nT: 1\r\n\r\n',
  );
  const client = plane.client();
  for (let i = 0; i < 2; i++) {
    client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
    const reply = await client.reply();
    assert.is(reply.header('transfer-encoding'), 'chunked');
    assert.is(reply.header('content-length'), undefined);
    assert.is(reply.body.toString(), 'abcde');
  }
  assert.is(target.connections, 1);
  client.destroy();
});

test('a reply delimited by connection close becomes chunked', async ({ target, plane }) => {
  target.respond = (_request, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end');
  const client = plane.client();
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const reply = await client.reply();
  assert.is(reply.body.toString(), 'until the end');
  assert.is(reply.header('transfer-encoding'), 'chunked');
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.is((await client.reply()).body.toString(), 'until the end');
  client.destroy();
});

test('a reply of unknown length to an HTTP/1.0 client ends with the connection', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n');
  const client = plane.client();
  client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  const reply = await client.reply();
  assert.is(reply.header('transfer-encoding'), undefined);
  assert.is(reply.header('connection'), 'close');
  assert.is(reply.body.toString(), 'abc');
  await client.end();
});

test('an HTTP/1.0 client can keep its connection', async ({ plane }) => {
  const client = plane.client();
  client.send('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
  assert.is((await client.reply()).header('connection'), 'keep-alive');
  client.send('GET / HTTP/1.0\r\n\r\n');
  assert.is((await client.reply()).header('connection'), 'close');
  await client.end();
});

test('replies to HEAD, 204 and 304 have no body and keep the connection in sync', async ({ target, plane }) => {
  const client = plane.client();
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
  client.send(`HEAD / HTTP/1.1\r\n${HOST}\r\n`);
  const head = await client.reply({ head: true });
  assert.is(head.header('content-length'), '5');
  target.respond = say('HTTP/1.1 204 No Content\r\n\r\n');
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const none = await client.reply();
  assert.is(none.status, 204);
  assert.is(none.header('content-length'), undefined);
  target.respond = say('HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\nETag: "x"\r\n\r\n');
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.is((await client.reply()).header('etag'), '"x"');
  target.respond = ok('after');
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.is((await client.reply()).body.toString(), 'after');
  assert.is(target.connections, 1);
  client.destroy();
});

test('a body after a bodiless reply is not read as the next reply', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHELLO');
  const client = plane.client();
  client.send(`HEAD / HTTP/1.1\r\n${HOST}\r\n`);
  await client.reply({ head: true });
  target.respond = ok('clean');
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.is((await client.reply()).body.toString(), 'clean');
  assert.is(target.connections, 2);
  client.destroy();
});

test('Expect: 100-continue is forwarded to the target and its 100 to the client', async ({ target, plane }) => {
  target.respond = (request, socket) => {
    assert.is(request.header('expect'), '100-continue');
    socket.write('HTTP/1.1 100 Continue\r\n\r\n');
    socket.once('data', () => ok('got it')(request, socket));
  };
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
  assert.is((await client.reply()).status, 100);
  client.send('body');
  assert.is((await client.reply()).body.toString(), 'got it');
  client.destroy();
});

test('a final reply to 100-continue closes the connection: a body may or may not follow', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n`);
  const reply = await client.reply();
  assert.is(reply.status, 413);
  assert.is(reply.header('connection'), 'close');
  await client.end();
});

test('103 is forwarded to HTTP/1.1 clients only', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
  const client = plane.client();
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  const hints = await client.reply();
  assert.is(hints.status, 103);
  assert.is(hints.header('link'), '</a>');
  assert.is((await client.reply()).body.toString(), 'ok');
  client.destroy();
  assert.is((await plane.ask('GET / HTTP/1.0\r\n\r\n')).status, 200);
});

test('a reply before the end of the request body is forwarded', async ({ target, plane }) => {
  target.respond = say('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno');
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Content-Length: 20\r\n\r\n0123456789`);
  assert.is((await client.reply()).status, 401);
  client.send('0123456789');
  target.respond = ok('next');
  client.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  assert.is((await client.reply()).body.toString(), 'next');
  // The target connection still expected the rest of the body, so it cannot be reused.
  assert.is(target.connections, 2);
  client.destroy();
});

test('a body over the limit: refused at once by its length, or when a chunked body exceeds it', async ({
  target,
  plane,
}) => {
  const declared = await plane.ask(`POST / HTTP/1.1\r\n${HOST}Content-Length: 1048577\r\n\r\n`);
  assert.is(declared.status, 413);
  assert.is(declared.header('content-type'), 'application/problem+json');
  assert.is(target.arrived.length, 0);
  target.respond = () => {};
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`);
  const piece = `10000\r\n${'x'.repeat(65536)}\r\n`;
  for (let i = 0; i < 17; i++) client.send(piece);
  const reply = await client.reply();
  assert.is(reply.status, 413);
  await client.end();
  await until(() => target.open === 0, 'the target connection to be closed');
});

test('a chunked body with invalid framing is refused and stays incomplete at the target', async ({ target, plane }) => {
  target.respond = () => {};
  const client = plane.client();
  client.send(`POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
  await until(() => target.arrived[0]?.rest.length === 10, 'the first chunk');
  client.send('0x5\r\nhello\r\n0\r\n\r\n');
  assert.is((await client.reply()).status, 400);
  await client.end();
  await until(() => target.open === 0, 'the target connection to be closed');
  assert.not.ok(target.arrived[0]!.rest.toString().includes('0\r\n\r\n'));
});

/** Collects garbage, so that the memory in use shows what buffers hold. */
setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

test('64 MiB pass unchanged in both directions in bounded memory', async ({ plane }) => {
  const origin = createServer((request, response) => {
    response.writeHead(200, { 'content-length': request.headers['content-length'] ?? '0' });
    request.pipe(response);
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  const address = origin.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await plane.load(specOf(`http://127.0.0.1:${address.port}`, { listener: 'max_body = "100MiB"' }));
  const size = 64 * 1024 * 1024;
  const block = randomBytes(256 * 1024);
  const client = plane.client();
  const sent = createHash('sha256');
  const got = createHash('sha256');
  let received = -1;
  // Shared memory of the gateway counts too, also of those that are closed and not collected yet.
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  let nextLook = 0;
  client.socket.removeAllListeners('data');
  client.socket.on('data', (chunk: Buffer) => {
    let body = chunk;
    if (received < 0) {
      body = chunk.subarray(chunk.indexOf('\r\n\r\n') + 4);
      received = 0;
    }
    received += body.length;
    got.update(body);
    if (received < nextLook) return;
    nextLook += 4 * 1024 * 1024;
    collectGarbage();
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  });
  client.send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: ${size}\r\n\r\n`);
  for (let at = 0; at < size; at += block.length) {
    sent.update(block);
    if (!client.socket.write(block)) await new Promise((resolve) => client.socket.once('drain', resolve));
  }
  await until(() => received === size, 'all bytes', 30_000);
  client.destroy();
  origin.close();
  assert.is(got.digest('hex'), sent.digest('hex'));
  assert.ok(most < 48 * 1024 * 1024, `buffers held ${most} bytes`);
});

test('a client that does not read pauses the target through backpressure', async ({ target, plane }) => {
  const piece = Buffer.alloc(64 * 1024, 0x61);
  const total = 64 * 1024 * 1024;
  let written = 0;
  let blocked = false;
  target.respond = (_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
    const more = (): void => {
      blocked = false;
      while (written < total) {
        written += piece.length;
        if (!socket.write(piece)) {
          blocked = true;
          socket.once('drain', more);
          return;
        }
      }
    };
    more();
  };
  const slow = plane.client();
  slow.socket.removeAllListeners('data');
  slow.socket.pause();
  slow.send(`GET / HTTP/1.1\r\n${HOST}\r\n`);
  let last = -1;
  let still = 0;
  // A short pause must not count as the end.
  await until(() => {
    still = blocked && written === last ? still + 1 : 0;
    last = written;
    return written === total || still === 40;
  }, 'the target to be stopped');
  assert.ok(written < total / 2, `${written} bytes were taken from the target`);
  let count = 0;
  slow.socket.on('data', (chunk: Buffer) => {
    count += chunk.length;
  });
  slow.socket.resume();
  await until(() => count > total, 'the whole reply', 30_000);
  slow.destroy();
});

test.run();
