/** Which contents a purge or a list is about, and the way through all contents of an owner. */
import type { TextHash } from '../../hash.js';
import type { ContentSelector } from '../types.js';
import { hasTag, urlBytes } from './facts.js';
import { type ContentLayout, Entry, Header, State } from './layout.js';
import type { ContentTable } from './table.js';

/** Entries that are looked at before others have the lock. */
const STEP = 512;

/** A test of entries by the word at which they begin, under the lock. `hash`: is used at once. */
export function matcherOf(layout: ContentLayout, hash: TextHash, selector: ContentSelector): (at: number) => boolean {
  if (selector.by === 'all') return () => true;
  const { words } = layout;
  const { by, value } = selector;
  const factsOf = (at: number): number => layout.byteAt(words[at + Entry.Facts]!);
  if (by === 'tag') return (at) => hasTag(layout.bytes, factsOf(at), value);
  if (by === 'url' && value.endsWith('*')) {
    const prefix = Buffer.from(value.slice(0, -1));
    return (at) => urlBytes(layout.bytes, factsOf(at)).subarray(0, prefix.length).equals(prefix);
  }
  const { low, high } = hash.update(words[Header.SeedLow]!, words[Header.SeedHigh]!, value);
  const field = by === 'url' ? Entry.UrlLow : Entry.RouteLow;
  return (at) => words[at + field] === low && words[at + field + 1] === high;
}

export interface Selection {
  readonly ownerLow: number;
  readonly ownerHigh: number;
  readonly matches: (at: number) => boolean;
}

/**
 * Calls `visit` under the lock, which others have now and then, with the entries that are selected: those being written too. It ends
 * when `visit` returns false.
 */
export function visitSelected(
  table: ContentTable,
  selection: Selection,
  visit: (entry: number, at: number, state: number) => boolean,
): void {
  let more = true;
  for (let from = 0; more && from < table.words[Header.HighWater]!; from += STEP)
    more = table.locked(() => visitStep(table, from, selection, visit));
}

function visitStep(
  table: ContentTable,
  from: number,
  { ownerLow, ownerHigh, matches }: Selection,
  visit: (entry: number, at: number, state: number) => boolean,
): boolean {
  const { words, layout } = table;
  const end = Math.min(from + STEP, words[Header.HighWater]!);
  for (let entry = from; entry < end; entry++) {
    const at = layout.entryAt(entry);
    const state = table.stateOf(entry);
    if (state !== State.Live && state !== State.Writing) continue;
    if (words[at + Entry.OwnerLow] !== ownerLow || words[at + Entry.OwnerHigh] !== ownerHigh) continue;
    if (words[at + Entry.FactsUnits] === 0 || !matches(at)) continue;
    if (!visit(entry, at, state)) return false;
  }
  return true;
}
