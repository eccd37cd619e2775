/**
 * Values that may be used once (nonces, ids of proofs and messages), in one SharedArrayBuffer for all workers. note() tests and
 * notes under one lock, so of several callers, in whatever worker, one is the first.
 *
 *     slot    expiry | owner | digest             96 bits of a keyed SHA-256; other bits of it choose the group
 *
 * No unexpired value is ever forgotten for another one: if there is no room, the answer is 'full' (slot-groups.ts).
 *
 * The expiry of a slot is written last: a slot that an ended thread left half-written is free, and its value was not answered.
 */
import { GROUP_WORDS, mayHaveMore, SlotGroups, type SlotKind, suspended } from './slot-groups.js';
import type { ReplaySpace, ReplayStore, Use } from './types.js';

const DEFAULT_SLOTS = 2 ** 20;
/** Words of a slot: expiry in milliseconds (2), hash of the owner, digest (3). */
const SLOT_WORDS = 6;
const Slot = { Owner: 2, Digest: 3 } as const;
const KIND: SlotKind = { name: 'a replay table', magic: 0x72706c31, slotWords: SLOT_WORDS };

export class ReplayTable implements ReplaySpace {
  readonly #groups: SlotGroups;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #numbers: Float64Array<ArrayBufferLike>;
  readonly #monotonic: () => number;

  /** Memory for `new ReplayTable` in every thread: 24 bytes for each slot, 24 MiB by default. */
  static allocate({ slots = DEFAULT_SLOTS }: { readonly slots?: number } = {}): SharedArrayBuffer {
    return SlotGroups.allocate(KIND, slots);
  }

  /** `monotonic`: milliseconds by a clock that all threads share. @throws TypeError for memory that allocate() did not create. */
  constructor(buffer: SharedArrayBuffer, monotonic: () => number) {
    this.#groups = new SlotGroups(buffer, KIND);
    this.#words = this.#groups.words;
    this.#numbers = this.#groups.numbers;
    this.#monotonic = monotonic;
  }

  /** The values of one identity, shared by all threads and generations. */
  store(identity: string): ReplayStore {
    const { digestOf, ownerOf } = this.#groups.identity(identity);
    return {
      note: (value, ttlMs, by = '') => this.#note(digestOf(value), ttlMs, ownerOf(by)),
      forget: (value) => this.#forget(digestOf(value)),
    };
  }

  #note(digest: Buffer, ttlMs: number, owner: number): Use {
    // Added to the time, a text would give a time far in the future. A value without an end would keep its slot forever.
    if (!Number.isFinite(ttlMs)) throw new TypeError('A time to live must be a number of milliseconds.');
    const group = this.#groupOf(digest);
    const { locks } = this.#groups;
    locks.acquire(group);
    const use = this.#noteIn(group, digest, ttlMs, owner);
    if (!locks.release(group)) throw suspended('a value');
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
    if (!mayHaveMore(own, live)) return 'full';
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
    this.#groups.locks.acquire(group);
    const begin = group + GROUP_WORDS;
    const end = begin + words[group + 1]! * SLOT_WORDS;
    for (let slot = begin; slot < end; slot += SLOT_WORDS) {
      const at = slot + Slot.Digest;
      if (words[at] === first && words[at + 1] === second && words[at + 2] === third) this.#numbers[slot / 2] = 0;
    }
    this.#groups.locks.release(group);
  }

  /** The word at which the group of a value begins: its lock. */
  #groupOf(digest: Buffer): number {
    return this.#groups.groupOf(digest.readUInt32LE(12));
  }
}
