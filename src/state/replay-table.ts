/**
 * Values that may be used once (nonces, ids of proofs and messages), in one SharedArrayBuffer for all workers. note() tests and
 * notes under one lock, so of several callers, in whatever worker, one is the first.
 *
 *     group   [ lock | end ]  slot, slot, ...     WAYS slots in which a value can be; those from `end` on are free
 *     slot    expiry | owner | digest             96 bits of a keyed SHA-256; other bits of it choose the group
 *
 * No unexpired value is ever forgotten for another one: if there is no room, the answer is 'full'. Room is kept for callers that
 * use little: one gets no further slot of a group while it has SHARE times as many as are free. A caller alone gets two thirds of
 * the table, and leaves a third to others.
 *
 * The expiry of a slot is written last: a slot that an ended thread left half-written is free, and its value was not answered.
 */
import * as crypto from 'node:crypto';
import { TextHash } from './hash.js';
import { SharedLocks } from './shared-lock.js';
import type { ReplaySpace, ReplayStore, Use } from './types.js';

const MAGIC = 0x72706c31;
const HEADER_WORDS = 16;
const Header = { Magic: 0, Slots: 1, SeedLow: 2, SeedHigh: 3, Secret: 4 } as const;
const SECRET_BYTES = 16;

/** Slots of a group. Many, since values fall into groups by chance: the first group is full when the table is three quarters full. */
const WAYS = 256;
const DEFAULT_SLOTS = 2 ** 20;
/** Words of a slot: expiry in milliseconds (2), hash of the owner, digest (3). */
const SLOT_WORDS = 6;
const Slot = { Owner: 2, Digest: 3 } as const;
/** Words of a group before its slots. */
const GROUP_WORDS = 2;
const SHARE = 2;

export class ReplayTable implements ReplaySpace {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #numbers: Float64Array<ArrayBufferLike>;
  readonly #locks: SharedLocks;
  readonly #hash = new TextHash();
  readonly #monotonic: () => number;
  readonly #groups: number;
  readonly #secret: string;

  /**
   * Memory for `new ReplayTable` in every thread: 24 bytes for each slot, 24 MiB by default. The system gives a page when it is
   * first written to.
   */
  static allocate({ slots = DEFAULT_SLOTS }: { readonly slots?: number } = {}): SharedArrayBuffer {
    const rounded = 2 ** Math.ceil(Math.log2(Math.max(WAYS, slots)));
    const buffer = new SharedArrayBuffer(bytesFor(rounded));
    const words = new Int32Array(buffer, 0, HEADER_WORDS);
    words[Header.Slots] = rounded;
    words[Header.SeedLow] = crypto.randomInt(2 ** 32) | 0;
    words[Header.SeedHigh] = crypto.randomInt(2 ** 32) | 0;
    crypto.randomFillSync(words, Header.Secret, SECRET_BYTES / 4);
    words[Header.Magic] = MAGIC;
    return buffer;
  }

  /** `monotonic`: milliseconds by a clock that all threads share. @throws TypeError for memory that allocate() did not create. */
  constructor(buffer: SharedArrayBuffer, monotonic: () => number) {
    this.#words = new Int32Array(buffer);
    const slots = this.#words[Header.Slots] ?? 0;
    if (this.#words[Header.Magic] !== MAGIC || buffer.byteLength !== bytesFor(slots))
      throw new TypeError('Not the memory of a replay table');
    this.#numbers = new Float64Array(buffer);
    this.#locks = new SharedLocks(this.#words);
    this.#monotonic = monotonic;
    this.#groups = slots / WAYS;
    this.#secret = Buffer.from(buffer, Header.Secret * 4, SECRET_BYTES).toString('hex');
  }

  /** The values of one identity, shared by all threads and generations. */
  store(identity: string): ReplayStore {
    const { low, high } = this.#hash.update(this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!, identity);
    const prefix = `${this.#secret} ${JSON.stringify(identity)} `;
    return {
      note: (value, ttlMs, by = '') => this.#note(digestOf(prefix, value), ttlMs, this.#hash.update(low, high, by).low),
      forget: (value) => this.#forget(digestOf(prefix, value)),
    };
  }

  #note(digest: Buffer, ttlMs: number, owner: number): Use {
    // Added to the time, a text would give a time far in the future. A value without an end would keep its slot forever.
    if (!Number.isFinite(ttlMs)) throw new TypeError('A time to live must be a number of milliseconds.');
    const group = this.#groupOf(digest);
    this.#locks.acquire(group);
    const use = this.#noteIn(group, digest, ttlMs, owner);
    if (!this.#locks.release(group)) throw lost();
    return use;
  }

  #noteIn(group: number, digest: Buffer, ttlMs: number, owner: number): Use {
    const words = this.#words;
    const first = digest.readInt32LE(0);
    const second = digest.readInt32LE(4);
    const third = digest.readInt32LE(8);
    const now = this.#monotonic();
    const begin = group + GROUP_WORDS;
    const end = begin + words[group + 1]! * SLOT_WORDS;
    let free = -1;
    let live = 0;
    let own = 0;
    let last = begin;
    for (let slot = begin; slot < end; slot += SLOT_WORDS) {
      if (this.#numbers[slot / 2]! <= now) {
        if (free < 0) free = slot;
        continue;
      }
      const at = slot + Slot.Digest;
      if (words[at] === first && words[at + 1] === second && words[at + 2] === third) return 'used';
      live++;
      if (words[slot + Slot.Owner] === owner) own++;
      last = slot + SLOT_WORDS;
    }
    if (own >= SHARE * (WAYS - live)) return 'full';
    const slot = free < 0 ? last : free;
    words[group + 1] = (Math.max(last, slot + SLOT_WORDS) - begin) / SLOT_WORDS;
    words[slot + Slot.Owner] = owner;
    words[slot + Slot.Digest] = first;
    words[slot + Slot.Digest + 1] = second;
    words[slot + Slot.Digest + 2] = third;
    this.#numbers[slot / 2] = now + Math.max(1, ttlMs);
    return 'first';
  }

  #forget(digest: Buffer): void {
    const words = this.#words;
    const group = this.#groupOf(digest);
    const first = digest.readInt32LE(0);
    const second = digest.readInt32LE(4);
    const third = digest.readInt32LE(8);
    this.#locks.acquire(group);
    const begin = group + GROUP_WORDS;
    const end = begin + words[group + 1]! * SLOT_WORDS;
    for (let slot = begin; slot < end; slot += SLOT_WORDS) {
      const at = slot + Slot.Digest;
      if (words[at] === first && words[at + 1] === second && words[at + 2] === third) this.#numbers[slot / 2] = 0;
    }
    this.#locks.release(group);
  }

  /** The word at which the group of a value begins: its lock. */
  #groupOf(digest: Buffer): number {
    const group = digest.readUInt32LE(12) & (this.#groups - 1);
    return HEADER_WORDS + group * (GROUP_WORDS + WAYS * SLOT_WORDS);
  }
}

const digestOf = (prefix: string, value: string): Buffer => crypto.hash('sha256', prefix + value, 'buffer');

/**
 * This thread stood still for so long that another one took it for ended: both may have written. Its answer does not count, and
 * the other one's does.
 */
const lost = (): Error => new Error('the thread was suspended while it noted a value');

const bytesFor = (slots: number): number => (HEADER_WORDS + slots * SLOT_WORDS + (slots / WAYS) * GROUP_WORDS) * 4;
