/**
 * The order of eviction, SIEVE: contents are in the order in which they came. A hand goes from the oldest to the newest: what
 * was read since it last passed stays where it is, the first other one goes. A content that is read once never gets in the
 * way of those that are read again. All methods need the lock of the table.
 */
import { type ContentLayout, Entry, Header } from './layout.js';

export class EvictionOrder {
  readonly #layout: ContentLayout;
  readonly #words: Int32Array<ArrayBufferLike>;

  constructor(layout: ContentLayout) {
    this.#layout = layout;
    this.#words = layout.words;
  }

  /** Adds an entry as the newest. */
  add(entry: number): void {
    const words = this.#words;
    const at = this.#layout.entryAt(entry);
    const newest = words[Header.Newest]!;
    words[at + Entry.Newer] = 0;
    words[at + Entry.Older] = newest;
    if (newest === 0) words[Header.Oldest] = entry + 1;
    else words[this.#layout.entryAt(newest - 1) + Entry.Newer] = entry + 1;
    words[Header.Newest] = entry + 1;
  }

  remove(entry: number): void {
    const words = this.#words;
    const at = this.#layout.entryAt(entry);
    const newer = words[at + Entry.Newer]!;
    const older = words[at + Entry.Older]!;
    if (words[Header.Hand] === entry + 1) words[Header.Hand] = newer;
    if (newer === 0) words[Header.Newest] = older;
    else words[this.#layout.entryAt(newer - 1) + Entry.Older] = older;
    if (older === 0) words[Header.Oldest] = newer;
    else words[this.#layout.entryAt(older - 1) + Entry.Newer] = newer;
  }

  /** The entry at the hand, which then moves on; -1 if there is none. */
  next(): number {
    const words = this.#words;
    const hand = words[Header.Hand]! || words[Header.Oldest]!;
    if (hand === 0) return -1;
    words[Header.Hand] = words[this.#layout.entryAt(hand - 1) + Entry.Newer]!;
    return hand - 1;
  }
}
