/**
 * The identities that have contents: their gauges, under the lock of the table, and their counts, which each worker keeps in a
 * row of its own. An identity without contents gives its place to another when all are taken.
 */
import { type ContentLayout, Count, type CountName, Header, NAME_BYTES, OWNERS, Owner, UNIT } from './layout.js';

/** What one identity has in memory, and what happened to it since it was opened. */
export interface ContentStats {
  readonly identity: string;
  readonly entries: number;
  readonly bytes: number;
  /** Of removed contents that are still being sent. */
  readonly pinnedBytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly stored: number;
  readonly evicted: number;
  readonly expired: number;
  readonly purged: number;
  readonly refused: { readonly admission: number; readonly size: number; readonly room: number };
}

export class Owners {
  readonly #layout: ContentLayout;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #worker: number;

  constructor(layout: ContentLayout, worker: number) {
    this.#layout = layout;
    this.#words = layout.words;
    this.#worker = worker;
  }

  /** Whether an identity still has its place. */
  has(owner: number, low: number, high: number): boolean {
    const at = this.#layout.ownerAt(owner);
    return this.#words[at + Owner.Low] === low && this.#words[at + Owner.High] === high;
  }

  /** The place of an identity; -1 if all are taken by others with contents. Needs the lock. */
  open(identity: string, low: number, high: number): number {
    const words = this.#words;
    let chosen = -1;
    let oldest = 0x7fff_ffff;
    for (let owner = 0; owner < OWNERS; owner++) {
      if (this.has(owner, low, high)) {
        chosen = owner;
        break;
      }
      const at = this.#layout.ownerAt(owner);
      if (words[at + Owner.Held] !== 0 || words[at + Owner.Opened]! >= oldest) continue;
      chosen = owner;
      oldest = words[at + Owner.Opened]!;
    }
    if (chosen < 0) return -1;
    const at = this.#layout.ownerAt(chosen);
    words[at + Owner.Opened] = ++words[Header.Opened]!;
    if (this.has(chosen, low, high)) return chosen;
    for (let worker = 0; worker < this.#layout.workers; worker++)
      for (const count of COUNTS) this.#layout.numbers[this.#layout.countAt(chosen, worker, count)] = 0;
    const name = this.#layout.nameAt(chosen);
    const length = this.#layout.bytes.write(identity, name + 2, NAME_BYTES - 2, 'utf8');
    this.#layout.bytes.writeUInt16LE(length, name);
    words[at + Owner.Low] = low;
    words[at + Owner.High] = high;
    return chosen;
  }

  /** The only thread that writes to this number is its own. */
  count(owner: number, count: CountName, by = 1): void {
    this.#layout.numbers[this.#layout.countAt(owner, this.#worker, count)]! += by;
  }

  /** Needs the lock. */
  add(owner: number, field: 'Held' | 'Contents' | 'Units' | 'PinnedUnits', by: number): void {
    this.#words[this.#layout.ownerAt(owner) + Owner[field]]! += by;
  }

  /** Sets the gauges of all to 0, to be counted anew. */
  clearGauges(): void {
    for (let owner = 0; owner < OWNERS; owner++)
      for (const field of [Owner.Held, Owner.Contents, Owner.Units, Owner.PinnedUnits])
        this.#words[this.#layout.ownerAt(owner) + field] = 0;
  }

  stats(): ContentStats[] {
    const all: ContentStats[] = [];
    for (let owner = 0; owner < OWNERS; owner++)
      if (this.#words[this.#layout.ownerAt(owner) + Owner.Opened] !== 0) all.push(this.#statsOf(owner));
    return all.sort((a, b) => (a.identity < b.identity ? -1 : 1));
  }

  #statsOf(owner: number): ContentStats {
    const at = this.#layout.ownerAt(owner);
    const name = this.#layout.nameAt(owner);
    const sum = (count: CountName): number => {
      let total = 0;
      for (let worker = 0; worker < this.#layout.workers; worker++)
        total += this.#layout.numbers[this.#layout.countAt(owner, worker, count)]!;
      return total;
    };
    return {
      identity: this.#layout.bytes.toString('utf8', name + 2, name + 2 + this.#layout.bytes.readUInt16LE(name)),
      entries: this.#words[at + Owner.Contents]!,
      bytes: this.#words[at + Owner.Units]! * UNIT,
      pinnedBytes: this.#words[at + Owner.PinnedUnits]! * UNIT,
      hits: sum(Count.Hits),
      misses: sum(Count.Misses),
      stored: sum(Count.Stored),
      evicted: sum(Count.Evicted),
      expired: sum(Count.Expired),
      purged: sum(Count.Purged),
      refused: { admission: sum(Count.NotAdmitted), size: sum(Count.TooLarge), room: sum(Count.NoRoom) },
    };
  }
}

const COUNTS = Object.values(Count);
