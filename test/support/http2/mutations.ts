/** Seeded sequences of HTTP/2 frames that are nearly valid. */
import { seededBelow } from '../random.js';
import { type Fields, GET, hpack, POST } from './hpack.js';
import { ACK, END_HEADERS, END_STREAM, frame, PADDED, PREFACE, PRIORITY, setting, Type, u32 } from './raw-client.js';

type Below = (below: number) => number;

const VALUES = ['', 'b', 'b'.repeat(300), 'b\0', 'b\r\nx: y', '\xff', 'trailers', '5', 'chunked'];
const NAMES = [
  'x-a',
  'te',
  'cookie',
  'host',
  'content-length',
  'transfer-encoding',
  'X-A',
  ':path',
  '',
  'expect',
  'connection',
];

const pick = <T>(below: Below, all: readonly T[]): T => all[below(all.length)]!;

const some = (below: Below, most: number, make: () => [string, string]): [string, string][] =>
  Array.from({ length: below(most + 1) }, make);

function fields(below: Below, base: Fields): Fields {
  const more = some(below, 3, () => [pick(below, NAMES), pick(below, VALUES)]);
  return below(4) === 0 ? [...more, ...base] : [...base, ...(below(2) === 0 ? more : [])];
}

/** A valid frame for most of the time. `stream`: the newest one. `base`: what the first block of a stream says. */
function oneFrame(below: Below, stream: number, base: readonly Fields[]): Buffer {
  const on = below(5) === 0 ? below(12) : stream;
  const flags = below(6) === 0 ? below(64) : -1;
  const use = (usual: number): number => (flags < 0 ? usual : flags);
  switch (below(14)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return frame(
        Type.Headers,
        use(END_HEADERS | (below(3) > 0 ? END_STREAM : 0)),
        on,
        hpack(fields(below, pick(below, base))),
      );
    case 4:
    case 5:
      return frame(Type.Data, use(below(2) === 0 ? END_STREAM : 0), on, Buffer.alloc(below(300)));
    case 6:
      return frame(
        Type.Headers,
        use(END_HEADERS | END_STREAM),
        on,
        hpack(some(below, 3, () => [pick(below, NAMES), pick(below, VALUES)])),
      );
    case 7:
      return frame(Type.Settings, use(0), 0, setting(below(10), pick(below, [0, 1, 100, 16_384, 65_535, 0x7fff_ffff])));
    case 8:
      return frame(Type.WindowUpdate, use(0), below(2) === 0 ? 0 : on, u32(pick(below, [0, 1, 65_535, 0x7fff_ffff])));
    case 9:
      return frame(Type.RstStream, use(0), on, u32(below(14)));
    case 10:
      return frame(Type.Ping, use(below(3) === 0 ? ACK : 0), 0, Buffer.alloc(8, below(256)));
    case 11: {
      const block = hpack(pick(below, base));
      const at = below(block.length);
      const first = frame(Type.Headers, below(2) === 0 ? END_STREAM : 0, on, block.subarray(0, at));
      return Buffer.concat([first, frame(Type.Continuation, use(END_HEADERS), on, block.subarray(at))]);
    }
    case 12: {
      const padded = Buffer.concat([
        Buffer.from([below(20), 0, 0, 0, 0, 0]),
        hpack(pick(below, base)),
        Buffer.alloc(below(20)),
      ]);
      return frame(Type.Headers, END_HEADERS | END_STREAM | PADDED | PRIORITY, on, padded);
    }
    default:
      return frame(below(16), use(0), on, Buffer.alloc(below(20), below(256)));
  }
}

/** Changes, removes, repeats or inserts bytes. */
function mutated(below: Below, bytes: Buffer): Buffer {
  const at = below(bytes.length);
  switch (below(4)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from([below(256)]), bytes.subarray(at + 1)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(9))]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - below(40)))]);
    default:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + below(9), below(256)), bytes.subarray(at)]);
  }
}

const joined = (below: Below, first: readonly Buffer[], frames: readonly Buffer[]): Buffer => {
  let bytes: Buffer = Buffer.concat([...first, ...frames]);
  for (let count = below(4); count > 0 && bytes.length > 0; count--) bytes = mutated(below, bytes);
  return bytes;
};

/** What a client sends on a connection. */
export function clientBytes(seed: number): Buffer {
  const below = seededBelow(seed);
  let stream = -1;
  const frames = Array.from({ length: 1 + below(30) }, () => {
    if (below(2) === 0 || stream < 0) stream += 2;
    return oneFrame(below, stream, [GET, POST]);
  });
  return joined(below, [PREFACE, frame(Type.Settings, 0, 0)], frames);
}

const REPLIES: readonly Fields[] = [
  [[':status', '200']],
  [
    [':status', '200'],
    ['content-length', '5'],
  ],
  [[':status', '103']],
  [[':status', '204']],
  [[':status', '2x0']],
];

/** What a target sends once it has got the request on `stream`. */
export function targetBytes(seed: number, stream: number): Buffer {
  const below = seededBelow(seed);
  const frames = Array.from({ length: 1 + below(8) }, () => oneFrame(below, stream, REPLIES));
  return joined(below, [], frames);
}

/** Parts in which bytes are sent. */
export function parts(seed: number, bytes: Buffer): Buffer[] {
  const below = seededBelow(seed);
  const all: Buffer[] = [];
  const most = pick(below, [1 << 20, 1 << 20, 200, 9]);
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + 1 + below(most));
    all.push(bytes.subarray(at, end));
    at = end;
  }
  return all;
}
