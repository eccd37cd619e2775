/** WebSocket by RFC 6455: handshakes, frames, limits, and how gw closes. */
import { connect, type Socket } from 'node:net';
import * as assert from 'uvu/assert';
import { WebSocket, WebSocketServer } from 'ws';
import { webSocketsOf } from '../../../src/telemetry/websockets.js';
import { frame, handshake, KEY, switching } from '../../support/frames.js';
import { type Fault, type Plane, RawClient, say, specOf, until } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const test = engineSuite('websockets');

/** A client and a target with an open WebSocket between them, as raw sockets. */
interface Pair {
  client: RawClient;
  socket: Socket;
  /** What the target has received after the handshake. */
  received(): Buffer;
  ended(): boolean;
}

async function pairOf({ plane, target }: EngineContext): Promise<Pair> {
  const parts: Buffer[] = [];
  let socket: Socket | undefined;
  let ended = false;
  target.respond = (_request, opened) => {
    socket = opened;
    opened.allowHalfOpen = true;
    opened.write(switching());
    opened.on('data', (chunk: Buffer) => parts.push(chunk));
    opened.on('end', () => {
      ended = true;
    });
  };
  const client = new RawClient(connect({ port: plane.port, host: '127.0.0.1', allowHalfOpen: true }));
  client.send(handshake('/chat'));
  assert.is((await client.reply()).status, 101);
  return { client, socket: socket!, received: () => Buffer.concat(parts), ended: () => ended };
}

const clientGot = ({ client }: Pair): Buffer => Buffer.from(client.pending, 'latin1');
const CLOSED = (code: number): Buffer => Buffer.of(0x88, 2, code >> 8, code & 0xff);
const fromTarget = (opcode: number, payload: string | Buffer, final = true): Buffer =>
  frame(opcode, payload, { masked: false, final });

/** The code of a masked Close frame at the end of the bytes. */
function codeToTarget(bytes: Buffer): number {
  const close = bytes.subarray(-8);
  assert.equal([close[0], close[1]], [0x88, 0x82]);
  return ((close[6]! ^ close[2]!) << 8) | (close[7]! ^ close[3]!);
}

const refuses = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(false)).on('error', () => resolve(true));
    socket.on('connect', () => socket.destroy());
  });

/** The gateway ends its half, and then the client. */
async function endOf({ client }: Pair): Promise<void> {
  await until(() => client.ended, 'the end');
  client.socket.end();
}

const route = (settings: string) => ({ route: `websocket = { ${settings} }` });

test('a handshake without a valid key or version gets 400 and reaches no target', async ({ plane, target }) => {
  for (const [broken, code] of [
    [handshake('/').replace(KEY, 'c2hvcnQ='), 'handshake'],
    [handshake('/').replace(/Sec-WebSocket-Key.*\r\n/, ''), 'handshake'],
    [handshake('/').replace('Version: 13\r\n', `Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n`), 'handshake'],
    [handshake('/').replace(/Sec-WebSocket-Version.*\r\n/, ''), 'handshake'],
    [handshake('/').replace('Version: 13', 'Version: 8'), 'version'],
    [handshake('/').replace('GET', 'POST'), 'handshake'],
  ] as const) {
    const reply = await plane.ask(broken);
    assert.is(reply.status, 400);
    assert.is(JSON.parse(reply.body.toString()).type, `urn:gw:problem:websocket/${code}`);
    assert.is(reply.header('sec-websocket-version'), code === 'version' ? '13' : undefined);
  }
  assert.is(target.arrived.length, 0);
});

test('a 101 with a wrong Sec-WebSocket-Accept, subprotocol or extension gets 502', async ({ plane, target }) => {
  const answers: [Fault, number][] = [
    [say(switching().replace('s3p', 'xxx')), 502],
    [say(switching().replace(/Sec-WebSocket-Accept.*\r\n/, '')), 502],
    [say(switching('Sec-WebSocket-Protocol: other\r\n')), 502],
    [say(switching('Sec-WebSocket-Protocol: a, b\r\n')), 502],
    [say(switching('Sec-WebSocket-Extensions: x-other\r\n')), 502],
    [say(switching('Sec-WebSocket-Protocol: b\r\nSec-WebSocket-Extensions: x-one; level=2\r\n')), 101],
  ];
  for (const [respond, status] of answers) {
    target.respond = respond;
    const offered = 'Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: x-one, x-two\r\n';
    const reply = await plane.ask(handshake('/', offered));
    assert.is(reply.status, status);
    if (status === 101) assert.is(reply.header('sec-websocket-extensions'), 'x-one; level=2');
  }
});

/** Opened, open, messages in and out of the route. */
function counted({ registry }: Plane): number[] {
  const { opened, open, messagesIn, messagesOut, bytesIn } = webSocketsOf(registry, registry.slot('route', 'all')!)!;
  assert.ok(bytesIn > 0);
  return [opened, open, messagesIn, messagesOut];
}

async function openWs(plane: Plane, options = {}): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${plane.port}/`, ['one', 'two'], options);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
}

test('subprotocols, compression, pings, and close codes with reasons pass in both directions', async ({ plane }) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: { threshold: 0 } });
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  await plane.load(specOf(`http://127.0.0.1:${port}`));
  let closed: unknown[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data, binary) => {
      if (String(data) === 'bye') socket.close(4002, 'from the target');
      else socket.send(data, { binary });
    });
    socket.on('close', (code, reason) => (closed = [code, String(reason)]));
  });
  for (const compressed of [true, false]) {
    const socket = await openWs(plane, { perMessageDeflate: compressed });
    assert.equal([socket.protocol, socket.extensions !== ''], ['one', compressed]);
    const ponged = new Promise((resolve) => socket.once('pong', (data) => resolve(String(data))));
    socket.ping('are you there');
    assert.is(await ponged, 'are you there');
    const back = new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))));
    socket.send('x'.repeat(100_000));
    assert.is((await back).length, 100_000);
    socket.close(4001, 'from the client');
    await until(() => closed[0] === 4001, 'the code at the target');
    assert.equal(closed, [4001, 'from the client']);
  }
  const socket = await openWs(plane);
  const end = new Promise((resolve) => socket.once('close', (code, reason) => resolve([code, String(reason)])));
  assert.equal(counted(plane), [3, 1, 2, 2]);
  socket.send('bye');
  assert.equal(await end, [4002, 'from the target']);
  await until(() => plane.connections === 0, 'the end of all connections');
  assert.equal(counted(plane), [3, 0, 3, 2]);
  const { webSocket } = await plane.record(({ webSocket }) => webSocket?.closedBy === 'target');
  assert.equal(webSocket, { messagesIn: 1, messagesOut: 0, closeCode: 4002, closedBy: 'target' });
  await new Promise((resolve) => server.close(resolve));
});

test('max_message: the larger message does not reach the target, and both ends get 1009', async (context) => {
  const { plane, target } = context;
  await plane.load(specOf(target.url, route('max_message = "10B", max_reply_message = "5B"')));
  const pair = await pairOf(context);
  const fine = frame(1, '0123456789');
  pair.client.send(Buffer.concat([fine, frame(1, '01234567890')]));
  await until(() => pair.received().length >= fine.length + 8, 'the Close at the target');
  assert.ok(pair.received().subarray(0, fine.length).equals(fine));
  assert.is(codeToTarget(pair.received()), 1009);
  await until(() => clientGot(pair).equals(CLOSED(1009)), 'the Close at the client');
  pair.client.send(frame(8, Buffer.of(3, 0xf1)));
  pair.socket.write(fromTarget(8, Buffer.of(3, 0xf1)));
  await endOf(pair);
  const record = await plane.record(({ status }) => status === 101);
  assert.equal([record.error, record.cause], ['websocket/too-large', 'message larger than 10 bytes']);
  const other = await pairOf(context);
  other.socket.write(fromTarget(1, '123456'));
  await until(() => clientGot(other).equals(CLOSED(1009)), 'the Close');
  other.client.destroy();
});

test('max_rate: 1008', async (context) => {
  await context.plane.load(specOf(context.target.url, route('max_rate = "3/min"')));
  const pair = await pairOf(context);
  pair.client.send(Buffer.concat([frame(1, 'a'), frame(9, ''), frame(1, 'b'), frame(1, 'c')]));
  await until(() => clientGot(pair).equals(CLOSED(1008)), 'the Close');
  assert.is(codeToTarget(pair.received()), 1008);
  pair.client.destroy();
});

test('an invalid frame of the client: replies to earlier ones arrive before the 1002', async (context) => {
  const pair = await pairOf(context);
  pair.client.send(Buffer.concat([frame(1, 'first'), frame(1, 'second', { masked: false })]));
  await until(() => pair.received().length === frame(1, 'first').length + 8, 'the Close at the target');
  assert.is(codeToTarget(pair.received()), 1002);
  const answer = Buffer.concat([fromTarget(1, 'reply'), CLOSED(1002)]);
  pair.socket.write(answer);
  await pair.client.end();
  assert.ok(clientGot(pair).equals(answer));
  assert.is((await context.plane.record(({ status }) => status === 101)).error, 'websocket/protocol');
});

test('an invalid frame of the client: without an answer of the target, gw tells the client itself', async (context) => {
  const pair = await pairOf(context);
  pair.client.send(frame(3, 'reserved'));
  await until(() => clientGot(pair).equals(CLOSED(1002)), 'the Close');
  pair.client.destroy();
});

test('an invalid frame of the target: both ends get 1002, and the frame does not reach the client', async (context) => {
  const pair = await pairOf(context);
  pair.socket.write(Buffer.concat([fromTarget(1, 'fine'), frame(1, 'masked')]));
  await until(() => clientGot(pair).equals(Buffer.concat([fromTarget(1, 'fine'), CLOSED(1002)])), 'the Close');
  await until(() => pair.received().length === 8, 'the Close at the target');
  assert.is(codeToTarget(pair.received()), 1002);
  pair.client.destroy();
});

test('a drain closes with 1001 between frames, never within one', async (context) => {
  const pair = await pairOf(context);
  const down = fromTarget(2, Buffer.alloc(1000, 'd'), false);
  const up = frame(2, Buffer.alloc(1000, 'u'), { final: false });
  pair.socket.write(down.subarray(0, 500));
  pair.client.send(up.subarray(0, 500));
  await until(() => clientGot(pair).length === 500 && pair.received().length === 500, 'half a frame each');
  const drained = context.plane.plane.drain(10_000);
  // The listener is closed when its connections have been told.
  await until(() => refuses(context.plane.port), 'the drain');
  assert.equal([clientGot(pair).length, pair.received().length], [500, 500]);
  pair.socket.write(Buffer.concat([down.subarray(500), fromTarget(0, 'not any more')]));
  pair.client.send(Buffer.concat([up.subarray(500), frame(0, 'not any more')]));
  await until(() => clientGot(pair).equals(Buffer.concat([down, CLOSED(1001)])), 'the Close at the client');
  await until(() => pair.received().length === up.length + 8, 'the Close at the target');
  assert.ok(pair.received().subarray(0, up.length).equals(up));
  assert.is(codeToTarget(pair.received()), 1001);
  pair.socket.write(CLOSED(1001));
  pair.client.send(frame(8, Buffer.of(3, 0xe9)));
  await endOf(pair);
  assert.is((await drained).cut, 0);
});

test('the end of one half passes, and the other half goes on', async (context) => {
  const pair = await pairOf(context);
  pair.client.send(frame(1, 'last'));
  pair.client.socket.end();
  await until(() => pair.ended(), 'the end at the target');
  assert.ok(pair.received().equals(frame(1, 'last')));
  pair.socket.end(fromTarget(1, 'still here'));
  await pair.client.end();
  assert.ok(clientGot(pair).equals(fromTarget(1, 'still here')));
  const other = await pairOf(context);
  other.socket.end(fromTarget(1, 'last'));
  await until(() => other.client.ended, 'the end at the client');
  other.client.send(frame(1, 'still here'));
  await until(() => other.received().equals(frame(1, 'still here')), 'the message');
  other.client.socket.end();
  await until(() => other.ended(), 'the end at the target');
});

test('idle_timeout of the route: 1001 for both ends', async (context) => {
  const { plane, target, time } = context;
  await plane.load(specOf(target.url, route('idle_timeout = "300ms"')));
  const pair = await pairOf(context);
  await until(() => clientGot(pair).equals(CLOSED(1001)), 'the Close');
  assert.is(codeToTarget(pair.received()), 1001);
  time.pass(3000);
  await pair.client.end();
  assert.is((await plane.record(({ status }) => status === 101)).error, 'tunnel/idle');
});

test.run();
