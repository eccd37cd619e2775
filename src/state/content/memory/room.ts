/**
 * Makes room for new contents: evicts by the order of the table until a run fits, and clears a part of the arena if the free
 * units are in too small pieces. All methods need the lock of the table.
 */
import { Count, Entry, Header, MAX_EXTENTS, State } from './layout.js';
import type { ContentTable } from './table.js';

/** Entries that one eviction looks at. Beyond half of them, also one that was read goes. */
const MAX_STEPS = 4096;
/** Places of the arena of which the one that costs least is cleared. */
const CANDIDATES = 16;
/** How much more a unit counts that was read since the hand passed. */
const VISITED_COST = 4;
/** Evictions for a small run before the room is given up. */
const LAST_EVICTIONS = 64;

export class Room {
  readonly #table: ContentTable;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #keeps: boolean;

  /** `now`: milliseconds since 1970. `keeps`: only contents whose time is over make room. */
  constructor(table: ContentTable, now: () => number, keeps = false, random: () => number = Math.random) {
    this.#table = table;
    this.#now = now;
    this.#keeps = keeps;
    this.#random = random;
  }

  /** An entry for a content that this worker writes; -1 if there is none. */
  begin(owner: number): number {
    const entry = this.#table.begin(owner);
    if (entry >= 0 || !this.#evict()) return entry;
    return this.#table.begin(owner);
  }

  /** Takes `count` units in one piece for an entry; -1 if there is no room. */
  take(count: number, entry: number): number {
    const { units } = this.#table;
    if (count > this.#table.layout.units) return -1;
    let start = units.take(count, entry);
    const before = units.free;
    // As many as it takes: then what is free may be in too small pieces.
    while (start < 0 && (units.free < count || units.free - before < count)) {
      if (!this.#evict()) break;
      start = units.take(count, entry);
    }
    if (start < 0 && units.free >= count && !this.#keeps) start = this.#clear(count, entry);
    for (let more = 0; start < 0 && more < LAST_EVICTIONS && this.#evict(); more++) start = units.take(count, entry);
    return start;
  }

  /** Evicts one content; false if all are pinned, or there are none. */
  #evict(): boolean {
    const table = this.#table;
    const { words } = table;
    const now = this.#now();
    for (let step = 0; step < MAX_STEPS; step++) {
      const entry = table.order.next();
      if (entry < 0) return false;
      const at = table.layout.entryAt(entry);
      if (table.layout.expiresAt(at) <= now) {
        table.owners.count(words[at + Entry.Owner]!, Count.Expired);
        table.remove(entry);
        return true;
      }
      if (this.#keeps) continue;
      if (words[at + Entry.Visited] !== 0 && step < MAX_STEPS / 2) {
        words[at + Entry.Visited] = 0;
        continue;
      }
      // Its eviction would make no room.
      if (table.pinned(entry)) continue;
      table.evict(entry);
      return true;
    }
    return false;
  }

  /** Evicts contents that lie side by side, where this costs least, and takes the run there. */
  #clear(count: number, entry: number): number {
    let [chosen, least] = [-1, Number.POSITIVE_INFINITY];
    for (let candidate = 0; candidate < CANDIDATES; candidate++) {
      const begin = this.#anyBegin();
      if (begin < 0) continue;
      const cost = this.#costOf(begin, count, least);
      if (cost < least) [chosen, least] = [begin, cost];
    }
    if (chosen < 0) return -1;
    const { units } = this.#table;
    for (let unit = chosen; unit < chosen + count; ) {
      const found = units.entryAt(unit);
      // The rest of an evicted content may have joined with free units around it.
      const length = found < 0 ? 1 : this.#runAt(found, unit);
      if (found >= 0 && this.#table.stateOf(found) === State.Live) this.#table.evict(found);
      unit += length;
    }
    return units.take(count, entry);
  }

  /** The unit at which a run of a random content begins, or the free units before it; -1 if that is not found. */
  #anyBegin(): number {
    const { layout, words, units } = this.#table;
    for (let tries = 0; tries < CANDIDATES; tries++) {
      const entry = Math.floor(this.#random() * words[Header.HighWater]!);
      const at = layout.entryAt(entry);
      if (this.#table.stateOf(entry) !== State.Live) continue;
      const begin = words[at + Entry.Extents] === 0 ? words[at + Entry.Facts]! : words[at + Entry.FirstExtent]!;
      return begin === 0 ? 0 : begin - units.freeAt(begin - 1);
    }
    return -1;
  }

  /** What it costs to clear `count` units from a run on; Infinity if that is not possible, or `most` or more. */
  #costOf(begin: number, count: number, most: number): number {
    const table = this.#table;
    if (begin + count > table.layout.units) return Number.POSITIVE_INFINITY;
    let cost = 0;
    for (let unit = begin; unit < begin + count && cost < most; ) {
      const free = table.units.freeAt(unit);
      if (free > 0) {
        unit += free;
        continue;
      }
      const entry = table.units.entryAt(unit);
      if (entry < 0 || table.stateOf(entry) !== State.Live || table.pinned(entry)) return Number.POSITIVE_INFINITY;
      const length = this.#runAt(entry, unit);
      const visited = table.words[table.layout.entryAt(entry) + Entry.Visited] !== 0;
      cost += length * (visited ? VISITED_COST : 1);
      unit += length;
    }
    return cost;
  }

  /** Units of the run of an entry that begins at this unit. */
  #runAt(entry: number, unit: number): number {
    const { words } = this.#table;
    const at = this.#table.layout.entryAt(entry);
    if (words[at + Entry.Facts] === unit && words[at + Entry.FactsUnits]! > 0) return words[at + Entry.FactsUnits]!;
    const extents = Math.min(MAX_EXTENTS, words[at + Entry.Extents]!);
    for (let extent = 0; extent < extents; extent++) {
      const where = at + Entry.FirstExtent + extent * 2;
      if (words[where] === unit) return words[where + 1]!;
    }
    return 1;
  }
}
