/**
 * Every case is sent to a WebSocket server, and to the same server through the gateway, over HTTP/1.1 and HTTP/2, at once and in
 * small parts, with and without limits on the route. The client must get the same bytes; where the server refuses a frame, it may be
 * the gateway that does.
 */
import { connect as connectTcp } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { WebSocketServer } from 'ws';
import { Plane, RawClient, specOf, until } from '../integration/engine-kit.js';
import { handshake } from '../support/frames.js';
import { sessionTo } from '../support/http2/session.js';
import { END, WEBSOCKET_CASES, type WebSocketCase } from '../support/websocket-cases.js';

const OFFER =
  'Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n';
const LIMITS =
  'websocket = { max_message = "2MiB", max_reply_message = "2MiB", max_rate = "100000/s", idle_timeout = "1m" }';

/** An open WebSocket of a client. */
interface Wire {
  send(bytes: Buffer): void;
  received(): Buffer;
  ended(): boolean;
  leave(): void;
}

async function overTcp(port: number, deflate: boolean): Promise<Wire> {
  const client = new RawClient(connectTcp({ port, host: '127.0.0.1', noDelay: true }));
  client.send(handshake('/', deflate ? OFFER : ''));
  assert.is((await client.reply()).status, 101);
  return {
    send: (bytes) => client.send(bytes),
    received: () => Buffer.from(client.pending, 'latin1'),
    ended: () => client.ended,
    leave: () => client.destroy(),
  };
}

async function overHttp2(port: number, deflate: boolean): Promise<Wire> {
  const session = sessionTo(port);
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'http',
      ':path': '/',
      ':authority': 'a',
      'sec-websocket-version': '13',
      ...(deflate ? { 'sec-websocket-extensions': OFFER.slice(26, -2) } : {}),
    },
    { endStream: false },
  );
  const parts: Buffer[] = [];
  let ended = false;
  stream.on('data', (chunk: Buffer) => parts.push(chunk)).on('error', () => undefined);
  stream.on('end', () => {
    ended = true;
    stream.end();
  });
  stream.on('close', () => {
    ended = true;
  });
  await new Promise((resolve) => stream.once('response', resolve));
  return {
    send: (bytes) => void (stream.writable && stream.write(bytes)),
    received: () => Buffer.concat(parts),
    ended: () => ended,
    leave: () => session.destroy(),
  };
}

/** What the client has got when the other side has ended. `size` of the parts that are sent; 0: all at once. */
async function play(wire: Wire, { frames, last = END, what }: WebSocketCase, size: number): Promise<Buffer> {
  const bytes = Buffer.concat([...frames, last]);
  if (size === 0) wire.send(bytes);
  for (let at = 0; size > 0 && at < bytes.length; at += size) {
    wire.send(bytes.subarray(at, at + size));
    if (at % (size * 16) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => wire.ended(), `the end: ${what}`);
  const got = wire.received();
  wire.leave();
  return got;
}

/** The code of a Close frame of a server at the end of `bytes`; 0: there is none. And what comes before it. */
function split(bytes: Buffer): readonly [code: number, before: Buffer] {
  for (let at = 0; at < bytes.length; ) {
    const size = bytes[at + 1]! & 127;
    const head = size === 126 ? 4 : size === 127 ? 10 : 2;
    const length =
      size === 126 ? bytes.readUInt16BE(at + 2) : size === 127 ? Number(bytes.readBigUInt64BE(at + 2)) : size;
    if ((bytes[at]! & 15) === 8) return [length < 2 ? 1005 : bytes.readUInt16BE(at + head), bytes.subarray(0, at)];
    at += head + length;
  }
  return [0, bytes];
}

/** Codes of a refusal. */
const REFUSED = new Set([1002, 1007]);

for (const limits of [false, true])
  test(`${WEBSOCKET_CASES.length} cases ${limits ? 'with' : 'without'} limits`, async () => {
    const server = new WebSocketServer({
      port: 0,
      host: '127.0.0.1',
      perMessageDeflate: { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
    });
    await new Promise((resolve) => server.once('listening', resolve));
    server.on('connection', (socket) => {
      socket.on('message', (data, binary) => socket.send(data as Buffer, { binary }));
      socket.on('error', () => undefined);
    });
    const { port } = server.address() as { port: number };
    const plane = await Plane.start(specOf(`http://127.0.0.1:${port}`, limits ? { route: LIMITS } : {}), {
      monotonic: () => performance.now(),
    });
    let same = 0;
    let refused = 0;
    for (const one of WEBSOCKET_CASES) {
      const deflate = one.deflate === true;
      const expected = await play(await overTcp(port, deflate), one, 0);
      const small = Buffer.concat(one.frames).length > 5000 ? 997 : 1;
      for (const [open, size] of [
        [overTcp, limits ? small : 0],
        [overHttp2, limits ? small : 0],
      ] as const) {
        const got = await play(await open(plane.port, deflate), one, size);
        const [code, before] = split(got);
        const [wanted, wantedBefore] = split(expected);
        if (one.forbidden === true || REFUSED.has(wanted)) {
          refused++;
          assert.ok(REFUSED.has(code), `${one.what}: ${code} instead of ${wanted}`);
          if (REFUSED.has(wanted)) assert.equal(before.toString('hex'), wantedBefore.toString('hex'), one.what);
        } else {
          same++;
          assert.ok(
            got.equals(expected),
            `${one.what}: ${got.toString('hex').slice(0, 80)} instead of ${expected.toString('hex').slice(0, 80)}`,
          );
        }
      }
    }
    console.log(`${same} times the same bytes, ${refused} refusals`);
    await plane.close();
    server.close();
  });

test.run();
