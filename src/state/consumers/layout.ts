/**
 * A table of consumers in one SharedArrayBuffer for all workers. It is built once in control and never changes, so readers
 * need no lock.
 *
 *     names    [ record + 1 ] ...       open addressing, at most half full, by a hash of the name
 *     index    [ credential + 1 ] ...   likewise, by a hash of the digest
 *     records  [ place of the text | length of the name | first credential | hash of the name, 64 bits ] ...
 *     digests  [ 256 bits ] ...         of each credential, in the order of the records
 *     owners   [ record ] ...           of each credential
 *     texts    the name, then the rest as JSON (rest.ts); without a rest, the consumer was removed
 *
 * The digest of a key is that in its id. That of another credential is SHA-256 of its kind and id.
 */
import * as crypto from 'node:crypto';
import type { CredentialKind } from '../../bundle/types.js';
import { finish } from '../hash.js';

export const MAGIC = 0x636e7332;
export const HEADER_WORDS = 16;
export const Header = {
  Magic: 0,
  IdLow: 1,
  IdHigh: 2,
  SeedLow: 3,
  SeedHigh: 4,
  Count: 5,
  Credentials: 6,
  TextBytes: 7,
} as const;
export const RECORD_WORDS = 5;
/** Words of a record. */
export const Field = { Text: 0, NameBytes: 1, Credentials: 2, HashLow: 3, HashHigh: 4 } as const;
export const DIGEST_WORDS = 8;
export const DIGEST_BYTES = DIGEST_WORDS * 4;

export type Words = Int32Array<ArrayBufferLike>;

/** Word offsets of the sections. */
export interface Sections {
  readonly names: number;
  readonly nameSlots: number;
  readonly index: number;
  readonly indexSlots: number;
  readonly records: number;
  readonly digests: number;
  readonly owners: number;
  readonly texts: number;
  readonly bytes: number;
}

/** Where the sections of a table begin, in words, and its size in bytes. `count`: of consumers. */
export function sectionsOf(count: number, credentials: number, textBytes: number): Sections {
  const [nameSlots, indexSlots] = [slotsFor(count), slotsFor(credentials)];
  const index = HEADER_WORDS + nameSlots;
  const records = index + indexSlots;
  const digests = records + (count + 1) * RECORD_WORDS;
  const owners = digests + credentials * DIGEST_WORDS;
  const texts = owners + credentials;
  const bytes = texts * 4 + Math.ceil(textBytes / 4) * 4;
  return { names: HEADER_WORDS, nameSlots, index, indexSlots, records, digests, owners, texts, bytes };
}

/** Slots of an index, at most half full, so that lookups end soon. */
export const slotsFor = (entries: number): number => 2 ** Math.ceil(Math.log2(Math.max(4, entries * 2)));

/** `at`, `otherAt`: the words at which the digests begin. */
export function sameDigest(one: Words, at: number, other: Words, otherAt: number): boolean {
  for (let word = 0; word < DIGEST_WORDS; word++) if (one[at + word] !== other[otherAt + word]) return false;
  return true;
}

/** A seeded hash of a digest. Its own bits are not enough: a spec may list hashes that no key has. */
export function hashOfDigest(words: Words, at: number, seed: number): number {
  let hash = seed;
  for (let word = 0; word < DIGEST_WORDS; word++) {
    hash = Math.imul(hash ^ words[at + word]!, 0xcc9e2d51);
    hash = (hash << 15) | (hash >>> 17);
  }
  return finish(hash);
}

const KEY_ID = /^sha256:([0-9a-f]{64})$/;

/** The digest of a credential as hex; undefined for the malformed id of a key. */
export function digestOf(kind: CredentialKind, id: string): string | undefined {
  return kind === 'key' ? KEY_ID.exec(id)?.[1] : crypto.hash('sha256', `${kind}\0${id}`, 'hex');
}
