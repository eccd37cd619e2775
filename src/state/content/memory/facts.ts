/** Key and facts of a content as bytes: in shared memory, each worker decodes them once. */
import type { ContentFacts } from '../types.js';

/** Whether the key is UTF-16, and bytes of key, URL, tags and data: 32 bits each. */
const HEAD = 20;

/** Without expiresAt, which is a number of its own. */
export function encodeFacts<Data>(key: string, { url, route, tags, data }: ContentFacts<Data>): Buffer {
  const wide = isWide(key);
  const listed = tags.length === 0 ? '[]' : JSON.stringify(tags);
  const rest = JSON.stringify([route, data]);
  const keyLength = wide ? key.length * 2 : key.length;
  const urlLength = url === '' ? 0 : Buffer.byteLength(url);
  const tagsLength = tags.length === 0 ? 2 : Buffer.byteLength(listed);
  const restLength = Buffer.byteLength(rest);
  const bytes = Buffer.allocUnsafe(HEAD + keyLength + urlLength + tagsLength + restLength);
  bytes.writeUInt32LE(wide ? 1 : 0, 0);
  bytes.writeUInt32LE(keyLength, 4);
  bytes.writeUInt32LE(urlLength, 8);
  bytes.writeUInt32LE(tagsLength, 12);
  bytes.writeUInt32LE(restLength, 16);
  bytes.write(key, HEAD, wide ? 'utf16le' : 'latin1');
  // The brackets keep halves of characters apart, so that together they have the bytes that they have alone.
  bytes.write(url + listed + rest, HEAD + keyLength);
  return bytes;
}

/** Compares whole keys: a content may be private. */
export function hasKey(bytes: Buffer<ArrayBufferLike>, begin: number, key: string): boolean {
  const wide = bytes.readUInt32LE(begin) === 1;
  if (bytes.readUInt32LE(begin + 4) !== (wide ? key.length * 2 : key.length)) return false;
  return keyOf(bytes, begin) === key;
}

export function keyOf(bytes: Buffer<ArrayBufferLike>, begin: number): string {
  return part(bytes, begin, 0).toString(bytes.readUInt32LE(begin) === 1 ? 'utf16le' : 'latin1');
}

/** The bytes of the URL, which a purge by prefix compares. */
export const urlBytes = (bytes: Buffer<ArrayBufferLike>, begin: number): Buffer<ArrayBufferLike> =>
  part(bytes, begin, 1);

/** Whether a content has this tag. */
export function hasTag(bytes: Buffer<ArrayBufferLike>, begin: number, tag: string): boolean {
  const tags = part(bytes, begin, 2);
  // The search is quick and finds every tag that is there; with quotes in tags it may find one that is not.
  return tags.includes(JSON.stringify(tag)) && (JSON.parse(tags.toString('utf8')) as string[]).includes(tag);
}

/** URL, tags and the rest as texts, to be decoded when the lock is released. */
export interface FactTexts {
  readonly url: string;
  readonly tags: string;
  readonly rest: string;
}

export const factTexts = (bytes: Buffer<ArrayBufferLike>, begin: number): FactTexts => ({
  url: part(bytes, begin, 1).toString('utf8'),
  tags: part(bytes, begin, 2).toString('utf8'),
  rest: part(bytes, begin, 3).toString('utf8'),
});

/** `Data`: what the owner of the content has encoded. Undefined: a thread that was taken for ended has written over it. */
export function decodeFacts<Data>({ url, tags, rest }: FactTexts, expiresAt: number): ContentFacts<Data> | undefined {
  try {
    const [route, data] = JSON.parse(rest) as [string, Data];
    return { expiresAt, url, route, tags: JSON.parse(tags) as string[], data };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Key, URL, tags or the rest, by number. */
function part(bytes: Buffer<ArrayBufferLike>, begin: number, wanted: number): Buffer<ArrayBufferLike> {
  let from = begin + HEAD;
  for (let at = 0; at < wanted; at++) from += bytes.readUInt32LE(begin + 4 + at * 4);
  return bytes.subarray(from, from + bytes.readUInt32LE(begin + 4 + wanted * 4));
}

const isWide = (text: string): boolean => /[^\0-\xff]/.test(text);
