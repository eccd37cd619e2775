/**
 * The rules of RFC 9113 and RFC 7541 for what a server receives: frames, valid or not, and what must come of them. Streams with
 * odd numbers are the client's; each row begins on a new connection.
 */
import { GET, headers, hpack, integer, POST } from './hpack.js';
import { ACK, Code, END_HEADERS, END_STREAM, frame, PADDED, PRIORITY, setting, Type, u32 } from './raw-client.js';

export type Outcome =
  /** The connection ends, with a GOAWAY of one of these codes if there is one. */
  | { readonly connection: readonly number[] }
  /** Stream 1 is reset with one of these codes, or the connection ends as above. */
  | { readonly stream: readonly number[]; readonly id?: number }
  /** Status of the reply on a stream. */
  | { readonly status: number; readonly id?: number }
  /** The connection goes on: a PING is answered. */
  | 'alive';

export interface Rule {
  readonly section: string;
  readonly what: string;
  readonly send: readonly Uint8Array[];
  readonly expect: Outcome;
  /** Sent once the reply on stream 1 is complete. */
  readonly later?: readonly Uint8Array[];
}

const empty = Buffer.alloc(0);
const PROTOCOL = { connection: [Code.Protocol] };
const SIZE = { connection: [Code.FrameSize] };
const COMPRESSION = { connection: [Code.Compression] };
const FLOW = { connection: [Code.FlowControl] };
const MALFORMED = { stream: [Code.Protocol] };
const CLOSED = { stream: [Code.StreamClosed] };
const OK = { status: 200 };

const get = (...more: [string, string][]): Buffer => headers(1, [...GET, ...more]);
const open = headers(1, POST, END_HEADERS);
const data = (bytes: Uint8Array = Buffer.from('test'), flags = END_STREAM, stream = 1): Buffer =>
  frame(Type.Data, flags, stream, bytes);
const without = (name: string): Buffer =>
  headers(
    1,
    GET.filter(([one]) => one !== name),
  );
const twice = (name: string): Buffer => headers(1, [...GET.filter(([one]) => one === name), ...GET]);
const block = hpack(GET);
/** A request whose last field has these bytes. */
const raw = (...bytes: number[]): Buffer =>
  frame(Type.Headers, END_STREAM | END_HEADERS, 1, Buffer.concat([block, Buffer.from(bytes)]));
const parts = (flags = 0): Buffer => frame(Type.Headers, END_STREAM | flags, 1, block.subarray(0, 10));
const rest = (flags = END_HEADERS, stream = 1): Buffer => frame(Type.Continuation, flags, stream, block.subarray(10));
const settings = (...all: Buffer[]): Buffer => frame(Type.Settings, 0, 0, Buffer.concat(all));
const reset = (stream: number, code: number = Code.Cancel): Buffer => frame(Type.RstStream, 0, stream, u32(code));
const update = (stream: number, by: number): Buffer => frame(Type.WindowUpdate, 0, stream, u32(by));
const priority = (on: number): Buffer => Buffer.concat([u32(on), Buffer.from([15])]);

const rule = (
  section: string,
  what: string,
  send: Buffer | readonly Buffer[],
  expect: Outcome,
  later?: Buffer,
): Rule => ({
  section,
  what,
  send: Array.isArray(send) ? send : [send as Buffer],
  expect,
  ...(later === undefined ? {} : { later: [later] }),
});

export const RULES: readonly Rule[] = [
  rule('4.1', 'a frame of an unknown type is ignored', frame(0xfa, 0, 0, Buffer.alloc(8)), 'alive'),
  rule('4.1', 'undefined flags are ignored', frame(Type.Ping, 0x16, 0, Buffer.alloc(8)), 'alive'),
  rule('4.1', 'the reserved bit is ignored', frame(Type.Ping, 0, 0x8000_0000, Buffer.alloc(8)), 'alive'),
  rule('4.2', 'DATA of 2^14 bytes is accepted', [open, data(Buffer.alloc(16_384))], OK),
  rule('4.2', 'DATA above the largest frame', [open, data(Buffer.alloc(16_385))], { stream: [Code.FrameSize] }),
  rule('4.2', 'HEADERS above the largest frame', frame(Type.Headers, 5, 1, Buffer.alloc(16_385)), SIZE),
  rule('4.3', 'an invalid header block', frame(Type.Headers, 5, 1, Buffer.from([0x40])), COMPRESSION),
  rule('4.3', 'PRIORITY within a header block', [parts(), frame(Type.Priority, 0, 1, priority(0))], PROTOCOL),
  rule('4.3', 'HEADERS of another stream within a header block', [parts(), headers(3, GET)], PROTOCOL),
  rule('5.1', 'DATA on an idle stream', data(), PROTOCOL),
  rule('5.1', 'RST_STREAM on an idle stream', reset(1), PROTOCOL),
  rule('5.1', 'WINDOW_UPDATE on an idle stream', update(1, 100), PROTOCOL),
  rule('5.1', 'CONTINUATION on an idle stream', rest(), PROTOCOL),
  rule('5.1', 'PRIORITY on an idle stream', frame(Type.Priority, 0, 1, priority(0)), 'alive'),
  rule('5.1', 'DATA after the end of a request', [get(), data()], CLOSED),
  rule('5.1', 'HEADERS after the end of a request', [get(), get()], CLOSED),
  rule('5.1', 'CONTINUATION after the end of a request', [get(), rest()], {
    connection: [Code.StreamClosed, Code.Protocol],
  }),
  rule('5.1', 'WINDOW_UPDATE after the end of a request', [get(), update(1, 100)], OK),
  rule('5.1', 'RST_STREAM after the end of a request', [get(), reset(1)], 'alive'),
  rule('5.1', 'DATA after RST_STREAM', [open, reset(1), data()], CLOSED),
  rule('5.1', 'HEADERS after RST_STREAM', [open, reset(1), get()], CLOSED),
  rule('5.1', 'CONTINUATION after RST_STREAM', [open, reset(1), rest()], {
    connection: [Code.StreamClosed, Code.Protocol],
  }),
  rule('5.1', 'DATA on a closed stream', get(), CLOSED, data()),
  rule('5.1', 'HEADERS on a closed stream', get(), CLOSED, get()),
  rule('5.1', 'CONTINUATION on a closed stream', get(), { connection: [Code.StreamClosed, Code.Protocol] }, rest()),
  rule('5.1', 'WINDOW_UPDATE on a closed stream', get(), 'alive', update(1, 1)),
  rule('5.1', 'PRIORITY on a closed stream', get(), 'alive', frame(Type.Priority, 0, 1, priority(0))),
  rule('5.1', 'RST_STREAM on a closed stream', get(), 'alive', reset(1)),
  rule('5.1.1', 'a stream with an even number', headers(2, GET), PROTOCOL),
  rule('5.1.1', 'a stream with a lower number than the last', [headers(5, GET), headers(3, GET)], PROTOCOL),
  rule(
    '5.1.2',
    'more streams at a time than allowed',
    Array.from({ length: 129 }, (_, at) => headers(1 + at * 2, POST, END_HEADERS)),
    { stream: [Code.Protocol, Code.Refused], id: 257 },
  ),
  rule(
    '5.3.1',
    'HEADERS that depend on their own stream',
    frame(Type.Headers, 5 | PRIORITY, 1, Buffer.concat([priority(1), block])),
    MALFORMED,
  ),
  rule('5.3.1', 'PRIORITY that depends on its own stream', [open, frame(Type.Priority, 0, 1, priority(1))], MALFORMED),
  rule('5.5', 'an unknown frame within a header block', [parts(), frame(0xfa, 0, 1, empty), rest()], PROTOCOL),
  rule('5.5', 'an unknown frame on a stream', [open, frame(0xfa, 0, 1, Buffer.alloc(8)), data()], OK),
  rule('6.1', 'DATA on stream 0', data(empty, END_STREAM, 0), PROTOCOL),
  rule('6.1', 'padded DATA', [open, data(Buffer.from('\x05test\0\0\0\0\0'), END_STREAM | PADDED)], OK),
  rule(
    '6.1',
    'DATA with more padding than payload',
    [open, data(Buffer.from('\x06test'), END_STREAM | PADDED)],
    PROTOCOL,
  ),
  rule('6.1', 'DATA of several frames', [open, data(Buffer.from('te'), 0), data(Buffer.from('st'))], OK),
  rule('6.2', 'HEADERS on stream 0', headers(0, GET), PROTOCOL),
  rule(
    '6.2',
    'padded HEADERS with a priority',
    frame(
      Type.Headers,
      5 | PADDED | PRIORITY,
      1,
      Buffer.concat([Buffer.from([2]), priority(3), block, Buffer.alloc(2)]),
    ),
    OK,
  ),
  rule(
    '6.2',
    'HEADERS with more padding than payload',
    frame(Type.Headers, 5 | PADDED, 1, Buffer.concat([Buffer.from([200]), block])),
    PROTOCOL,
  ),
  rule('6.2', 'DATA within a header block', [frame(Type.Headers, 0, 1, block), data()], PROTOCOL),
  rule('6.3', 'PRIORITY on stream 0', frame(Type.Priority, 0, 0, priority(1)), PROTOCOL),
  rule('6.3', 'PRIORITY of another length', [open, frame(Type.Priority, 0, 1, Buffer.alloc(4))], {
    stream: [Code.FrameSize],
  }),
  rule('6.4', 'RST_STREAM on stream 0', reset(0), PROTOCOL),
  rule('6.4', 'RST_STREAM of another length', [open, frame(Type.RstStream, 0, 1, Buffer.alloc(3))], SIZE),
  rule('6.4', 'RST_STREAM with an unknown code', [open, reset(1, 0xff)], 'alive'),
  rule('6.5', 'an acknowledgement with a payload', frame(Type.Settings, ACK, 0, setting(1, 1)), SIZE),
  rule('6.5', 'SETTINGS on a stream', frame(Type.Settings, 0, 1, setting(3, 100)), PROTOCOL),
  rule('6.5', 'SETTINGS of another length', frame(Type.Settings, 0, 0, Buffer.alloc(3)), SIZE),
  rule('6.5.2', 'ENABLE_PUSH that is not 0 or 1', settings(setting(2, 2)), PROTOCOL),
  rule('6.5.2', 'INITIAL_WINDOW_SIZE above 2^31-1', settings(setting(4, 0x8000_0000)), FLOW),
  rule('6.5.2', 'MAX_FRAME_SIZE below 2^14', settings(setting(5, 16_383)), PROTOCOL),
  rule('6.5.2', 'MAX_FRAME_SIZE above 2^24-1', settings(setting(5, 16_777_216)), PROTOCOL),
  rule('6.5.2', 'an unknown setting', settings(setting(0xff, 1)), 'alive'),
  rule('6.5.3', 'the same setting twice', settings(setting(4, 100), setting(4, 1)), 'alive'),
  rule(
    '6.6',
    'PUSH_PROMISE',
    [open, frame(Type.PushPromise, END_HEADERS, 1, Buffer.concat([u32(2), block]))],
    PROTOCOL,
  ),
  rule('6.7', 'PING on a stream', frame(Type.Ping, 0, 1, Buffer.alloc(8)), PROTOCOL),
  rule('6.7', 'PING of another length', frame(Type.Ping, 0, 0, Buffer.alloc(6)), SIZE),
  rule('6.7', 'an answer to no PING', frame(Type.Ping, ACK, 0, Buffer.alloc(8)), 'alive'),
  rule('6.8', 'GOAWAY on a stream', frame(Type.Goaway, 0, 1, u32(0, 0)), PROTOCOL),
  rule('6.9', 'WINDOW_UPDATE by 0', update(0, 0), PROTOCOL),
  rule('6.9', 'WINDOW_UPDATE of a stream by 0', [open, update(1, 0)], MALFORMED),
  rule('6.9', 'WINDOW_UPDATE of another length', frame(Type.WindowUpdate, 0, 0, Buffer.alloc(3)), SIZE),
  rule('6.9.1', 'a window of the connection above 2^31-1', [update(0, 0x7fff_ffff), update(0, 0x7fff_ffff)], FLOW),
  rule('6.9.1', 'a window of a stream above 2^31-1', [open, update(1, 0x7fff_ffff), update(1, 0x7fff_ffff)], {
    stream: [Code.FlowControl],
  }),
  rule(
    '6.9.2',
    'INITIAL_WINDOW_SIZE that takes an open stream above 2^31-1',
    [open, update(1, 0x7fff_0000), settings(setting(4, 0x7fff_ffff))],
    { stream: [Code.FlowControl] },
  ),
  rule(
    '6.10',
    'several CONTINUATION frames',
    [
      parts(),
      frame(Type.Continuation, 0, 1, block.subarray(10, 20)),
      frame(Type.Continuation, END_HEADERS, 1, block.subarray(20)),
    ],
    OK,
  ),
  rule('6.10', 'CONTINUATION on stream 0', [parts(), rest(END_HEADERS, 0)], PROTOCOL),
  rule('6.10', 'CONTINUATION after HEADERS with END_HEADERS', [open, rest()], PROTOCOL),
  rule('6.10', 'CONTINUATION after the last CONTINUATION', [parts(), rest(), rest()], PROTOCOL),
  rule('6.10', 'CONTINUATION after DATA', [open, data(undefined, 0), rest()], PROTOCOL),
  rule('7', 'GOAWAY with an unknown code ends the connection in order', frame(Type.Goaway, 0, 0, u32(0, 0xff)), {
    connection: [Code.NoError],
  }),
  rule('8.1', 'HEADERS without END_STREAM after the body', [open, data(undefined, 0), open], MALFORMED),
  rule('8.1', 'pseudo-fields in trailers', [open, data(undefined, 0), headers(1, [[':method', 'GET']])], MALFORMED),
  rule('8.1', 'trailers', [open, data(undefined, 0), headers(1, [['x-sum', '1']])], OK),
  rule(
    '8.1.1',
    'content-length above the payload',
    [headers(1, [...POST, ['content-length', '5']], END_HEADERS), data()],
    MALFORMED,
  ),
  rule(
    '8.1.1',
    'content-length below the payload',
    [headers(1, [...POST, ['content-length', '1']], END_HEADERS), data()],
    MALFORMED,
  ),
  rule(
    '8.1.1',
    'content-length below the payload of two frames',
    [headers(1, [...POST, ['content-length', '5']], END_HEADERS), data(undefined, 0), data()],
    MALFORMED,
  ),
  rule('8.1.1', 'content-length without a body', get(['content-length', '5']), MALFORMED),
  rule('8.2.1', 'a name in upper case', get(['X-TEST', 'ok']), MALFORMED),
  rule('8.2.2', 'Connection', get(['connection', 'keep-alive']), MALFORMED),
  rule('8.2.2', 'Proxy-Connection', get(['proxy-connection', 'keep-alive']), MALFORMED),
  rule('8.2.2', 'Keep-Alive', get(['keep-alive', 'timeout=5']), MALFORMED),
  rule('8.2.2', 'Transfer-Encoding', get(['transfer-encoding', 'chunked']), MALFORMED),
  rule('8.2.2', 'Upgrade', get(['upgrade', 'h2c']), MALFORMED),
  rule('8.2.2', 'TE with another value', get(['te', 'trailers, deflate;q=0.5']), MALFORMED),
  rule('8.2.2', 'TE with trailers', get(['te', 'trailers']), OK),
  rule('8.3', 'an unknown pseudo-field', get([':test', 'ok']), MALFORMED),
  rule('8.3', 'an unknown pseudo-field before the others', headers(1, [[':test', 'ok'], ...GET]), MALFORMED),
  rule('8.3', 'a pseudo-field of replies', headers(1, [[':status', '200'], ...GET]), MALFORMED),
  rule('8.3', 'a pseudo-field after a field', headers(1, [['x-test', 'ok'], ...GET]), MALFORMED),
  rule('8.3.1', 'an empty :path', headers(1, [...GET.slice(0, 2), [':path', ''], ...GET.slice(3)]), MALFORMED),
  rule(
    '8.3.1',
    'a :path without a slash',
    headers(1, [...GET.slice(0, 2), [':path', 'a'], ...GET.slice(3)]),
    MALFORMED,
  ),
  rule('8.3.1', 'no :method', without(':method'), MALFORMED),
  rule('8.3.1', 'no :scheme', without(':scheme'), MALFORMED),
  rule('8.3.1', 'no :path', without(':path'), MALFORMED),
  rule('8.3.1', 'neither :authority nor Host', without(':authority'), MALFORMED),
  rule('8.3.1', 'Host without :authority', headers(1, [...GET.slice(0, 3), ['host', 'a.example']]), OK),
  rule('8.3.1', 'Host that differs from :authority', get(['host', 'b.example']), { status: 400 }),
  rule('8.3.1', ':method twice', twice(':method'), MALFORMED),
  rule('8.3.1', ':scheme twice', twice(':scheme'), MALFORMED),
  rule('8.3.1', ':path twice', twice(':path'), MALFORMED),
  rule('8.3.1', ':authority twice', twice(':authority'), MALFORMED),
  rule('8.5', 'CONNECT with :path', headers(1, [[':method', 'CONNECT'], ...GET.slice(1)]), MALFORMED),
  rule(
    '8.5',
    'CONNECT',
    headers(1, [
      [':method', 'CONNECT'],
      [':authority', 'a.example:1'],
    ]),
    { status: 501 },
  ),
  rule('7541 2.3.3', 'a field beyond the tables', raw(0xc6), COMPRESSION),
  rule('7541 2.3.3', 'a name beyond the tables', raw(0x7f, 0x07, 0x01, 0x61), COMPRESSION),
  rule('7541 4.2', 'a change of the table after fields', raw(0x20), COMPRESSION),
  rule(
    '7541 4.2',
    'a change of the table before fields',
    frame(Type.Headers, 5, 1, Buffer.concat([Buffer.from([0x20, 0x3f, 0xe1, 0x1f]), block])),
    OK,
  ),
  rule('7541 5.1', 'an integer without an end', raw(0xff, 0xff, 0xff, 0xff, 0xff, 0xff), COMPRESSION),
  rule('7541 5.2', 'a Huffman code with a byte of padding', raw(0x00, 0x82, 0x1f, 0xff, 0x01, 0x61), COMPRESSION),
  rule('7541 5.2', 'a Huffman code with padding of zeros', raw(0x00, 0x81, 0x18, 0x01, 0x61), COMPRESSION),
  rule(
    '7541 5.2',
    'a Huffman code with the end of strings',
    raw(0x00, 0x85, 0x1f, 0xff, 0xff, 0xff, 0xff, 0x01, 0x61),
    COMPRESSION,
  ),
  rule('7541 5.2', 'a string that is longer than the block', raw(0x00, 0x7f, 0x01, 0x61), COMPRESSION),
  rule(
    '7541 6.1',
    'an indexed field',
    frame(Type.Headers, 5, 1, Buffer.concat([Buffer.from([0x82, 0x86, 0x84]), hpack(GET.slice(3))])),
    OK,
  ),
  rule('7541 6.1', 'the index 0', raw(0x80), COMPRESSION),
  rule(
    '7541 6.2.1',
    'a field that is indexed and used',
    frame(Type.Headers, 5, 1, Buffer.concat([hpack(GET), hpack([['x-a', 'b']], 0x40), Buffer.from([0xbe])])),
    OK,
  ),
  rule(
    '7541 6.2.3',
    'a field that is never indexed',
    frame(Type.Headers, 5, 1, Buffer.concat([hpack(GET), hpack([['x-a', 'b']], 0x10)])),
    OK,
  ),
  rule(
    '7541 6.3',
    'a table above the largest',
    frame(Type.Headers, 5, 1, Buffer.concat([integer(65_536, 5, 0x20), block])),
    COMPRESSION,
  ),
];
