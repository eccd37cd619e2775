/** Contents for tests: bodies that say which they are, with a check of every byte. */

import type { MemoryContent } from '../../../src/state/content/memory/content.js';
import { MemoryContents } from '../../../src/state/content/memory/index.js';
import type { MemoryStore } from '../../../src/state/content/memory/store.js';
import type { ContentFacts, ContentWriter } from '../../../src/state/content/types.js';

export const MIB = 1024 * 1024;

export const facts = (extra: Partial<ContentFacts> = {}): ContentFacts => ({
  expiresAt: Number.POSITIVE_INFINITY,
  url: 'http://shop.test/',
  route: 'shop',
  tags: [],
  data: null,
  ...extra,
});

/** A body of bytes that follow from a number, so that a part of another body is noticed. */
export function bodyOf(seed: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at++) bytes[at] = (seed * 31 + at * 7 + (at >> 8)) & 0xff;
  return bytes;
}

export interface Opened {
  readonly memory: SharedArrayBuffer;
  readonly contents: MemoryContents;
  readonly store: MemoryStore;
}

/** A store with memory of its own. */
export function open({
  bytes = 4 * MIB,
  workers = 2,
  now = (): number => 0,
  maxEntry = 8 * MIB,
  admission = false,
} = {}): Opened {
  const memory = MemoryContents.allocate({ bytes, workers });
  const contents = new MemoryContents(memory, now, 0);
  return { memory, contents, store: contents.store('a', { maxEntry, admission, disk: false }) };
}

/** Writes a body in parts of `step` bytes; true if it is stored. */
export function fill(writer: ContentWriter | undefined, body: Uint8Array, step = 16_000): boolean {
  if (writer === undefined) return false;
  for (let at = 0; at < body.length; at += step)
    if (!writer.write(body.subarray(at, Math.min(body.length, at + step)))) return false;
  writer.commit();
  return true;
}

export const put = (store: MemoryStore, key: string, body: Uint8Array, extra: Partial<ContentFacts> = {}): boolean =>
  fill(store.put(key, facts(extra), body.length), body);

/** The body of a content, which is then released; undefined for none. */
export function read(store: MemoryStore, key: string): Buffer | undefined {
  const content = store.get(key);
  if (content === undefined) return undefined;
  const body = bytesOf(content);
  content.release();
  return body;
}

export const bytesOf = (content: MemoryContent): Buffer => Buffer.concat([...content.parts]);
