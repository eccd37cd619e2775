import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocket, WebSocketServer } from 'ws';
import { FaultTarget, Plane, type RawClient, type RawReply, say, specOf, until } from '../engine-kit.js';

interface Context {
  origin: Server;
  sockets: WebSocketServer;
  plane: Plane;
  url: string;
}
const test = suite<Context>('upgrades');

test.before.each(async (context) => {
  context.origin = createServer((request, response) => response.end(`plain ${request.url}`));
  context.sockets = new WebSocketServer({ noServer: true });
  context.origin.on('upgrade', (request, socket, head) => {
    if (request.headers.upgrade !== 'websocket') {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: ${request.headers.upgrade}\r\n\r\n`,
      );
      socket.pipe(socket);
    } else if (request.url === '/refuse') {
      socket.end('HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!');
    } else {
      context.sockets.handleUpgrade(request, socket as Socket, head, (connection) => {
        connection.send(JSON.stringify({ url: request.url, headers: request.headers }));
        connection.on('message', (data, binary) => connection.send(data, { binary }));
      });
    }
  });
  await new Promise<void>((resolve) => context.origin.listen(0, '127.0.0.1', resolve));
  const address = context.origin.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  context.url = `http://127.0.0.1:${address.port}`;
  context.plane = await Plane.start(specOf(`${context.url}/base`));
});
test.after.each(async ({ origin, sockets, plane }) => {
  await plane.close();
  for (const client of sockets.clients) client.terminate();
  origin.closeAllConnections();
  await new Promise((resolve) => origin.close(resolve));
});

/** Opens a WebSocket through gw; resolves with it and its first message. */
async function open(plane: Plane, path = '/chat?x=%27'): Promise<{ socket: WebSocket; first: string }> {
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}${path}`, { headers: { 'x-forwarded-for': '6.6.6.6' } });
  const first = await new Promise<string>((resolve, reject) => {
    socket.once('message', (data) => resolve(String(data)));
    socket.once('error', reject);
  });
  return { socket, first };
}

test('a WebSocket is tunnelled through the route to the target', async ({ plane }) => {
  const { socket, first } = await open(plane);
  const { url, headers } = JSON.parse(first);
  assert.is(url, '/base/chat?x=%27');
  assert.is(headers['x-forwarded-for'], '127.0.0.1');
  assert.is(headers.host, `127.0.0.1:${plane.port}`);
  assert.ok(headers['x-request-id']);
  const big = Buffer.alloc(3_000_000, 0x62);
  socket.send(big);
  const back = await new Promise<Buffer>((resolve) => socket.once('message', (data) => resolve(data as Buffer)));
  assert.ok(back.equals(big));
  socket.close();
  const record = await plane.record(({ status }) => status === 101);
  assert.is(record.error, null);
  assert.ok(record.bytesIn > big.length && record.bytesOut > big.length);
});

test('the reply of a target that refuses the upgrade is forwarded', async ({ plane, url }) => {
  await plane.load(specOf(url));
  const reply = await plane.ask(
    'GET /refuse HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  assert.is(reply.status, 403);
  assert.is(reply.header('x-why'), 'no');
  assert.is(reply.body.toString(), 'no!');
  assert.is((await plane.record(() => true)).status, 403);
});

test('protocols other than WebSocket are tunnelled', async ({ plane }) => {
  const client = plane.client();
  client.send('GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
  const reply = await client.reply();
  assert.is(reply.status, 101);
  assert.is(reply.header('upgrade'), 'echo/1');
  assert.is(reply.header('connection'), 'upgrade');
  client.send('hello there');
  await until(() => client.pending === 'hello there', 'the echo');
  client.socket.end();
  await client.end();
});

test('policies run before the tunnel', async ({ plane, url }) => {
  await plane.load(
    specOf(url, {
      route: 'policies = [{ use = "api-key" }]',
      more: `[consumer.c]\napi_keys = ["sha256:${'0'.repeat(64)}"]`,
    }),
  );
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/`);
  const status = await new Promise<number | undefined>((resolve) => {
    socket.on('unexpected-response', (_request, response) => resolve(response.statusCode));
    socket.on('error', () => {});
  });
  assert.is(status, 401);
});

test('policies edit the 101 reply', async ({ plane, url }) => {
  await plane.load(specOf(url, { route: 'policies = [{ use = "headers", reply.set = { x-seen = "yes" } }]' }));
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/`);
  const seen = await new Promise<unknown>((resolve) =>
    socket.on('upgrade', (response) => resolve(response.headers['x-seen'])),
  );
  assert.is(seen, 'yes');
  socket.terminate();
});

test('an unreachable target: 502', async ({ plane }) => {
  await plane.load(specOf('http://127.0.0.1:1'));
  const reply = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
  assert.is(reply.status, 502);
});

test('a target that does not answer: 504', async ({ plane, origin, url }) => {
  origin.removeAllListeners('upgrade');
  origin.on('upgrade', (_request, socket) =>
    socket
      .on('error', () => {})
      .on('end', () => socket.end())
      .resume(),
  );
  await plane.load(specOf(url, { service: 'response_timeout = "100ms"' }));
  const reply = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
  assert.is(reply.status, 504);
});

test('a tunnel outlives reloads and ends with the drain', async ({ plane, url }) => {
  const { socket } = await open(plane);
  for (let i = 0; i < 20; i++) {
    await plane.load(specOf(i % 2 ? url : `${url}/base`));
    socket.send(`message ${i}`);
    const back = await new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))));
    assert.is(back, `message ${i}`);
  }
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  const report = await plane.plane.drain(2000);
  assert.equal([report.cut, await closed], [0, 1001]);
  assert.is((await plane.record(({ status }) => status === 101)).error, 'tunnel/drained');
});

test('if the client or the target disconnects, the other side is closed', async ({ plane, sockets }) => {
  const { socket } = await open(plane);
  socket.terminate();
  await until(() => sockets.clients.size === 0, 'the target to see it');
  const again = await open(plane);
  const closed = new Promise((resolve) => again.socket.once('close', resolve));
  for (const client of sockets.clients) client.terminate();
  await closed;
});

test('fields named like Object.prototype properties pass an upgrade unchanged', async ({ plane }) => {
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/x`, {
    headers: { constructor: 'a', 'has-own': 'b', ['__proto__']: 'c' },
  });
  const first = await new Promise<string>((resolve, reject) => {
    socket.once('message', (data) => resolve(String(data)));
    socket.once('error', reject);
  });
  const { headers } = JSON.parse(first);
  assert.is(headers.constructor, 'a');
  assert.is(headers['has-own'], 'b');
  socket.terminate();
  const client = plane.client();
  client.send(
    'GET /x HTTP/1.1\r\nHost: a\r\n__proto__: c\r\nConstructor: d\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n',
  );
  assert.is((await client.reply()).status, 101);
  client.destroy();
});

test('no upgrade to another HTTP version, whose requests would bypass policies', async ({ plane, url }) => {
  await plane.load(specOf(url));
  for (const upgrade of ['h2c', 'H2C', 'websocket, h2c', 'HTTP/2.0', 'TLS/1.0, HTTP/1.1', ',h2c/x', 'h2']) {
    const reply = await plane.ask(`GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`);
    assert.is(reply.status, 200, upgrade);
    assert.is(reply.body.toString(), 'plain /x');
    assert.is(reply.header('upgrade'), undefined);
  }
});

test('an invalid Upgrade field requests no upgrade', async ({ plane }) => {
  for (const upgrade of ['', ',', '"h2c"', 'a;h2c', 'a b', 'a/b/c', 'a/', '/b', 'websocket, "b"', 'websock\xe9t']) {
    const reply = await plane.ask(`GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`);
    assert.is(reply.status, 200, upgrade);
  }
  const client = plane.client();
  client.send('GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: ,echo/1 ,\tb\r\n\r\n');
  assert.is((await client.reply()).status, 101);
  client.destroy();
});

test('a lower-case method reaches the target unchanged and starts no upgrade', async ({ plane }) => {
  const target = await FaultTarget.start();
  await plane.load(specOf(target.url));
  for (const method of ['get', 'Get', 'pOST']) {
    await plane.ask(`${method} / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n`);
    const { method: arrived, header } = target.arrived.at(-1)!;
    assert.is(arrived, method);
    assert.is(header('upgrade'), undefined);
  }
  await target.close();
});

test('informational replies to an upgrade are forwarded, except an unrequested 100', async ({ plane }) => {
  const target = await FaultTarget.start();
  await plane.load(specOf(target.url));
  const hints =
    'HTTP/1.1 103 Early Hints\r\nLink: </\xe4>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n';
  const ask = (version: string, answer: string): RawClient => {
    target.respond = say(answer);
    const client = plane.client();
    client.send(`GET / HTTP/${version}\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n`);
    return client;
  };
  const switches = 'HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\n';
  for (const [answer, status] of [
    [switches, 101],
    ['HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n', 403],
  ] as const) {
    const client = ask('1.1', hints + answer);
    const interim = await client.reply();
    assert.is(interim.status, 103);
    assert.equal(interim.fields, [['link', '</\xe4>']]);
    assert.is((await client.reply()).status, status);
    client.destroy();
  }
  const old = ask('1.0', `${hints}HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n`);
  assert.is((await old.reply()).status, 403);
  const ambiguous = ask('1.1', `HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\n${switches}`);
  assert.is((await ambiguous.reply()).status, 502);
  await target.close();
});

test('a client that expects 100 Continue gets it before the 101', async ({ plane }) => {
  const client = plane.client();
  client.send('GET /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
  assert.is((await client.reply()).status, 100);
  assert.is((await client.reply()).status, 101);
  client.destroy();
});

test('a 426 reply to an upgrade keeps its Upgrade field', async ({ plane }) => {
  const target = await FaultTarget.start(
    say('HTTP/1.1 426 X\r\nConnection: Upgrade\r\nUpgrade: echo/2\r\nContent-Length: 0\r\n\r\n'),
  );
  await plane.load(specOf(target.url));
  const client = plane.client();
  for (let i = 0; i < 2; i++) {
    client.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
    const reply = await client.reply();
    assert.is(reply.status, 426);
    assert.is(reply.header('upgrade'), 'echo/2');
    assert.is(reply.header('connection'), 'upgrade');
  }
  client.destroy();
  await target.close();
});

test('valid replies to an upgrade are forwarded byte for byte, invalid ones give 502', async ({ plane }) => {
  const target = await FaultTarget.start();
  await plane.load(specOf(target.url));
  const ask = async (method: string, answer: string): Promise<RawReply> => {
    target.respond = say(answer);
    const text = `${method} / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n`;
    return plane.ask(text, { head: method === 'HEAD' });
  };
  const switched = await ask(
    'GET',
    'HTTP/1.1 101 X\r\nUpgrade: echo/1\r\nConnection: upgrade\r\nX-L: \xe4\xff\r\n\r\n',
  );
  assert.is(switched.status, 101);
  assert.is(switched.header('x-l'), '\xe4\xff');
  for (const nonsense of [
    'nonsense\r\n\r\n',
    'HTTP/1.1 101 X\r\nConnection: upgrade\r\n\r\n',
    'HTTP/1.1 200 X\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
    'HTTP/1.1 200 X\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n',
    'HTTP/2.0 200 X\r\nContent-Length: 1\r\n\r\nx',
    'HTTP/1.0 101 X\r\nUpgrade: echo/1\r\nConnection: upgrade\r\n\r\n',
  ]) {
    const reply = await ask('GET', nonsense);
    assert.is(reply.status, 502, nonsense);
    assert.is(JSON.parse(reply.body.toString()).type, 'urn:gw:problem:upstream/invalid', nonsense);
  }
  assert.is((await ask('GET', 'HTTP/1.1 304 X\r\nETag: "a"\r\n\r\n')).header('etag'), '"a"');
  const fields = await ask(
    'GET',
    'HTTP/1.1 401 X\r\nVary: A\r\nWWW-Authenticate: B\r\nvary: C\r\nWWW-Authenticate: D\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n',
  );
  assert.equal(fields.fields.slice(0, 5), [
    ['vary', 'A'],
    ['www-authenticate', 'B'],
    ['vary', 'C'],
    ['www-authenticate', 'D'],
    ['retry-after', '1'],
  ]);
  for (const version of ['1.0', '1.1']) {
    target.respond = (_request, socket) => socket.end(`HTTP/${version} 200 OK\r\nX: 1\r\n\r\nup to the end`);
    const reply = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    assert.is(reply.body.toString(), 'up to the end', version);
  }
  const chunked = await ask('GET', 'HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n');
  assert.is(chunked.body.toString(), 'ok');
  target.respond = (_request, socket) => socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end');
  const untilEnd = await plane.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  assert.is(untilEnd.body.toString(), 'until the end');
  const cut = plane.client();
  target.respond = (_request, socket) => {
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly', () => socket.resetAndDestroy());
  };
  cut.send('GET /cut HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
  await until(() => cut.ended, 'the connection to be closed');
  assert.is((await plane.record(({ url }) => url === '/cut')).error, 'upstream/aborted');
  const client = plane.client();
  target.respond = say('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n');
  for (let i = 0; i < 2; i++) {
    client.send('HEAD / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo/1\r\n\r\n');
    assert.is((await client.reply({ head: true })).header('content-length'), '5');
  }
  client.destroy();
  await until(() => target.open === 0, 'the target connection to be closed');
  await target.close();
});

test.run();
