/** As much of HPACK (RFC 7541) as a client in tests needs. */
import { END_HEADERS, END_STREAM, frame, Type } from './raw-client.js';

/** An integer with a prefix of `bits` bits below those of `first`, section 5.1. */
export function integer(value: number, bits: number, first: number): Buffer {
  const most = 2 ** bits - 1;
  if (value < most) return Buffer.from([first | value]);
  const bytes = [first | most];
  let rest = value - most;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

const text = (value: string): Buffer =>
  Buffer.concat([integer(Buffer.byteLength(value, 'latin1'), 7, 0), Buffer.from(value, 'latin1')]);

export type Fields = readonly (readonly [name: string, value: string])[];

/** Literal fields without indexing, section 6.2.2; `first` 0x40: with indexing. */
export const hpack = (fields: Fields, first = 0): Buffer =>
  Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([first]), text(name), text(value)]));

export const GET: Fields = [
  [':method', 'GET'],
  [':scheme', 'http'],
  [':path', '/hello'],
  [':authority', 'a.example'],
];

export const POST: Fields = [[':method', 'POST'], ...GET.slice(1)];

/** HEADERS with these fields. */
export const headers = (stream: number, fields: Fields, flags = END_STREAM | END_HEADERS): Buffer =>
  frame(Type.Headers, flags, stream, hpack(fields));

/** Huffman codes of the digits, appendix B. */
const DIGITS = ['00000', '00001', '00010', '011001', '011010', '011011', '011100', '011101', '011110', '011111'];
/** The statuses of the static table, appendix A, from index 8. */
const STATUSES = [200, 204, 206, 304, 400, 404, 500];

/** The status in a header block, of which it is the first field; 0 if there is none, as in trailers. */
export function statusOf(block: Buffer): number {
  let at = 0;
  while ((block[at]! & 0xe0) === 0x20) at++;
  const first = block[at] ?? 0;
  if (first & 0x80) return STATUSES[(first & 0x7f) - 8] ?? 0;
  const name = first & 0x40 ? first & 0x3f : first & 0x0f;
  if (name < 8 || name > 14) return 0;
  const length = block[at + 1]! & 0x7f;
  const value = block.subarray(at + 2, at + 2 + length);
  if ((block[at + 1]! & 0x80) === 0) return Number(value.toString('latin1'));
  let bits = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  let status = '';
  while (status.length < 3) {
    const digit = DIGITS.findIndex((code) => bits.startsWith(code));
    if (digit < 0) return 0;
    status += digit;
    bits = bits.slice(DIGITS[digit]!.length);
  }
  return Number(status);
}
