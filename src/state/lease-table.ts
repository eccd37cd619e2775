/**
 * Expiring leases in one SharedArrayBuffer: of all workers, one has the lease of a key. A lease ends when it is released, when
 * its time is over, or when its worker has ended.
 */
import { randomInt } from 'node:crypto';
import { TextHash } from './hash.js';
import { SharedLocks } from './shared-lock.js';

const MAGIC = 0x6c656131;
const HEADER_WORDS = 16;
const Header = { Magic: 0, SeedLow: 1, SeedHigh: 2, Next: 3 } as const;

const WAYS = 16;
const SLOTS = 4096;
const GROUPS = SLOTS / WAYS;
/** Words of a slot: hash of the key (2), number of the lease, worker, end in milliseconds (2). Number 0: free. */
const SLOT_WORDS = 6;
const Slot = { Low: 0, High: 1, Number: 2, Worker: 3, End: 4 } as const;
/** A multiple of 8 bytes: the ends are 64-bit numbers. */
const FIRST_SLOT = HEADER_WORDS + GROUPS;
const BYTES = (FIRST_SLOT + SLOTS * SLOT_WORDS) * 4;

export interface Lease {
  /** Identifies it; 0: the table is full, and the lease is not shared. */
  readonly number: number;
  readonly mine: boolean;
}

export class LeaseTable {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #numbers: Float64Array<ArrayBufferLike>;
  readonly #locks: SharedLocks;
  readonly #hash = new TextHash();
  readonly #worker: number;

  /** Memory for `new LeaseTable` in every thread: 100 KiB, for 4096 leases at a time. */
  static allocate(): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(BYTES);
    const words = new Int32Array(buffer);
    words[Header.SeedLow] = randomInt(2 ** 32) | 0;
    words[Header.SeedHigh] = randomInt(2 ** 32) | 0;
    words[Header.Magic] = MAGIC;
    return buffer;
  }

  /** @throws TypeError for memory that allocate() did not create. */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    this.#words = new Int32Array(buffer);
    if (this.#words[Header.Magic] !== MAGIC || buffer.byteLength !== BYTES)
      throw new TypeError('Not the memory of a lease table');
    this.#numbers = new Float64Array(buffer);
    this.#locks = new SharedLocks(this.#words);
    this.#worker = worker;
  }

  /** Takes the lease of `key` until `nowMs + ms`, or returns the one that another caller has. */
  acquire(key: string, nowMs: number, ms: number): Lease {
    return this.#inGroup(
      key,
      (slot, low, high) => {
        const words = this.#words;
        if (slot < 0) return { number: 0, mine: true };
        if (words[slot] === low && words[slot + Slot.High] === high && this.#lives(slot, nowMs))
          return { number: words[slot + Slot.Number]!, mine: false };
        words[slot + Slot.Number] = 0;
        words[slot] = low;
        words[slot + Slot.High] = high;
        words[slot + Slot.Worker] = this.#worker;
        this.#numbers[endOf(slot)] = nowMs + ms;
        // Never 0, also after the count has passed 32 bits.
        const number = Atomics.add(words, Header.Next, 1) + 1 || 1;
        words[slot + Slot.Number] = number;
        return { number, mine: true };
      },
      nowMs,
    );
  }

  /** Whether the lease with this number is still held. */
  holds(key: string, number: number, nowMs: number): boolean {
    return this.#inGroup(
      key,
      (slot) => slot >= 0 && this.#words[slot + Slot.Number] === number && this.#lives(slot, nowMs),
      nowMs,
    );
  }

  /** Does nothing if the lease has ended. */
  release(key: string, number: number, nowMs: number): void {
    this.#inGroup(
      key,
      (slot) => {
        if (slot >= 0 && this.#words[slot + Slot.Number] === number) this.#words[slot + Slot.Number] = 0;
      },
      nowMs,
    );
  }

  /** Ends the leases of a worker that has ended. */
  forget(worker: number): void {
    for (let at = 0; at < SLOTS; at++) {
      const slot = FIRST_SLOT + at * SLOT_WORDS;
      if (this.#words[slot + Slot.Number] === 0 || this.#words[slot + Slot.Worker] !== worker) continue;
      const lock = HEADER_WORDS + Math.floor(at / WAYS);
      this.#locks.acquire(lock);
      if (this.#words[slot + Slot.Worker] === worker) this.#words[slot + Slot.Number] = 0;
      this.#locks.release(lock);
    }
  }

  /** The number of a slot is written last: one that an ended thread left half-written is free, so there is nothing to repair. */
  #inGroup<T>(key: string, work: (slot: number, low: number, high: number) => T, nowMs: number): T {
    const { low, high } = this.#hash.update(this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!, key);
    const group = high & (GROUPS - 1);
    this.#locks.acquire(HEADER_WORDS + group);
    try {
      return work(this.#find(group, low, high, nowMs), low, high);
    } finally {
      this.#locks.release(HEADER_WORDS + group);
    }
  }

  /** The slot of a key, or a free one; -1 if the group is full. */
  #find(group: number, low: number, high: number, nowMs: number): number {
    const first = FIRST_SLOT + group * WAYS * SLOT_WORDS;
    let free = -1;
    for (let slot = first; slot < first + WAYS * SLOT_WORDS; slot += SLOT_WORDS) {
      if (this.#lives(slot, nowMs)) {
        if (this.#words[slot] === low && this.#words[slot + Slot.High] === high) return slot;
      } else if (free < 0) free = slot;
    }
    return free;
  }

  #lives(slot: number, nowMs: number): boolean {
    return this.#words[slot + Slot.Number] !== 0 && this.#numbers[endOf(slot)]! > nowMs;
  }
}

/** Index of the slot's end in 64-bit numbers. */
const endOf = (slot: number): number => (slot + Slot.End) / 2;
