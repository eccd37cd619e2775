/** Bodies that say which key and version they are, in every part. */
import { createHash } from 'node:crypto';
import type { Content } from '../../src/state/content/types.js';

export const KEYS = 150;

/** From none to 300 kB; every 32 bytes depend on key, version and place. */
export function bodyOf(key: number, version: number): Buffer {
  const seed = createHash('sha256').update(`${key} ${version}`).digest();
  const size = seed.readUInt32BE(0) % (seed[4]! < 40 ? 300_000 : 20_000);
  const body = Buffer.alloc(size);
  for (let at = 0; at < size; at += 32) {
    for (let byte = 0; byte < 32 && at + byte < size; byte++) body[at + byte] = seed[byte]! ^ ((at >>> 5) + byte);
  }
  return body;
}

/** What is wrong with a content that was found under this key; undefined if nothing is. */
export function isRight(key: number, { key: name, facts, parts, length }: Content<unknown>): string | undefined {
  const said = facts.data as { key?: unknown; version?: unknown } | null;
  if (name !== `k${key}` || said?.key !== key || typeof said.version !== 'number') return `k${key}: facts of another`;
  if (facts.url !== `https://a.example/${key}`) return `k${key}: URL of another`;
  const body = Buffer.concat(parts);
  const right = bodyOf(key, said.version);
  if (length !== right.length || !body.equals(right)) return `k${key}: body is not that of version ${said.version}`;
  return undefined;
}
