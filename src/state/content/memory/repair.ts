/**
 * Builds everything that follows from the entries anew: after a thread has ended under the lock, none of it can be relied on.
 * Needs the lock of the table.
 */
import { keyOf } from './facts.js';
import { Entry, Flag, Header, MAX_EXTENTS, State } from './layout.js';
import type { ContentTable } from './table.js';

export function repair(table: ContentTable): void {
  const { layout, words } = table;
  layout.clearDerived();
  table.owners.clearGauges();
  const used = Math.min(layout.entries, words[Header.HighWater]!);
  const spoilt = new Set<number>();
  // Those that are being written first: their writers go on.
  for (let entry = 0; entry < used; entry++)
    if (table.stateOf(entry) === State.Writing) claimRuns(table, entry, spoilt);
  for (let entry = 0; entry < used; entry++) if (table.stateOf(entry) > State.Writing) claimRuns(table, entry, spoilt);
  freeTheRest(table);
  const live: number[] = [];
  for (let entry = 0; entry < used; entry++) {
    const at = layout.entryAt(entry);
    const state = table.stateOf(entry);
    if (state === State.Unused) {
      words[at + Entry.Newer] = words[Header.Unused]!;
      words[Header.Unused] = entry + 1;
      continue;
    }
    const owner = words[at + Entry.Owner]!;
    table.owners.add(owner, 'Held', 1);
    if (state === State.Writing) {
      table.linkWriting(entry);
      if (spoilt.has(entry)) words[at + Entry.Flags]! |= Flag.Purged;
    } else if (state === State.Live && !spoilt.has(entry)) live.push(entry);
    else {
      if (state === State.Live) table.setState(at, State.Removed);
      table.owners.add(owner, 'PinnedUnits', table.unitsOf(at));
      table.reap(entry);
    }
  }
  enterAll(table, live);
}

/**
 * Marks the units of an entry in the map. A unit of two entries means that two threads had the lock at once: both contents are
 * spoilt, and the run belongs to the first.
 */
function claimRuns(table: ContentTable, entry: number, spoilt: Set<number>): void {
  const { layout, words } = table;
  const at = layout.entryAt(entry);
  const claim = (start: number, count: number): boolean => {
    if (start < 0 || count < 0 || start + count > layout.units) return false;
    for (let unit = start; unit < start + count; unit++) {
      const other = words[layout.unitAt(unit)]! - 1;
      if (other < 0) continue;
      spoilt.add(other);
      return false;
    }
    words.fill(entry + 1, layout.unitAt(start), layout.unitAt(start) + count);
    return true;
  };
  if (!claim(words[at + Entry.Facts]!, words[at + Entry.FactsUnits]!)) {
    spoilt.add(entry);
    words[at + Entry.FactsUnits] = 0;
  }
  const extents = words[at + Entry.Extents]!;
  for (let extent = 0; extent < extents; extent++) {
    const where = at + Entry.FirstExtent + extent * 2;
    if (extent < MAX_EXTENTS && claim(words[where]!, words[where + 1]!)) continue;
    spoilt.add(entry);
    words[at + Entry.Extents] = extent;
    break;
  }
}

/** Frees what no entry has claimed, and leaves only the first unit of each run in the map. */
function freeTheRest(table: ContentTable): void {
  const { layout, words, units } = table;
  const used = Math.min(layout.entries, words[Header.HighWater]!);
  const begins = new Set<number>();
  for (let entry = 0; entry < used; entry++) {
    if (table.stateOf(entry) === State.Unused) continue;
    const at = layout.entryAt(entry);
    if (words[at + Entry.FactsUnits]! > 0) begins.add(words[at + Entry.Facts]!);
    for (let extent = 0; extent < words[at + Entry.Extents]!; extent++)
      begins.add(words[at + Entry.FirstExtent + extent * 2]!);
  }
  for (let unit = 0; unit < layout.units; ) {
    const free = words[layout.unitAt(unit)] === 0;
    let end = unit;
    while (end < layout.units && (words[layout.unitAt(end)] === 0) === free) {
      if (!free && !begins.has(end)) words[layout.unitAt(end)] = 0;
      // What was inside of a run is 0 now, but not free.
      end++;
    }
    if (free) units.give(unit, end - unit);
    unit = end;
  }
}

/** In the order in which they came; of two with the same key, the newer one stays. */
function enterAll(table: ContentTable, live: number[]): void {
  const { layout, words } = table;
  live.sort((a, b) => table.age(a, b));
  for (const entry of live) {
    const facts = words[layout.entryAt(entry) + Entry.Facts]!;
    const older = table.knownBy(entry, keyOf(layout.bytes, layout.byteAt(facts)));
    if (older >= 0) table.remove(older);
    table.enter(entry);
  }
}
