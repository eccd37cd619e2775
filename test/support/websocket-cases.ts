/** What clients of WebSocket may and may not send: sizes, pings, reserved bits and opcodes, fragments, UTF-8, closes, compression. */
import { constants, deflateRawSync } from 'node:zlib';
import { type FrameOptions, frame } from './frames.js';

export interface WebSocketCase {
  readonly what: string;
  readonly frames: readonly Buffer[];
  /** With permessage-deflate. */
  readonly deflate?: boolean;
  /** gw refuses it, although servers may not: RFC 6455 section 5.2 forbids it. */
  readonly forbidden?: boolean;
  /** Sent after the frames; by default a Close with 1000. */
  readonly last?: Buffer;
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;

const close = (code: number, reason: string | Buffer = ''): Buffer =>
  frame(CLOSE, Buffer.concat([Buffer.of(code >> 8, code & 255), Buffer.from(reason)]));
const part = (opcode: number, payload: string | Buffer, final = false): Buffer => frame(opcode, payload, { final });
const text = (payload: string | Buffer): Buffer => frame(TEXT, payload);
const nothing = Buffer.alloc(0);

const one = (what: string, ...frames: Buffer[]): WebSocketCase => ({ what, frames });
const last = (what: string, end: Buffer, ...frames: Buffer[]): WebSocketCase => ({ what, frames, last: end });

const SIZES = [0, 1, 125, 126, 127, 128, 65_535, 65_536, 300_000];

const ofSizes = SIZES.flatMap((size) => [
  one(`text of ${size} bytes`, text('*'.repeat(size))),
  one(`binary of ${size} bytes`, frame(BINARY, Buffer.alloc(size, 0xfe))),
]);

const pings = [
  one('ping', frame(PING, '')),
  one('ping with text', frame(PING, 'hello')),
  one('ping with bytes', frame(PING, Buffer.of(0, 255, 254, 13, 10))),
  one('ping of 125 bytes', frame(PING, Buffer.alloc(125, 1))),
  one('ping of 126 bytes', frame(PING, Buffer.alloc(126, 1))),
  one('pong', frame(PONG, '')),
  one('pong with text, then a ping', frame(PONG, 'unsolicited'), frame(PING, 'a')),
  one('ten pings', ...Array.from({ length: 10 }, (_, at) => frame(PING, `ping ${at}`))),
];

const reserved = [1, 2, 3, 4, 5, 6, 7].flatMap((rsv) => {
  const bits: FrameOptions = { rsv };
  return [
    one(
      `a message, then one with reserved bits ${rsv}, then a ping`,
      text('a'),
      frame(TEXT, 'b', bits),
      frame(PING, ''),
    ),
    one(`binary with reserved bits ${rsv}`, frame(BINARY, 'b', bits)),
    one(`ping with reserved bits ${rsv}`, frame(PING, 'b', bits)),
    one(`Close with reserved bits ${rsv}`, frame(CLOSE, '', bits)),
  ];
});

const opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode) => [
  one(`opcode ${opcode}`, frame(opcode, '')),
  one(`a message, then opcode ${opcode} with a payload, then a ping`, text('a'), frame(opcode, 'b'), frame(PING, '')),
]);

const fragments = [
  one('a ping in two fragments', part(PING, 'a'), part(0, 'b', true)),
  one('a pong in two fragments', part(PONG, 'a'), part(0, 'b', true)),
  one('a text in two fragments', part(TEXT, 'a'), part(0, 'b', true)),
  one(
    'a text in five fragments with pings between',
    part(TEXT, 'a'),
    frame(PING, '1'),
    part(0, 'b'),
    frame(PING, '2'),
    part(0, 'c'),
    part(0, ''),
    part(0, 'd', true),
  ),
  one('a fragment without its begin', part(0, 'a', true)),
  one('a fragment without its begin that is not the last', part(0, 'a'), text('b')),
  one('a fragment after a whole message', text('a'), part(0, 'b', true)),
  one('a message within a message', part(TEXT, 'a'), text('b')),
  one('a begin within a message', part(TEXT, 'a'), part(TEXT, 'b'), part(0, 'c', true)),
  one('empty fragments', part(TEXT, ''), part(0, ''), part(0, '', true)),
  one(
    'a binary of 1000 fragments',
    part(BINARY, 'a'),
    ...Array.from({ length: 998 }, () => part(0, 'b')),
    part(0, 'c', true),
  ),
  last('a Close within a message', nothing, part(TEXT, 'a'), close(1000), part(0, 'b', true)),
];

const VALID = [
  'κόσμε',
  'Hello-µ@ßöäüàá',
  '\u0000',
  '\u{10000}',
  '\u{10ffff}',
  '\ufffe',
  '\uffff',
  '\u007f\u0080\u07ff\u0800',
];
const INVALID = [
  'cebae1bdb9cf83cebcceb5eda080656469746564',
  '80',
  'bf',
  'c0af',
  'e080af',
  'f8888080',
  'fc8080808080',
  'eda080',
  'edbfbf',
  'f4908080',
  'fe',
  'ff',
  'ce',
  'e1bd',
  'f09080',
  'c080',
];

const utf8 = [
  ...VALID.flatMap((value) => [
    one(`text ${JSON.stringify(value)}`, text(value)),
    one(
      `text ${JSON.stringify(value)} in bytes`,
      part(TEXT, ''),
      ...[...Buffer.from(value)].map((byte) => part(0, Buffer.of(byte))),
      part(0, '', true),
    ),
  ]),
  ...INVALID.flatMap((value) => [
    one(`text of ${value}`, text(Buffer.from(value, 'hex'))),
    one(
      `text of ${value} in two fragments`,
      part(TEXT, Buffer.from(value, 'hex').subarray(0, 1)),
      part(0, Buffer.from(value, 'hex').subarray(1), true),
    ),
  ]),
];

const closes = [
  last('Close without a code', frame(CLOSE, ''), text('a')),
  last('two Closes', Buffer.concat([close(1000), close(1000)])),
  last('Close, then a ping and a text', Buffer.concat([close(1000), frame(PING, ''), text('a')])),
  last('Close of one byte', frame(CLOSE, 'a')),
  last('Close with the longest reason', close(1000, '*'.repeat(123))),
  last('Close with a reason that is too long', close(1000, '*'.repeat(124))),
  last('Close with a reason that is no UTF-8', close(1000, Buffer.from('cebae1bdb9cf83cebcceb5eda080', 'hex'))),
  last('a large message, then Close', close(1000), text('*'.repeat(262_144))),
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map((code) =>
    last(`Close with ${code}`, close(code, 'why')),
  ),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map((code) =>
    last(`Close with ${code}, which is not allowed`, close(code)),
  ),
];

const lengths: WebSocketCase[] = [
  one(
    'a length of 16 bits for 5 bytes',
    Buffer.concat([Buffer.of(0x81, 0xfe, 0, 5, 0, 0, 0, 0), Buffer.from('hello')]),
  ),
  one(
    'a length of 64 bits for 5 bytes',
    Buffer.concat([Buffer.of(0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0), Buffer.from('hello')]),
  ),
  one('a length above 2^63', Buffer.of(0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0)),
  one('no mask', frame(TEXT, 'a', { masked: false })),
].map((all) => ({ ...all, forbidden: true }));

/** A message as permessage-deflate has it, RFC 7692 section 7.2.1, without context. */
const deflated = (payload: string | Buffer): Buffer =>
  deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);

const compressed: WebSocketCase[] = [
  one('a compressed text', frame(TEXT, deflated('hello hello hello'), { rsv: 4 })),
  one(
    'texts, compressed and not',
    frame(TEXT, deflated('a'), { rsv: 4 }),
    text('b'),
    frame(BINARY, deflated('c'), { rsv: 4 }),
  ),
  one(
    'a compressed text in fragments with a ping',
    frame(TEXT, deflated('hello').subarray(0, 2), { rsv: 4, final: false }),
    frame(PING, ''),
    part(0, deflated('hello').subarray(2), true),
  ),
  one('a compressed megabyte', frame(BINARY, deflated(Buffer.alloc(1_000_000, 'ab')), { rsv: 4 })),
  one('RSV1 in a later fragment', frame(TEXT, deflated('a'), { rsv: 4, final: false }), frame(0, 'b', { rsv: 4 })),
  one('RSV1 in a ping', frame(PING, '', { rsv: 4 })),
  one('bytes that are not compressed', frame(TEXT, Buffer.of(255, 255, 255, 255), { rsv: 4 })),
  one('RSV2', frame(TEXT, 'a', { rsv: 2 })),
].map((all) => ({ ...all, deflate: true }));

export const WEBSOCKET_CASES: readonly WebSocketCase[] = [
  ...ofSizes,
  ...pings,
  ...reserved,
  ...opcodes,
  ...fragments,
  ...utf8,
  ...closes,
  ...lengths,
  ...compressed,
];

/** The Close that ends a case. */
export const END = close(1000, 'end');
