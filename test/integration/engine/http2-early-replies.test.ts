/**
 * Replies that end before their request over HTTP/2 (RFC 9113 section 8.1). A stream of node:http2 that is destroyed without
 * RST_STREAM while it has something to send makes nghttp2 of Node 20 send empty frames until the process has no memory left.
 */
import * as assert from 'uvu/assert';
import { GET, hpack, POST } from '../../support/http2/hpack.js';
import { Code, END_HEADERS, END_STREAM, frame, RawHttp2, setting, Type, u32 } from '../../support/http2/raw-client.js';
import { seeded } from '../../support/random.js';
import { type Fault, until } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const test = sharedEngineSuite('early replies over HTTP/2', { listener: 'body_timeout = "2s"\nmax_body = "1KiB"' });

const post = (id: number, ...more: [string, string][]): Buffer =>
  frame(Type.Headers, END_HEADERS, id, hpack([...POST, ...more]));
const body = (id: number, bytes: number, flags = 0): Buffer => frame(Type.Data, flags, id, Buffer.alloc(bytes));
const window = (id: number, by: number): Buffer => frame(Type.WindowUpdate, 0, id, u32(by));
const NO_WINDOW = setting(4, 0);

const resetOf = (client: RawHttp2, id: number): number | undefined =>
  client.frames.find(({ type, stream }) => type === Type.RstStream && stream === id)?.payload.readUInt32BE(0);
const ended = (client: RawHttp2, id: number): boolean =>
  client.frames.some(({ type, flags, stream }) => type <= Type.Headers && stream === id && (flags & END_STREAM) !== 0);

for (const [what, request, status] of [
  ['a problem', [post(1), body(1, 2048)], 413],
  ['a problem whose client has ended', [post(1), body(1, 2048, END_STREAM)], 413],
  ['a refusal', [post(1, ['host', 'b.example'])], 400],
  ['a refusal whose client sends on', [post(1, ['host', 'b.example']), body(1, 16_000)], 400],
] as const)
  test(`a client without a window gets ${what}: the stream is reset in time, also if its window opens later`, async ({
    plane,
    time,
  }) => {
    const client = await RawHttp2.ready(plane.port, false, NO_WINDOW);
    client.send(...request);
    assert.is(await client.status(1), status);
    await until(() => {
      time.pass(200);
      return resetOf(client, 1) !== undefined;
    }, 'the reset');
    client.send(window(1, 1000));
    await client.pinged();
    client.send(post(3, ['host', 'b.example']), window(3, 1000));
    await client.until(() => resetOf(client, 3) === Code.NoError, 'the reset of an unfinished request');
    assert.ok(ended(client, 3), client.shown);
    client.destroy();
  });

/** Replies to the head of a request, in the forms that end a stream in different ways. */
const early: Fault = (request, socket) => {
  const [, kind] = request.url.split('/');
  const later = (text: string): void => void setImmediate(() => socket.write(text));
  switch (kind) {
    case 'empty':
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      return;
    case 'known':
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab');
      later('cd');
      return;
    case 'chunks':
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n');
      later('0\r\n\r\n');
      return;
    case 'trailers':
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n');
      later('0\r\nx-sum: 1\r\n\r\n');
      return;
    default:
      socket.write('HTTP/1.1 204 No Content\r\n\r\n');
  }
};

const KINDS = ['empty', 'known', 'chunks', 'trailers', 'none'];

test('bursts of requests that are answered before, while and after they end', async ({ plane, target }) => {
  target.respond = early;
  const next = seeded(12);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(next() * all.length)]!;
  const client = await RawHttp2.ready(plane.port);
  const other = await RawHttp2.ready(plane.port);
  for (let round = 0, id = 1; round < 10; round++) {
    const ids: number[] = [];
    const first: Buffer[] = [];
    const rest: Buffer[] = [];
    for (let count = 0; count < 32; count++, id += 2) {
      ids.push(id);
      const fields = hpack(POST.map(([name, value]) => [name, name === ':path' ? `/${pick(KINDS)}/` : value]));
      first.push(frame(Type.Headers, END_HEADERS, id, fields));
      if (next() < 0.5) first.push(body(id, pick([1, 100, 2000])));
      const end = pick(['now', 'trailers', 'later', 'reset', 'never']);
      if (end === 'now') first.push(body(id, pick([0, 5]), END_STREAM));
      if (end === 'trailers')
        first.push(frame(Type.Headers, END_HEADERS | END_STREAM, id, hpack([['x-a', next() < 0.5 ? 'b' : 'b\0']])));
      if (end === 'later') rest.push(body(id, 5, END_STREAM));
      if (end === 'reset') rest.push(frame(Type.RstStream, 0, id, u32(pick([Code.NoError, Code.Cancel]))));
    }
    client.send(...first);
    await client.until(() => client.closed || client.frames.some(({ stream }) => ids.includes(stream)), 'a reply');
    client.send(...rest);
    await client.pinged();
    const reset = new Set(rest.filter((one) => one[3] === Type.RstStream).map((one) => one.readUInt32BE(5)));
    await client.until(
      () => ids.every((one) => reset.has(one) || ended(client, one) || resetOf(client, one) !== undefined),
      'all replies',
    );
    other.send(frame(Type.Headers, END_HEADERS | END_STREAM, round * 2 + 1, hpack(GET)));
    assert.is(await other.status(round * 2 + 1), 204);
  }
  await until(() => plane.records.length >= 320, 'all records');
  client.destroy();
  other.destroy();
});

test.run();
