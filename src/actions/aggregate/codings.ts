/** Removes the content codings of a reply, RFC 9110 section 8.4, within a bound. */
import * as zlib from 'node:zlib';

/** Codings of one body: more are an attack on the reader. */
const MOST_CODINGS = 3;

type Decode = (
  bytes: Uint8Array,
  options: { maxOutputLength: number },
  done: (error: Error | null, result: Buffer) => void,
) => void;

/** Present from Node 22.15 on. */
const zstd = (zlib as { readonly zstdDecompress?: Decode }).zstdDecompress;

/** RFC 1950 begins with a method and a check; some servers send bare RFC 1951. */
const inflate: Decode = (bytes, options, done) => {
  const [first = 0, second = 0] = bytes;
  const wrapped = (first & 0x0f) === 8 && ((first << 8) | second) % 31 === 0;
  (wrapped ? zlib.inflate : zlib.inflateRaw)(bytes, options, done);
};

const DECODERS: ReadonlyMap<string, Decode> = new Map<string, Decode>([
  ['gzip', zlib.gunzip],
  ['x-gzip', zlib.gunzip],
  ['deflate', inflate],
  ['br', zlib.brotliDecompress],
  ...(zstd === undefined ? [] : [['zstd', zstd] as const]),
]);

/** Why a body cannot be decoded: a phrase. */
export class CodingFault extends Error {}

/** The codings of a Content-Encoding field in the order in which they were applied. Throws CodingFault for unknown or too many ones. */
export function codingsOf(field: string | undefined): readonly string[] {
  const names = (field ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity');
  if (names.length > MOST_CODINGS) throw new CodingFault(`the body has more than ${MOST_CODINGS} content codings`);
  const unknown = names.find((name) => !DECODERS.has(name));
  if (unknown !== undefined)
    throw new CodingFault(`the content coding of the body is not known: ${unknown.slice(0, 40)}`);
  return names;
}

/** Decodes a body of at most `max` bytes after each step. Rejects with CodingFault. */
export async function decode(bytes: Uint8Array, codings: readonly string[], max: number): Promise<Uint8Array> {
  let body = bytes;
  for (const name of [...codings].reverse()) body = await decodeOne(body, name, max);
  return body;
}

const decodeOne = (bytes: Uint8Array, name: string, max: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    DECODERS.get(name)!(bytes, { maxOutputLength: max }, (error, result) => {
      if (error === null) resolve(result);
      else if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
        reject(new CodingFault(`the decoded body has more than ${max} bytes`));
      else reject(new CodingFault(`the body is not valid ${name}`));
    });
  });
