/**
 * A bounded cache of texts in one SharedArrayBuffer that all workers use. It has SHARDS parts, each with a lock, an index and
 * a ring of bytes. The head of the ring overwrites the oldest entries:
 *
 *     index   [ tag | position ] ...     WAYS slots in which a key can be
 *     ring    | entry | entry | ... |    a position counts on and on; its place is the position modulo the ring's size
 *     entry   expiry | identity | lengths | key | value
 *
 * An entry is valid while its position is at most one ring behind the head, so nothing is ever freed one by one. An entry in
 * the oldest quarter that is read moves to the head: what is in use stays. A lock that was taken over from an ended thread
 * may guard a half-written entry: then the shard is emptied, which costs only time.
 */
import { randomInt } from 'node:crypto';
import { TextHash } from './hash.js';
import { SharedLocks } from './shared-lock.js';
import type { CacheSpace, CacheStore } from './types.js';

const MAGIC = 0x63616331;
const HEADER_WORDS = 16;
const Header = { Magic: 0, SeedLow: 1, SeedHigh: 2, TakeOvers: 3, Slots: 4 } as const;

const SHARDS = 32;
const WAYS = 16;
/** Bytes for entries to each slot of the index, which is about the size of a small entry. */
const BYTES_PER_SLOT = 128;
/** Slots of the smallest index: enough groups that the ring, and not a full group, decides which entries go. */
const MIN_SLOTS = 256;
/** Words of a slot: tag (2), position. Position 0: empty. */
const SLOT_WORDS = 3;
/** Words of a shard before its slots: lock, head. */
const SHARD_HEADER = 2;

/** Positions count units of 8 bytes. */
const UNIT = 8;
/** Units of an entry before its texts: expiry, hash of the identity, lengths of key and value. */
const ENTRY_UNITS = 3;
/** Bit of a length: two bytes for each character instead of one. */
const WIDE = 1 << 30;

const DEFAULT_BYTES = 16 * 1024 * 1024;
/** The largest entry, as a part of its ring. */
const MAX_ENTRY_SHARE = 8;

export interface CacheTableHealth {
  /** Bytes for entries. */
  readonly bytes: number;
  /** Bytes of the largest entry. */
  readonly maxEntry: number;
  /** Locks taken over from ended threads; each emptied a shard. */
  readonly takeOvers: number;
}

export class CacheTable implements CacheSpace {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #numbers: Float64Array<ArrayBufferLike>;
  readonly #bytes: Buffer<ArrayBufferLike>;
  readonly #locks: SharedLocks;
  readonly #hash = new TextHash();
  readonly #monotonic: () => number;
  /** Units of a shard's ring. */
  readonly #ring: number;
  /** Words of a shard's lock, head and index. */
  readonly #indexWords: number;
  /** Groups of slots in a shard, less one. */
  readonly #groupMask: number;
  /** The unit at which the rings begin. */
  readonly #rings: number;

  /** Memory for `new CacheTable` in every thread: `bytes` for entries, and about a tenth of it, at least 100 KiB, for the index. Default: 16 MiB. */
  static allocate({ bytes = DEFAULT_BYTES }: { readonly bytes?: number } = {}): SharedArrayBuffer {
    const ring = Math.max(64, Math.ceil(bytes / SHARDS / UNIT));
    const slots = Math.max(MIN_SLOTS, 2 ** Math.ceil(Math.log2((ring * UNIT) / BYTES_PER_SLOT)));
    const buffer = new SharedArrayBuffer((ringsAt(slots) + SHARDS * ring) * UNIT);
    const words = new Int32Array(buffer);
    words[Header.SeedLow] = randomInt(2 ** 32) | 0;
    words[Header.SeedHigh] = randomInt(2 ** 32) | 0;
    words[Header.Slots] = slots;
    for (let shard = 0; shard < SHARDS; shard++) words[HEADER_WORDS + shard * indexWords(slots) + 1] = ring;
    words[Header.Magic] = MAGIC;
    return buffer;
  }

  /** `monotonic`: milliseconds by a clock that all threads share. @throws TypeError for memory that allocate() did not create. */
  constructor(buffer: SharedArrayBuffer, monotonic: () => number) {
    this.#words = new Int32Array(buffer);
    const slots = this.#words[Header.Slots] ?? 0;
    this.#rings = ringsAt(slots);
    const ring = (buffer.byteLength / UNIT - this.#rings) / SHARDS;
    if (this.#words[Header.Magic] !== MAGIC || !Number.isInteger(ring))
      throw new TypeError('Not the memory of a cache table');
    this.#numbers = new Float64Array(buffer);
    this.#bytes = Buffer.from(buffer);
    this.#locks = new SharedLocks(this.#words);
    this.#monotonic = monotonic;
    this.#ring = ring;
    this.#indexWords = indexWords(slots);
    this.#groupMask = slots / WAYS - 1;
  }

  /** The entries of one identity, shared by all threads and generations. */
  store(identity: string): CacheStore {
    const { low, high } = this.#hash.update(this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!, identity);
    return {
      get: (key) => this.#inShard(low, high, key, (shard, slot) => this.#get(shard, slot, low, high, key)),
      set: (key, value, ttlMs) =>
        this.#inShard(low, high, key, (shard, slot) => this.#set(shard, slot, low, high, key, value, ttlMs)),
      delete: (key) => this.#inShard(low, high, key, (shard, slot) => this.#delete(shard, slot, low, high, key)),
    };
  }

  health(): CacheTableHealth {
    const takeOvers = Atomics.load(this.#words, Header.TakeOvers) >>> 0;
    return { bytes: SHARDS * this.#ring * UNIT, maxEntry: this.#maxUnits * UNIT, takeOvers };
  }

  get #maxUnits(): number {
    return Math.floor(this.#ring / MAX_ENTRY_SHARE);
  }

  /** Runs `work` under the lock of the key's shard, with the first slot of its group. The tag of the key is in #hash. */
  #inShard<T>(low: number, high: number, key: string, work: (shard: number, first: number) => T): T {
    const tag = this.#hash.update(low, high, key);
    const shard = tag.low & (SHARDS - 1);
    const group = tag.high & this.#groupMask;
    const lock = this.#lockOf(shard);
    if (this.#locks.acquire(lock)) this.#empty(shard);
    try {
      return work(shard, lock + SHARD_HEADER + group * WAYS * SLOT_WORDS);
    } finally {
      this.#locks.release(lock);
    }
  }

  #empty(shard: number): void {
    Atomics.add(this.#words, Header.TakeOvers, 1);
    const lock = this.#lockOf(shard);
    this.#words.fill(0, lock + SHARD_HEADER, lock + this.#indexWords);
    this.#words[this.#headOf(shard)] = this.#ring;
  }

  #get(shard: number, first: number, low: number, high: number, key: string): string | undefined {
    const slot = this.#find(shard, first, low, high, key);
    if (slot < 0) return undefined;
    const position = this.#words[slot + 2]!;
    const at = this.#placeOf(shard, position);
    const expires = this.#numbers[at]!;
    if (expires <= this.#monotonic()) {
      this.#words[slot + 2] = 0;
      return undefined;
    }
    const value = this.#valueAt(at);
    if (position < this.#words[this.#headOf(shard)]! - this.#ring * 0.75)
      this.#write(shard, slot, low, high, key, value, expires);
    return value;
  }

  #set(shard: number, first: number, low: number, high: number, key: string, value: string, ttlMs: number): void {
    const known = this.#find(shard, first, low, high, key);
    // Added to the time, a text would give a time far in the future.
    if (typeof ttlMs !== 'number') throw new TypeError('A time to live must be a number of milliseconds.');
    // Also if the new value is not stored: the old one is outdated.
    if (known >= 0) this.#words[known + 2] = 0;
    if (!(ttlMs > 0)) return;
    const slot = known >= 0 ? known : this.#spare(shard, first);
    this.#write(shard, slot, low, high, key, value, this.#monotonic() + ttlMs);
  }

  #delete(shard: number, first: number, low: number, high: number, key: string): void {
    const slot = this.#find(shard, first, low, high, key);
    if (slot >= 0) this.#words[slot + 2] = 0;
  }

  /** The slot of a valid entry of this key; -1 if there is none. */
  #find(shard: number, first: number, low: number, high: number, key: string): number {
    const words = this.#words;
    const oldest = words[this.#headOf(shard)]! - this.#ring;
    for (let slot = first; slot < first + WAYS * SLOT_WORDS; slot += SLOT_WORDS) {
      const position = words[slot + 2]!;
      if (position === 0 || words[slot] !== this.#hash.low || words[slot + 1] !== this.#hash.high) continue;
      if (position < oldest) continue;
      // The whole key is compared: a value may be a permission.
      const at = this.#placeOf(shard, position);
      if (words[at * 2 + 2] === low && words[at * 2 + 3] === high && this.#keyAt(at) === key) return slot;
    }
    return -1;
  }

  /** An unused slot of the group, or that of its oldest entry. */
  #spare(shard: number, first: number): number {
    const words = this.#words;
    const oldest = words[this.#headOf(shard)]! - this.#ring;
    let chosen = first;
    for (let slot = first; slot < first + WAYS * SLOT_WORDS; slot += SLOT_WORDS) {
      const position = words[slot + 2]!;
      if (position < oldest || position === 0) return slot;
      if (position < words[chosen + 2]!) chosen = slot;
    }
    return chosen;
  }

  #write(shard: number, slot: number, low: number, high: number, key: string, value: string, expires: number): void {
    const words = this.#words;
    const [keyLength, valueLength] = [lengthOf(key), lengthOf(value)];
    const units = ENTRY_UNITS + Math.ceil((bytesOf(keyLength) + bytesOf(valueLength)) / UNIT);
    words[slot + 2] = 0;
    if (units > this.#maxUnits) return;
    const position = this.#advance(shard, units);
    const at = this.#placeOf(shard, position);
    this.#numbers[at] = expires;
    words[at * 2 + 2] = low;
    words[at * 2 + 3] = high;
    words[at * 2 + 4] = keyLength;
    words[at * 2 + 5] = valueLength;
    const text = (at + ENTRY_UNITS) * UNIT;
    this.#bytes.write(key, text, codingOf(keyLength));
    this.#bytes.write(value, text + bytesOf(keyLength), codingOf(valueLength));
    words[slot] = this.#hash.low;
    words[slot + 1] = this.#hash.high;
    words[slot + 2] = position;
  }

  /** Moves the head over the next `units` that do not cross the end of the ring; returns their position. */
  #advance(shard: number, units: number): number {
    let head = this.#words[this.#headOf(shard)]!;
    const left = this.#ring - (head % this.#ring);
    if (units > left) head += left;
    // Positions are 31 bits: after gigabytes of writes the shard begins anew.
    if (head > 0x7fff_ffff - 2 * this.#ring) {
      const lock = this.#lockOf(shard);
      this.#words.fill(0, lock + SHARD_HEADER, lock + this.#indexWords);
      head = this.#ring;
    }
    this.#words[this.#headOf(shard)] = head + units;
    return head;
  }

  #lockOf(shard: number): number {
    return HEADER_WORDS + shard * this.#indexWords;
  }

  #headOf(shard: number): number {
    return HEADER_WORDS + shard * this.#indexWords + 1;
  }

  /** The unit at which an entry begins. */
  #placeOf(shard: number, position: number): number {
    return this.#rings + shard * this.#ring + (position % this.#ring);
  }

  #keyAt(at: number): string {
    return this.#text((at + ENTRY_UNITS) * UNIT, this.#words[at * 2 + 4]!);
  }

  #valueAt(at: number): string {
    const begin = (at + ENTRY_UNITS) * UNIT + bytesOf(this.#words[at * 2 + 4]!);
    return this.#text(begin, this.#words[at * 2 + 5]!);
  }

  #text(begin: number, length: number): string {
    return this.#bytes.toString(codingOf(length), begin, begin + bytesOf(length));
  }
}

/** Words of a shard's lock, head and index. */
const indexWords = (slots: number): number => SHARD_HEADER + slots * SLOT_WORDS;

/** The unit at which the rings begin. */
const ringsAt = (slots: number): number => Math.ceil(((HEADER_WORDS + SHARDS * indexWords(slots)) * 4) / UNIT);

/** The length of a text in characters, with the WIDE bit if one is beyond Latin-1. Keeps lone surrogates. */
const lengthOf = (text: string): number => (/[^\0-\xff]/.test(text) ? text.length | WIDE : text.length);
const bytesOf = (length: number): number => (length & WIDE ? (length & ~WIDE) * 2 : length);
const codingOf = (length: number): 'latin1' | 'utf16le' => (length & WIDE ? 'utf16le' : 'latin1');
