/** WebSockets in streams of HTTP/2, RFC 8441; targets see an upgrade of HTTP/1.1. */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { acceptOf } from '../../../src/proxy/websocket/handshake.js';
import { frame } from '../../support/frames.js';
import { sessionTo } from '../../support/http2/session.js';
import { ok, specOf, until } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('WebSocket over HTTP/2');

let session: ClientHttp2Session;
let socket: Socket | undefined;
let received: Buffer[] = [];
test.before.each(async ({ plane, target }) => {
  socket = undefined;
  received = [];
  session = sessionTo(plane.port);
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  target.respond = (request, opened) => {
    const accept = acceptOf(request.header('sec-websocket-key') ?? '');
    opened.allowHalfOpen = true;
    opened.write(
      `HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: b\r\n\r\n`,
    );
    opened.on('data', (chunk: Buffer) => received.push(chunk));
    socket = opened;
  };
});
test.after.each(() => session.destroy());

interface Open {
  readonly stream: ClientHttp2Stream;
  readonly reply: IncomingHttpHeaders;
  got(): Buffer;
  ended(): boolean;
}

async function open(more = {}): Promise<Open> {
  const parts: Buffer[] = [];
  let ended = false;
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/chat?x=1',
      ':authority': 'a.example',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'a, b',
      ...more,
    },
    { endStream: false },
  );
  stream.on('data', (chunk: Buffer) => parts.push(chunk));
  stream.on('error', () => undefined);
  stream.on('end', () => {
    ended = true;
  });
  const reply = await new Promise<IncomingHttpHeaders>((resolve) => stream.once('response', resolve));
  return { stream, reply, got: () => Buffer.concat(parts), ended: () => ended };
}

const fromTarget = (opcode: number, payload: string): Buffer => frame(opcode, payload, { masked: false });

test('the server announces it', () => assert.is(session.remoteSettings.enableConnectProtocol, true));

test('frames pass in both directions, and the end of each half', async ({ plane, target }) => {
  const { stream, reply, got, ended } = await open();
  assert.is(reply[':status'], 200);
  assert.is(reply['sec-websocket-protocol'], 'b');
  for (const name of ['upgrade', 'connection', 'sec-websocket-accept', 'content-length'])
    assert.is(reply[name], undefined, name);
  const { method, url, header } = target.arrived.at(-1)!;
  assert.equal([method, url, header('upgrade')?.toLowerCase()], ['GET', '/chat?x=1', 'websocket']);
  assert.is(header('host'), 'a.example');
  const big = Buffer.alloc(300_000, 'x');
  stream.write(frame(2, big));
  await until(() => Buffer.concat(received).equals(frame(2, big)), 'the message at the target');
  socket!.write(fromTarget(1, 'hello'));
  await until(() => got().equals(fromTarget(1, 'hello')), 'the reply');
  stream.end(frame(8, Buffer.of(3, 0xe8)));
  await until(() => Buffer.concat(received).subarray(-8)[0] === 0x88, 'the Close');
  socket!.end(Buffer.of(0x88, 2, 3, 0xe8));
  await until(ended, 'the end');
  const record = await plane.record(({ webSocket }) => webSocket !== undefined);
  assert.equal([record.status, record.webSocket?.closeCode], [200, 1000]);
  assert.ok(record.bytesIn > big.length);
});

test('a reset of the stream ends the target, other streams go on', async () => {
  const one = await open();
  const first = socket!;
  const two = await open();
  let closed = false;
  first
    .on('end', () => {
      closed = true;
    })
    .on('close', () => {
      closed = true;
    });
  one.stream.close(8);
  await until(() => closed, 'the end at the target');
  two.stream.write(frame(1, 'still'));
  await until(() => Buffer.concat(received).includes(frame(1, 'still')), 'the other');
  two.stream.close();
});

test('a target that leaves ends the stream; one that resets does too', async () => {
  for (const leave of ['destroy', 'resetAndDestroy'] as const) {
    const { stream, ended } = await open();
    socket![leave]();
    await until(ended, 'the end');
    // Its own half is still open after a FIN.
    stream.end();
    await until(() => stream.destroyed, 'the close');
  }
  const { stream, got } = await open();
  stream.write(frame(3, 'reserved'));
  await until(() => got().equals(Buffer.of(0x88, 2, 3, 0xea)), 'the Close');
  await until(() => stream.destroyed, 'the close');
});

test('invalid requests, and replies that switch nothing', async ({ target }) => {
  assert.is((await open({ ':protocol': 'other' })).reply[':status'], 501);
  assert.is((await open({ 'sec-websocket-version': '8' })).reply[':status'], 400);
  // Nothing of the handshake of HTTP/1.1 comes from the client.
  assert.is((await open({ 'sec-websocket-key': 'forged' })).reply[':status'], 200);
  target.respond = ok('a page');
  assert.is((await open()).reply[':status'], 502);
  target.respond = (_request, opened) => opened.end('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno');
  assert.is((await open()).reply[':status'], 403);
});

test('policies refuse it before the upgrade', async ({ plane, target }) => {
  const arrived = target.arrived.length;
  const more = `[consumer.c]\napi_keys = ["sha256:${'0'.repeat(64)}"]`;
  await plane.load(specOf(target.url, { route: 'policies = [{ use = "api-key" }]', more }));
  assert.is((await open()).reply[':status'], 401);
  assert.is(target.arrived.length, arrived);
  await plane.load(specOf(target.url));
});

test('a drain closes with 1001, and the connection ends', async ({ plane }) => {
  const { got, stream } = await open();
  const drained = plane.plane.drain(5000);
  await until(() => got().equals(Buffer.of(0x88, 2, 3, 0xe9)), 'the Close');
  stream.end(frame(8, Buffer.of(3, 0xe9)));
  socket!.end(Buffer.of(0x88, 2, 3, 0xe9));
  assert.is((await drained).cut, 0);
});

test.run();
