/** How a content is written on disk: a record with its facts, and its body in chunks beside it. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ContentFacts } from '../types.js';

/** Of the records, of what policies keep in them, and of the whole store. Another number begins a new store. */
export const FORMAT = 2;

/**
 * Bytes of a chunk of a body: with the header of its first page, whole pages of any common size. Chunks of one size fit into
 * the pages that others have left, so that the file does not grow by fragments.
 */
export const CHUNK = 65_536 - 64;

/** Bytes of the facts of one content as JSON. */
const MAX_FACTS = 256 * 1024;

const HEAD = 40;
const SOFT = 1;
const KEPT = 2;

/** What says which content it is. */
export interface ContentName {
  readonly owner: string;
  readonly key: string;
}

export interface Body {
  /** Bytes. */
  readonly length: number;
  readonly crc: number;
}

export interface StoredRecord extends ContentName, Body {
  /** Under this number are its chunks. */
  readonly id: number;
  /** Its place in the queue for eviction; 0 if it is not evicted. */
  readonly order: number;
  readonly soft: boolean;
  /** It is not evicted before its time. */
  readonly kept: boolean;
  readonly facts: ContentFacts<unknown>;
}

/** The checksum of a body. `crc`: of what comes before it. */
export const checksum = (bytes: Uint8Array, crc = 0): number => crc32(bytes, crc);

export function checksumOf(parts: readonly Uint8Array[]): number {
  let crc = 0;
  for (const part of parts) crc = crc32(part, crc);
  return crc;
}

/** A copy of a body, since shared memory may change: undefined if it is not what its checksum says. */
export function wholeBody(parts: readonly Uint8Array[], { length, crc }: Body): Buffer | undefined {
  const body = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    if (at + part.length > length) return undefined;
    body.set(part, at);
    at += part.length;
  }
  return at === length && crc32(body) === crc ? body : undefined;
}

/** Undefined: its facts are too large. */
export function encodeRecord(record: StoredRecord): Buffer | undefined {
  const { owner, key, facts } = record;
  const text = JSON.stringify([owner, key, facts.url, facts.route, facts.tags, facts.data]);
  const size = Buffer.byteLength(text);
  if (size > MAX_FACTS) return undefined;
  const bytes = Buffer.alloc(HEAD + size);
  bytes[0] = FORMAT;
  bytes[1] = (record.soft ? SOFT : 0) | (record.kept ? KEPT : 0);
  bytes.writeBigUInt64BE(BigInt(record.id), 8);
  bytes.writeBigUInt64BE(BigInt(record.order), 16);
  bytes.writeUInt32BE(record.length, 24);
  bytes.writeUInt32BE(record.crc, 28);
  bytes.writeDoubleBE(facts.expiresAt, 32);
  bytes.write(text, HEAD);
  bytes.writeUInt32BE(crc32(bytes), 4);
  return bytes;
}

/** Undefined: it is not what encodeRecord() has written. */
export function decodeRecord(bytes: Buffer): StoredRecord | undefined {
  if (bytes.length < HEAD || bytes[0] !== FORMAT) return undefined;
  const copy = Buffer.from(bytes);
  copy.writeUInt32BE(0, 4);
  if (crc32(copy) !== bytes.readUInt32BE(4)) return undefined;
  const [owner, key, url, route, tags, data] = JSON.parse(bytes.toString('utf8', HEAD)) as [
    string,
    string,
    string,
    string,
    string[],
    unknown,
  ];
  return {
    owner,
    key,
    id: Number(bytes.readBigUInt64BE(8)),
    order: Number(bytes.readBigUInt64BE(16)),
    length: bytes.readUInt32BE(24),
    crc: bytes.readUInt32BE(28),
    soft: (bytes[1]! & SOFT) !== 0,
    kept: (bytes[1]! & KEPT) !== 0,
    facts: { expiresAt: bytes.readDoubleBE(32), url, route, tags, data },
  };
}

/** The key of a record: 32 bytes, whatever the length of the names. */
export const recordKey = ({ owner, key }: ContentName): Buffer =>
  createHash('sha256').update(`${owner.length}:${owner}${key}`).digest();

/** Of an owner, as the keys of the index have it. */
export const ownerHash = (owner: string): Buffer => createHash('sha256').update(owner).digest().subarray(0, 8);

/** How long a content stays: until room is needed, always, or until its time is over. */
export const stayOf = ({ kept, order }: StoredRecord): 'usual' | 'forever' | 'kept' =>
  kept ? 'kept' : order === 0 ? 'forever' : 'usual';

/** Its place among the kept ones: by the time at which it expires. */
export const expiryKey = ({ facts, id }: StoredRecord): Buffer =>
  Buffer.concat([
    numberKey(Math.floor(Math.max(0, Math.min(facts.expiresAt, Number.MAX_SAFE_INTEGER)))),
    numberKey(id),
  ]);

export function numberKey(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(BigInt(number));
  return bytes;
}

export function chunkKey(id: number, chunk: number): Buffer {
  const bytes = Buffer.allocUnsafe(12);
  bytes.writeBigUInt64BE(BigInt(id));
  bytes.writeUInt32BE(chunk, 8);
  return bytes;
}

export const chunksOf = (length: number): number => Math.ceil(length / CHUNK);

/** What a purge looks for, in the order of the index: `o` all of an owner, `u` URL, `r` route, `t` tag. */
export type IndexKind = 'o' | 'u' | 'r' | 't';

/** A key of an index has at most this many bytes of its text: what it finds is compared with the facts. */
const INDEXED = 1000;

/** All keys of the index that begin so belong to contents of this owner that may have this text. */
export const indexPrefix = (kind: IndexKind, owner: string, text: string, whole: boolean): Buffer => {
  const bytes = Buffer.from(text).subarray(0, INDEXED);
  const end = whole && bytes.length < INDEXED ? Buffer.from([0]) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from(kind), ownerHash(owner), bytes, end]);
};

/** The hash of the owner in a key of the index. */
export const ownerIn = (key: Buffer): Buffer => key.subarray(1, 9);

/** The entries of a record in the index. */
export function indexKeys({ owner, id, facts }: StoredRecord): Buffer[] {
  const hash = ownerHash(owner);
  const number = numberKey(id);
  const keyOf = (kind: IndexKind, text: string): Buffer =>
    Buffer.concat([Buffer.from(kind), hash, Buffer.from(text).subarray(0, INDEXED), Buffer.from([0]), number]);
  const keys = [keyOf('o', '')];
  if (facts.url !== '') keys.push(keyOf('u', facts.url));
  if (facts.route !== '') keys.push(keyOf('r', facts.route));
  for (const tag of new Set(facts.tags)) keys.push(keyOf('t', tag));
  return keys;
}

const PAGE = 4096;
/** Values above it have pages of their own. */
const INLINE = 1900;

const costOf = (bytes: number): number =>
  bytes > INLINE ? Math.ceil((bytes + 16) / PAGE) * PAGE + 64 : Math.ceil((bytes + 56) * 1.5);

/** Bytes of the file that it takes, nearly: pages of a tree are two thirds full. */
export function costOfRecord(record: StoredRecord, encoded: number): number {
  let cost = costOf(encoded + 32) + costOf(48);
  for (const key of indexKeys(record)) cost += costOf(key.length + 32);
  const chunks = chunksOf(record.length);
  if (chunks > 0) cost += (chunks - 1) * costOf(CHUNK + 12) + costOf(record.length - (chunks - 1) * CHUNK + 12);
  return cost;
}

/** Whether a purge by this text selects it. */
export function selects(kind: IndexKind, text: string, whole: boolean, facts: ContentFacts<unknown>): boolean {
  if (kind === 'o') return true;
  if (kind === 'r') return facts.route === text;
  if (kind === 't') return facts.tags.includes(text);
  return whole ? facts.url === text : facts.url.startsWith(text);
}
