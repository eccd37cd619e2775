/**
 * What all threads of a gateway share about the contents on disk: counts, and marks that keep a purge from being undone.
 *
 * Contents, deletes and purges are sent to the store by several threads, so the store may see them in another order. Each delete
 * and purge marks slots (hashes of a key, URL, route or tag; one for all) as begun before it touches anything, and the store marks
 * them as applied. What is read while a slot of its own has begun and is not applied, or was begun since, is not used; what
 * was put before is not written.
 */
import { TextHash } from '../../hash.js';
import type { ContentFacts, ContentSelector } from '../types.js';

const SLOTS = 256;
/** The slot of purges that could select anything. */
const ANY = 0;

/** What is counted, by name. */
export const DISK_EVENTS = [
  'hits',
  'misses',
  'late',
  'errors',
  'written',
  'refreshed',
  'deleted',
  'skipped',
  'outrun',
  'tooLarge',
  'full',
  'foreverRefused',
  'keptRefused',
  'evicted',
  'expired',
  'damaged',
  'collapsed',
  'stuck',
] as const;

/** The last ones are what there is now: the store sets them. */
const DISK_COUNTS = [
  ...DISK_EVENTS,
  'entries',
  'forever',
  'bytes',
  'keptBytes',
  'fileBytes',
  'limitBytes',
  'open',
  'inTransaction',
] as const;

export type DiskCount = (typeof DISK_COUNTS)[number];

export type DiskStats = { readonly [count in DiskCount]: number };

export class DiskMemory {
  readonly buffer: SharedArrayBuffer;
  readonly #begun: Int32Array;
  readonly #applied: Int32Array;
  readonly #counts: BigInt64Array;
  readonly #at: Readonly<Record<DiskCount, number>>;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(SLOTS * 8 + DISK_COUNTS.length * 8);
  }

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer;
    this.#begun = new Int32Array(buffer, 0, SLOTS);
    this.#applied = new Int32Array(buffer, SLOTS * 4, SLOTS);
    this.#counts = new BigInt64Array(buffer, SLOTS * 8, DISK_COUNTS.length);
    this.#at = Object.fromEntries(DISK_COUNTS.map((name, at) => [name, at])) as Record<DiskCount, number>;
  }

  count(name: DiskCount, by = 1): void {
    Atomics.add(this.#counts, this.#at[name], BigInt(by));
  }

  set(name: DiskCount, value: number): void {
    Atomics.store(this.#counts, this.#at[name], BigInt(value));
  }

  /** Whether the store is within a transaction. Its thread must not be ended then: lmdb would wait for it for ever. */
  get inTransaction(): boolean {
    return Atomics.load(this.#counts, this.#at.inTransaction) !== 0n;
  }

  stats(): DiskStats {
    return Object.fromEntries(
      DISK_COUNTS.map((name, at) => [name, Number(Atomics.load(this.#counts, at))]),
    ) as unknown as DiskStats;
  }

  begin(slot: number): void {
    Atomics.add(this.#begun, slot, 1);
  }

  /** `times`: how many of them are done, or will never come. */
  applied(slot: number, times = 1): void {
    Atomics.add(this.#applied, slot, times);
  }

  /** For what is asked now: what usable() needs when the answer is there. */
  note(): Int32Array {
    const noted = new Int32Array(SLOTS);
    for (let slot = 0; slot < SLOTS; slot++) {
      // In this order: a change that is applied between both looks pending.
      const applied = Atomics.load(this.#applied, slot);
      const begun = Atomics.load(this.#begun, slot);
      noted[slot] = begun === applied ? begun & 0x7fff_ffff : -1;
    }
    return noted;
  }

  /** No purge or delete of this content was pending when `noted` was taken, and none has begun since. */
  usable(noted: Int32Array, slots: readonly number[]): boolean {
    return slots.every((slot) => noted[slot] === (Atomics.load(this.#begun, slot) & 0x7fff_ffff));
  }

  /** Changes with every purge or delete of these slots that begins. */
  stamp(slots: readonly number[]): number {
    let sum = 0;
    for (const slot of slots) sum = (sum + Atomics.load(this.#begun, slot)) | 0;
    return sum;
  }
}

function slotOf(kind: string, owner: string, text: string): number {
  const { low } = new TextHash().update(0, 0, `${kind}${owner} ${text}`);
  return 1 + ((low >>> 0) % (SLOTS - 1));
}

/** The slots that decide about a content. */
export function slotsOf(owner: string, key: string, { url, route, tags }: ContentFacts<unknown>): number[] {
  return [
    ANY,
    slotOf('k', owner, key),
    slotOf('u', owner, url),
    slotOf('r', owner, route),
    ...tags.map((tag) => slotOf('t', owner, tag)),
  ];
}

export const slotOfKey = (owner: string, key: string): number => slotOf('k', owner, key);

/** The slot that a purge marks. */
export function slotOfPurge(owner: string, selector: ContentSelector): number {
  if (selector.by === 'all') return ANY;
  const { by, value } = selector;
  if (by === 'url') return value.endsWith('*') ? ANY : slotOf('u', owner, value);
  return slotOf(by === 'route' ? 'r' : 't', owner, value);
}

/** The deletes and purges of one thread that the store has not applied: what it releases when the thread ends. */
export class Unapplied {
  readonly buffer: SharedArrayBuffer;
  readonly #slots: Int32Array;

  constructor(buffer = new SharedArrayBuffer(SLOTS * 4)) {
    this.buffer = buffer;
    this.#slots = new Int32Array(buffer);
  }

  add(slot: number, times = 1): void {
    Atomics.add(this.#slots, slot, times);
  }

  /** One of them is applied. False: it was before, by a store that ended before it could say so. */
  takeOne(slot: number): boolean {
    for (;;) {
      const left = Atomics.load(this.#slots, slot);
      if (left <= 0) return false;
      if (Atomics.compareExchange(this.#slots, slot, left, left - 1) === left) return true;
    }
  }

  get some(): boolean {
    return this.#slots.some((_, slot) => Atomics.load(this.#slots, slot) > 0);
  }

  /** Takes what is left for each slot. */
  *take(): Generator<[slot: number, times: number]> {
    for (let slot = 0; slot < SLOTS; slot++) {
      const times = Atomics.exchange(this.#slots, slot, 0);
      if (times !== 0) yield [slot, times];
    }
  }
}
