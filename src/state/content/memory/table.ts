/**
 * The entries of all contents, under one lock. An entry is in one of four states:
 *
 *     unused -> writing -> live -> removed -> unused
 *
 * A removed entry keeps its bytes until its last pin is released. Its word of state is written last when it becomes live and
 * first when it is removed, and names its units before they are taken from it: so if a thread ends anywhere in between, the
 * entries say what is in use, and everything else is built anew (repair.ts).
 *
 * A reader without the lock pins an entry first and compares its word of state afterwards; who takes bytes away changes the
 * word first and looks for pins afterwards. One of the two sees the other.
 */
import { SharedLocks } from '../../shared-lock.js';
import { hasKey } from './facts.js';
import { type ContentLayout, Count, Entry, Flag, Header, MAX_EXTENTS, STATE_MASK, State, WAYS } from './layout.js';
import { EvictionOrder } from './order.js';
import { Owners } from './owners.js';
import { Units } from './units.js';

/** An identity, with the hash of a key. */
export interface HashedKey {
  readonly ownerLow: number;
  readonly ownerHigh: number;
  readonly low: number;
  readonly high: number;
}

export class ContentTable {
  readonly layout: ContentLayout;
  readonly words: Int32Array<ArrayBufferLike>;
  readonly units: Units;
  readonly order: EvictionOrder;
  readonly owners: Owners;
  readonly worker: number;
  readonly #locks: SharedLocks;
  readonly #repair: (table: ContentTable) => void;

  constructor(layout: ContentLayout, worker: number, repair: (table: ContentTable) => void) {
    this.layout = layout;
    this.words = layout.words;
    this.worker = worker;
    this.units = new Units(layout);
    this.order = new EvictionOrder(layout);
    this.owners = new Owners(layout, worker);
    this.#locks = new SharedLocks(layout.words);
    this.#repair = repair;
  }

  /** Runs `work` under the lock. */
  locked<T>(work: () => T): T {
    if (this.#locks.acquire(Header.Lock)) this.#takeOver();
    try {
      return work();
    } finally {
      while (!this.#locks.release(Header.Lock)) {
        // This thread was stopped for so long that another took the lock over: what both did may not fit together.
        this.#locks.acquire(Header.Lock);
        this.#takeOver();
      }
    }
  }

  #takeOver(): void {
    Atomics.add(this.words, Header.TakeOvers, 1);
    this.#repair(this);
  }

  stateOf(entry: number): number {
    return this.words[this.layout.entryAt(entry)]! & STATE_MASK;
  }

  /** Whether any worker reads it. */
  pinned(entry: number): boolean {
    for (let row = Atomics.load(this.words, Header.Rows) - 1; row >= 0; row--)
      if (Atomics.load(this.words, this.layout.pinAt(row, entry)) !== 0) return true;
    return false;
  }

  /** The live entry of a key; -1 if there is none. */
  find(hashed: HashedKey, key: string): number {
    const place = this.#place(hashed, key);
    return place < 0 ? -1 : entryIn(this.words[place]!);
  }

  /** The word of the index that leads to the entry of a key; -1 if there is none. */
  #place({ ownerLow, ownerHigh, low, high }: HashedKey, key: string): number {
    const words = this.words;
    const group = this.layout.groupAt(high);
    for (let place = group; place < group + WAYS; place++) {
      const word = words[place]!;
      if (word === 0 || tagIn(word) !== tagOf(low)) continue;
      const at = this.layout.entryAt(entryIn(word));
      if (words[at + Entry.HashLow] !== low || words[at + Entry.HashHigh] !== high) continue;
      if (words[at + Entry.OwnerLow] !== ownerLow || words[at + Entry.OwnerHigh] !== ownerHigh) continue;
      if (hasKey(this.layout.bytes, this.layout.byteAt(words[at + Entry.Facts]!), key)) return place;
    }
    return -1;
  }

  /** Whether the index may have the key; needs no lock. */
  mayHave({ low, high }: { readonly low: number; readonly high: number }): boolean {
    const group = this.layout.groupAt(high);
    const tag = tagOf(low);
    for (let place = group; place < group + WAYS; place++) {
      const word = this.words[place]!;
      if (word !== 0 && tagIn(word) === tag) return true;
    }
    return false;
  }

  /** An unused entry, now being written by this worker; -1 if all are in use. */
  begin(owner: number): number {
    const words = this.words;
    let entry = words[Header.Unused]! - 1;
    if (entry >= 0) words[Header.Unused] = words[this.layout.entryAt(entry) + Entry.Newer]!;
    else if (words[Header.HighWater]! < this.layout.entries) entry = words[Header.HighWater]!++;
    else return -1;
    const at = this.layout.entryAt(entry);
    words[at + Entry.Flags] = 0;
    words[at + Entry.Extents] = 0;
    words[at + Entry.FactsUnits] = 0;
    words[at + Entry.Length] = 0;
    words[at + Entry.Owner] = owner;
    words[at + Entry.Writer] = this.worker;
    words[at + Entry.Born] = ++words[Header.Born]!;
    this.owners.add(owner, 'Held', 1);
    this.linkWriting(entry);
    this.setState(at, State.Writing);
    return entry;
  }

  /** Entries that are being written are a list of their own. */
  linkWriting(entry: number): void {
    const words = this.words;
    const at = this.layout.entryAt(entry);
    const next = words[Header.Writing]!;
    words[at + Entry.Newer] = 0;
    words[at + Entry.Older] = next;
    if (next !== 0) words[this.layout.entryAt(next - 1) + Entry.Newer] = entry + 1;
    words[Header.Writing] = entry + 1;
  }

  #unlinkWriting(at: number): void {
    const words = this.words;
    const before = words[at + Entry.Newer]!;
    const next = words[at + Entry.Older]!;
    if (before === 0) words[Header.Writing] = next;
    else words[this.layout.entryAt(before - 1) + Entry.Older] = next;
    if (next !== 0) words[this.layout.entryAt(next - 1) + Entry.Newer] = before;
  }

  /** Contents of this key that are being written are not stored. */
  spoil({ ownerLow, ownerHigh, low, high }: HashedKey): void {
    const words = this.words;
    for (let next = words[Header.Writing]!; next !== 0; ) {
      const at = this.layout.entryAt(next - 1);
      const same = words[at + Entry.HashLow] === low && words[at + Entry.HashHigh] === high;
      if (same && words[at + Entry.OwnerLow] === ownerLow && words[at + Entry.OwnerHigh] === ownerHigh)
        words[at + Entry.Flags]! |= Flag.Purged;
      next = words[at + Entry.Older]!;
    }
  }

  /** The live entry with the key of another entry; -1 if there is none. */
  knownBy(entry: number, key: string): number {
    const words = this.words;
    const at = this.layout.entryAt(entry);
    const hashed = {
      ownerLow: words[at + Entry.OwnerLow]!,
      ownerHigh: words[at + Entry.OwnerHigh]!,
      low: words[at + Entry.HashLow]!,
      high: words[at + Entry.HashHigh]!,
    };
    return this.find(hashed, key);
  }

  /** Makes a written entry live, in place of an older one with its key. */
  publish(entry: number, key: string): void {
    const words = this.words;
    const at = this.layout.entryAt(entry);
    const known = this.knownBy(entry, key);
    words[at + Entry.Visited] = known < 0 ? 0 : words[this.layout.entryAt(known) + Entry.Visited]!;
    this.#unlinkWriting(at);
    // Before the old one goes: a reader without the lock finds one of the two.
    this.enter(entry);
    this.setState(at, State.Live);
    if (known >= 0 && this.stateOf(known) === State.Live) this.remove(known);
  }

  /** Adds an entry to index, order and gauges. A full group of the index loses its oldest entry. */
  enter(entry: number): void {
    const words = this.words;
    const at = this.layout.entryAt(entry);
    const group = this.layout.groupAt(words[at + Entry.HashHigh]!);
    let place = this.#placeWith(0, group);
    if (place < 0) {
      place = group;
      for (let other = group; other < group + WAYS; other++)
        if (this.age(entryIn(words[place]!), entryIn(words[other]!)) > 0) place = other;
      this.evict(entryIn(words[place]!));
    }
    words[place] = wordOf(entry, words[at + Entry.HashLow]!);
    this.order.add(entry);
    words[Header.Contents]!++;
    const owner = words[at + Entry.Owner]!;
    this.owners.add(owner, 'Contents', 1);
    this.owners.add(owner, 'Units', this.unitsOf(at));
  }

  /** Below 0 if the first entry is older than the other one. The count of births begins anew after 2^32 of them. */
  age(entry: number, other: number): number {
    const born = (which: number): number => this.words[this.layout.entryAt(which) + Entry.Born]!;
    return (born(entry) - born(other)) | 0;
  }

  /** Whether the group of the index for a key is full: a further content would push one out. */
  isCrowded({ high }: { readonly high: number }): boolean {
    return this.#placeWith(0, this.layout.groupAt(high)) < 0;
  }

  /** The place of a group with this word; -1 if there is none. */
  #placeWith(word: number, group: number): number {
    for (let place = group; place < group + WAYS; place++) if (this.words[place] === word) return place;
    return -1;
  }

  evict(entry: number): void {
    this.owners.count(this.words[this.layout.entryAt(entry) + Entry.Owner]!, Count.Evicted);
    this.remove(entry);
  }

  /** Removes a live entry. Its bytes stay while it is pinned. */
  remove(entry: number): void {
    const words = this.words;
    const at = this.layout.entryAt(entry);
    this.setState(at, State.Removed);
    const group = this.layout.groupAt(words[at + Entry.HashHigh]!);
    const place = this.#placeWith(wordOf(entry, words[at + Entry.HashLow]!), group);
    if (place >= 0) words[place] = 0;
    this.order.remove(entry);
    words[Header.Contents]!--;
    const owner = words[at + Entry.Owner]!;
    this.owners.add(owner, 'Contents', -1);
    this.owners.add(owner, 'Units', -this.unitsOf(at));
    if (this.pinned(entry)) this.owners.add(owner, 'PinnedUnits', this.unitsOf(at));
    else this.free(entry);
  }

  /** Gives up an entry that is being written. */
  abandon(entry: number): void {
    this.#unlinkWriting(this.layout.entryAt(entry));
    this.free(entry);
  }

  /** Frees a removed entry if it is not read any more. */
  reap(entry: number): void {
    const at = this.layout.entryAt(entry);
    if (this.stateOf(entry) !== State.Removed || this.pinned(entry)) return;
    this.owners.add(this.words[at + Entry.Owner]!, 'PinnedUnits', -this.unitsOf(at));
    this.free(entry);
  }

  /** Ends what a worker that has ended did with an entry; its pins are gone. */
  forget(entry: number, worker: number): void {
    const state = this.stateOf(entry);
    if (state === State.Removed) this.reap(entry);
    if (state === State.Writing && this.words[this.layout.entryAt(entry) + Entry.Writer] === worker)
      this.abandon(entry);
  }

  /** Frees an entry that is in no list. */
  free(entry: number): void {
    const words = this.words;
    const at = this.layout.entryAt(entry);
    for (let extent = words[at + Entry.Extents]! - 1; extent >= 0; extent--) this.dropExtent(at, extent);
    this.dropFacts(at);
    this.owners.add(words[at + Entry.Owner]!, 'Held', -1);
    this.setState(at, State.Unused);
    words[at + Entry.Newer] = words[Header.Unused]!;
    words[Header.Unused] = entry + 1;
  }

  /** Frees the last piece of a body. */
  dropExtent(at: number, extent: number): void {
    const where = at + Entry.FirstExtent + extent * 2;
    const [start, count] = [this.words[where]!, this.words[where + 1]!];
    this.words[at + Entry.Extents] = extent;
    this.units.give(start, count);
  }

  /** Notes a piece of a body. */
  addExtent(at: number, start: number, count: number): void {
    const extent = this.words[at + Entry.Extents]!;
    const where = at + Entry.FirstExtent + extent * 2;
    this.words[where] = start;
    this.words[where + 1] = count;
    this.words[at + Entry.Extents] = extent + 1;
  }

  dropFacts(at: number): void {
    const [start, count] = [this.words[at + Entry.Facts]!, this.words[at + Entry.FactsUnits]!];
    this.words[at + Entry.FactsUnits] = 0;
    if (count > 0) this.units.give(start, count);
  }

  /** Units of an entry's facts and body. */
  unitsOf(at: number): number {
    let sum = this.words[at + Entry.FactsUnits]!;
    const extents = Math.min(MAX_EXTENTS, this.words[at + Entry.Extents]!);
    for (let extent = 0; extent < extents; extent++) sum += this.words[at + Entry.FirstExtent + extent * 2 + 1]!;
    return sum;
  }

  /** Raises the version, so that what readers know of the entry ends. */
  setState(at: number, state: number): void {
    const version = (this.words[at + Entry.State]! >> 2) + 1;
    Atomics.store(this.words, at + Entry.State, (version << 2) | state);
  }
}

/** A word of the index: 20 bits of the number of an entry, and one; 12 bits of the hash. */
const wordOf = (entry: number, hashLow: number): number => (entry + 1) | (tagOf(hashLow) << 20);
const entryIn = (word: number): number => (word & 0xfffff) - 1;
const tagIn = (word: number): number => word >>> 20;
const tagOf = (hashLow: number): number => hashLow >>> 20;
