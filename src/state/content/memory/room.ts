/**
 * Makes room for new contents: evicts by the order of the table until a run fits, and moves contents together if the
 * free units are in too small pieces. All methods need the lock of the table.
 */
import { Count, Entry, Header, State, UNIT } from './layout.js';
import type { ContentTable } from './table.js';

/** Entries that one eviction looks at. Beyond half of them, also one that was read goes. */
const MAX_STEPS = 4096;
/** Places of the arena of which the one that costs least is cleared. */
const CANDIDATES = 16;
/** This part of the arena stays free, so that a place is found for what is moved. */
const SLACK_SHARE = 64;
/** Evictions for a small run before the room is given up. */
const LAST_EVICTIONS = 64;
/**
 * Milliseconds without a further search after one that found nothing, where only contents whose time is over make room: the table is
 * full of others, and each new content would go through thousands of them under the lock.
 */
const SEARCH_AGAIN_AFTER = 5;

export class Room {
  readonly #table: ContentTable;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #keeps: boolean;
  readonly #slack: number;
  /** When a search last found no content whose time is over. */
  #searchedAt = Number.NEGATIVE_INFINITY;

  /** `now`: milliseconds since 1970. `keeps`: only contents whose time is over make room. */
  constructor(table: ContentTable, now: () => number, keeps = false, random: () => number = Math.random) {
    this.#table = table;
    this.#now = now;
    this.#keeps = keeps;
    this.#random = random;
    this.#slack = Math.floor(table.layout.units / SLACK_SHARE);
  }

  /** Whether a content with this hash has a place without pushing out one that must stay. */
  hasPlace(hashed: { readonly high: number }): boolean {
    return !this.#keeps || !this.#table.isCrowded(hashed);
  }

  /** Whether there is room for so many bytes without an eviction. */
  fits(bytes: number): boolean {
    return this.#table.units.free >= Math.ceil(bytes / UNIT) + this.#slack;
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
    const enough = Math.min(this.#table.layout.units, count + this.#slack);
    while (start < 0 && units.free < enough && this.#evict()) start = units.take(count, entry);
    // What is free is in too small pieces.
    if (start < 0 && units.free >= count) start = this.#clear(count, entry);
    for (let more = 0; start < 0 && more < LAST_EVICTIONS && this.#evict(); more++) start = units.take(count, entry);
    return start;
  }

  /** Evicts one content; false if all are pinned, or there are none. */
  #evict(): boolean {
    const table = this.#table;
    const { words } = table;
    const now = this.#now();
    if (this.#keeps) {
      if (this.#removeOldest(now)) return true;
      // By a clock that was set back, the time of that search may be to come.
      if (Math.abs(now - this.#searchedAt) < SEARCH_AGAIN_AFTER) return false;
    }
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
    if (this.#keeps) this.#searchedAt = now;
    return false;
  }

  /** Of contents that are kept for equal times, the oldest expires first. False: its time is not over. */
  #removeOldest(now: number): boolean {
    const table = this.#table;
    const entry = table.words[Header.Oldest]! - 1;
    if (entry < 0 || table.layout.expiresAt(table.layout.entryAt(entry)) > now) return false;
    table.owners.count(table.words[table.layout.entryAt(entry) + Entry.Owner]!, Count.Expired);
    table.remove(entry);
    return true;
  }

  /** Moves contents that lie side by side, where this costs least, and takes the run there. */
  #clear(count: number, entry: number): number {
    let [chosen, least] = [-1, Number.POSITIVE_INFINITY];
    for (let candidate = 0; candidate < CANDIDATES; candidate++) {
      const begin = this.#anyBegin();
      if (begin < 0) continue;
      const cost = this.#costOf(begin, count, least);
      if (cost < least) [chosen, least] = [begin, cost];
    }
    return chosen < 0 ? -1 : this.#takeAll(chosen, count, entry);
  }

  /** Takes units one run after the other, and moves the contents that are there. -1 if one is pinned meanwhile. */
  #takeAll(begin: number, count: number, entry: number): number {
    const { units } = this.#table;
    for (let unit = begin; unit < begin + count; ) {
      const free = Math.min(units.freeAt(unit), begin + count - unit);
      if (free > 0) {
        units.takeAt(unit, free, entry);
        if (unit > begin) units.join(unit);
        unit += free;
      } else if (!this.#vacate(unit)) {
        if (unit > begin) units.give(begin, unit - begin);
        return -1;
      }
    }
    return begin;
  }

  /** Moves the run that begins at this unit to another place, or evicts its content. False if it has to stay. */
  #vacate(unit: number): boolean {
    const table = this.#table;
    const { layout, units, words } = table;
    const entry = units.entryAt(unit);
    if (entry < 0 || table.stateOf(entry) !== State.Live) return false;
    const at = layout.entryAt(entry);
    const where = this.#whereOf(at, unit);
    const count = words[where + 1]!;
    const to = units.take(count, entry);
    if (to < 0) {
      if (this.#keeps) return false;
      table.evict(entry);
      return units.freeAt(unit) > 0;
    }
    // As long as it is not live, no reader can begin: it would need the lock.
    table.setState(at, State.Removed);
    const pinned = table.pinned(entry);
    if (!pinned) {
      const from = layout.byteAt(unit);
      layout.bytes.copyWithin(layout.byteAt(to), from, from + count * UNIT);
      words[where] = to;
    }
    table.setState(at, State.Live);
    units.give(pinned ? to : unit, count);
    return !pinned;
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

  /** Units in use of `count` units from a run on; Infinity if that is not possible, or `most` or more. */
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
      const length = table.words[this.#whereOf(table.layout.entryAt(entry), unit) + 1]!;
      cost += length;
      unit += length;
    }
    return cost;
  }

  /** The words of an entry that name its run at this unit. */
  #whereOf(at: number, unit: number): number {
    const { words } = this.#table;
    if (words[at + Entry.Facts] === unit && words[at + Entry.FactsUnits]! > 0) return at + Entry.Facts;
    let where = at + Entry.FirstExtent;
    while (words[where] !== unit) where += 2;
    return where;
  }
}
