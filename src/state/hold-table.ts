/**
 * Counts what is in progress for each key in one SharedArrayBuffer for all workers, so that bounds are exact. Each key has a
 * total, and a count for each worker, so that those of an ended worker can be removed. A key can be in any of the WAYS slots
 * of one group, under that group's lock; its last hold frees the slot. A key whose group is full of others is not counted:
 * a lack of slots refuses nothing.
 */
import { randomInt } from 'node:crypto';
import { TextHash } from './hash.js';
import { SharedLocks } from './shared-lock.js';
import type { Hold, HoldKeySnapshot, HoldSpace, HoldStore, HoldsSnapshot } from './types.js';

const MAGIC = 0x686f6c31;
const HEADER_WORDS = 16;
const Header = { Magic: 0, Slots: 1, Workers: 2, SeedLow: 3, SeedHigh: 4, Overflows: 5 } as const;

const WAYS = 16;
const DEFAULT_SLOTS = 16_384;
/** Words of a slot: hash of identity and key (2), hash of the identity (2), total, capacity of the last acquire. */
const SLOT_WORDS = 6;
const Slot = { Low: 0, High: 1, OwnerLow: 2, OwnerHigh: 3, Total: 4, Capacity: 5 } as const;
/** Identities whose refusals are counted; each has two words, a tag of its hash and the count. Further ones have no count. */
const OWNERS = 1024;
/** Bytes of a key that are kept for display; the first is their number. */
const KEY_BYTES = 64;

export class HoldTable implements HoldSpace {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #bytes: Buffer<ArrayBufferLike>;
  readonly #locks: SharedLocks;
  readonly #hash = new TextHash();
  readonly #slots: number;
  readonly #workers: number;
  readonly #worker: number;

  /** Memory for `new HoldTable` in every thread: 88 bytes for each slot, and 4 for each worker. */
  static allocate({
    workers,
    slots = DEFAULT_SLOTS,
  }: {
    readonly workers: number;
    readonly slots?: number;
  }): SharedArrayBuffer {
    const rounded = 2 ** Math.ceil(Math.log2(Math.max(WAYS, slots)));
    const buffer = new SharedArrayBuffer(bytesFor(rounded, workers));
    const words = new Int32Array(buffer, 0, HEADER_WORDS);
    words[Header.Slots] = rounded;
    words[Header.Workers] = workers;
    words[Header.SeedLow] = randomInt(2 ** 32) | 0;
    words[Header.SeedHigh] = randomInt(2 ** 32) | 0;
    words[Header.Magic] = MAGIC;
    return buffer;
  }

  /** `worker`: the number of the counting worker, from 0. @throws TypeError for memory that allocate() did not create. */
  constructor(buffer: SharedArrayBuffer, worker: number) {
    const words = new Int32Array(buffer);
    const slots = words[Header.Slots] ?? 0;
    const workers = words[Header.Workers] ?? 0;
    if (words[Header.Magic] !== MAGIC || buffer.byteLength !== bytesFor(slots, workers))
      throw new TypeError('Not the memory of a hold table');
    if (worker < 0 || worker >= workers) throw new RangeError(`The table has no row for worker ${worker}`);
    this.#words = words;
    this.#bytes = Buffer.from(buffer);
    this.#locks = new SharedLocks(words);
    this.#slots = slots;
    this.#workers = workers;
    this.#worker = worker;
  }

  /** The holds of one identity, counted over all workers and generations. */
  store(identity: string): HoldStore {
    const { low, high } = this.#seeded(identity);
    return { acquire: (key, capacity) => this.#acquire(low, high, key, capacity) };
  }

  #acquire(ownerLow: number, ownerHigh: number, key: string, capacity: number): Hold | undefined {
    const hash = this.#hash.update(ownerLow, ownerHigh, key);
    const low = hash.low === 0 && hash.high === 0 ? 1 : hash.low;
    const { high } = hash;
    const group = high & (this.#slots / WAYS - 1);
    this.#lock(group);
    try {
      const slot = this.#find(group, low, high);
      if (slot < 0) {
        Atomics.add(this.#words, Header.Overflows, 1);
        return capacity < 1 ? this.#refuse(ownerLow) : UNCOUNTED;
      }
      const at = slotAt(slot);
      const fresh = this.#words[at + Slot.Total] === 0;
      this.#words[at + Slot.Capacity] = Math.min(capacity, 0x7fff_ffff);
      if (this.#words[at + Slot.Total]! + 1 > capacity) return this.#refuse(ownerLow);
      if (fresh) this.#claim(slot, low, high, ownerLow, ownerHigh, key);
      const taken = ++this.#words[at + Slot.Total]!;
      this.#words[this.#countAt(slot, this.#worker)]!++;
      return new TableHold(taken, () => this.#release(slot, low, high));
    } finally {
      this.#locks.release(this.#lockAt(group));
    }
  }

  #release(slot: number, low: number, high: number): void {
    const group = Math.floor(slot / WAYS);
    this.#lock(group);
    try {
      const at = slotAt(slot);
      const count = this.#countAt(slot, this.#worker);
      // What forget() removed is not subtracted again; the slot may belong to another key now.
      if (this.#words[at] !== low || this.#words[at + Slot.High] !== high || this.#words[count] === 0) return;
      this.#words[count]!--;
      this.#words[at + Slot.Total]!--;
      this.#freeIfEmpty(slot);
    } finally {
      this.#locks.release(this.#lockAt(group));
    }
  }

  /** Releases all holds of a worker that has ended. */
  forget(worker: number): void {
    for (let slot = 0; slot < this.#slots; slot++) {
      if (this.#words[this.#countAt(slot, worker)] === 0) continue;
      const group = Math.floor(slot / WAYS);
      this.#lock(group);
      this.#words[this.#countAt(slot, worker)] = 0;
      this.#recount(slot);
      this.#locks.release(this.#lockAt(group));
    }
  }

  /** What several identities hold, with at most `max` keys for each, fullest first. Reads without locks. */
  snapshots(identities: readonly string[], max: number): Map<string, HoldsSnapshot> {
    const wanted = new Map<string, HoldKeySnapshot[]>();
    const found = new Map<string, HoldKeySnapshot[]>();
    for (const identity of identities) {
      const { low, high } = this.#seeded(identity);
      const keys = wanted.get(`${low},${high}`) ?? [];
      wanted.set(`${low},${high}`, keys);
      found.set(identity, keys);
    }
    for (let slot = 0; slot < this.#slots; slot++) {
      const at = slotAt(slot);
      const taken = this.#words[at + Slot.Total]!;
      if (taken === 0) continue;
      const keys = wanted.get(`${this.#words[at + Slot.OwnerLow]},${this.#words[at + Slot.OwnerHigh]}`);
      keys?.push({ key: this.#keyText(slot), taken, capacity: this.#words[at + Slot.Capacity]! });
    }
    const snapshots = new Map<string, HoldsSnapshot>();
    for (const [identity, keys] of found) {
      keys.sort((a, b) => b.taken / b.capacity - a.taken / a.capacity || (a.key < b.key ? -1 : 1));
      const taken = keys.reduce((sum, key) => sum + key.taken, 0);
      snapshots.set(identity, { taken, inUse: keys.length, keys: keys.slice(0, max) });
    }
    return snapshots;
  }

  /** How often acquire() of an identity found all places taken, since the table was created. */
  refused(identity: string): number {
    const at = this.#refusalsAt(this.#seeded(identity).low, false);
    return at < 0 ? 0 : Atomics.load(this.#words, at) >>> 0;
  }

  #refuse(ownerLow: number): undefined {
    const at = this.#refusalsAt(ownerLow, true);
    if (at >= 0) Atomics.add(this.#words, at, 1);
  }

  /** The word that counts the refusals of an identity; -1 for none. */
  #refusalsAt(ownerLow: number, claim: boolean): number {
    const tag = ownerLow === 0 ? 1 : ownerLow;
    const first = this.#words.length - OWNERS * 2;
    for (let probe = 0; probe < OWNERS; probe++) {
      const at = first + ((tag + probe) & (OWNERS - 1)) * 2;
      const found = claim ? Atomics.compareExchange(this.#words, at, 0, tag) : Atomics.load(this.#words, at);
      if (found === tag || (claim && found === 0)) return at + 1;
      if (found === 0) return -1;
    }
    return -1;
  }

  /** Holds that were not counted for lack of a slot, since the table was created. */
  get overflows(): number {
    return Atomics.load(this.#words, Header.Overflows) >>> 0;
  }

  #seeded(identity: string): TextHash {
    return this.#hash.update(this.#words[Header.SeedLow]!, this.#words[Header.SeedHigh]!, identity);
  }

  #lock(group: number): void {
    if (!this.#locks.acquire(this.#lockAt(group))) return;
    // A thread ended between its two counts.
    for (let slot = group * WAYS; slot < (group + 1) * WAYS; slot++) this.#recount(slot);
  }

  /** The slot of a key, or a free one; -1 if the group is full. */
  #find(group: number, low: number, high: number): number {
    const words = this.#words;
    let free = -1;
    for (let slot = group * WAYS; slot < (group + 1) * WAYS; slot++) {
      const at = slotAt(slot);
      if (words[at] === low && words[at + Slot.High] === high) return slot;
      if (free < 0 && words[at + Slot.Total] === 0) free = slot;
    }
    return free;
  }

  #claim(slot: number, low: number, high: number, ownerLow: number, ownerHigh: number, key: string): void {
    const at = slotAt(slot);
    this.#words[at] = low;
    this.#words[at + Slot.High] = high;
    this.#words[at + Slot.OwnerLow] = ownerLow;
    this.#words[at + Slot.OwnerHigh] = ownerHigh;
    const text = this.#keyAt(slot);
    this.#bytes[text] = this.#bytes.write(key, text + 1, KEY_BYTES - 1, 'utf8');
  }

  #recount(slot: number): void {
    let total = 0;
    for (let worker = 0; worker < this.#workers; worker++) total += this.#words[this.#countAt(slot, worker)]!;
    this.#words[slotAt(slot) + Slot.Total] = total;
    this.#freeIfEmpty(slot);
  }

  #freeIfEmpty(slot: number): void {
    const at = slotAt(slot);
    if (this.#words[at + Slot.Total] !== 0) return;
    this.#words[at] = 0;
    this.#words[at + Slot.High] = 0;
  }

  #keyText(slot: number): string {
    const at = this.#keyAt(slot);
    return this.#bytes.toString('utf8', at + 1, at + 1 + this.#bytes[at]!);
  }

  // Sections in order: header, slots, locks, counts by worker, keys, refusals by identity.
  #lockAt(group: number): number {
    return HEADER_WORDS + this.#slots * SLOT_WORDS + group;
  }

  #countAt(slot: number, worker: number): number {
    return HEADER_WORDS + this.#slots * (SLOT_WORDS + worker) + this.#slots / WAYS + slot;
  }

  #keyAt(slot: number): number {
    return this.#countAt(0, this.#workers) * 4 + slot * KEY_BYTES;
  }
}

class TableHold implements Hold {
  readonly taken: number;
  #release: (() => void) | undefined;

  constructor(taken: number, release: () => void) {
    this.taken = taken;
    this.#release = release;
  }

  release(): void {
    const release = this.#release;
    this.#release = undefined;
    release?.();
  }
}

const UNCOUNTED: Hold = { taken: 1, release() {} };

const slotAt = (slot: number): number => HEADER_WORDS + slot * SLOT_WORDS;

const bytesFor = (slots: number, workers: number): number =>
  (HEADER_WORDS + slots * (SLOT_WORDS + workers) + slots / WAYS + OWNERS * 2) * 4 + slots * KEY_BYTES;
