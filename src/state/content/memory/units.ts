/**
 * The free units of the arena, as runs in lists by size: sizes below 16 have a list each, larger ones eight for each power of
 * two. A run is joined with free neighbours at once, so no two free runs touch. The lists go through the first words of the
 * runs themselves.
 *
 *     map of units:   entry + 1   a run of this entry begins
 *                     -count      first and last unit of a free run
 *                     0           inside of a run, or its end
 *
 * All methods need the lock of the table.
 */
import { type ContentLayout, Header } from './layout.js';

/** Sizes with a list of their own. */
const EXACT = 16;
/** Lists for each power of two, as a power of two. */
const STEPS = 3;
/** Runs of one list that are looked at for one that is just large enough. */
const MAX_LOOKS = 32;

export class Units {
  readonly #layout: ContentLayout;
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #lists: number;

  constructor(layout: ContentLayout) {
    this.#layout = layout;
    this.#words = layout.words;
    this.#lists = listOf(layout.units) + 1;
  }

  get free(): number {
    return this.#words[Header.FreeUnits]!;
  }

  /** Takes `count` units in one piece for an entry; returns the first one, or -1 if no free run is large enough. */
  take(count: number, entry: number): number {
    const start = this.#find(count);
    if (start < 0) return -1;
    this.takeAt(start, count, entry);
    return start;
  }

  /** Adds the run behind a taken one to it. */
  join(start: number): void {
    this.#words[this.#layout.unitAt(start)] = 0;
  }

  /** Takes the first `count` units of the free run that begins at `start`. */
  takeAt(start: number, count: number, entry: number): void {
    const size = this.freeAt(start);
    this.#remove(start, size);
    this.#words[this.#layout.unitAt(start)] = entry + 1;
    if (size > count) this.#add(start + count, size - count);
  }

  /** Frees a run. */
  give(start: number, count: number): void {
    const words = this.#words;
    this.#words[this.#layout.unitAt(start)] = 0;
    let [from, size] = [start, count];
    const before = start === 0 ? 0 : -words[this.#layout.unitAt(start - 1)]!;
    if (before > 0) {
      this.#remove(start - before, before);
      from -= before;
      size += before;
    }
    const after = start + count === this.#layout.units ? 0 : -words[this.#layout.unitAt(start + count)]!;
    if (after > 0) {
      this.#remove(start + count, after);
      size += after;
    }
    this.#add(from, size);
  }

  /** The entry whose run begins at this unit; -1 if there is none. */
  entryAt(unit: number): number {
    return Math.max(0, this.#words[this.#layout.unitAt(unit)]!) - 1;
  }

  /** Units of the free run that begins or ends here; 0 if there is none. */
  freeAt(unit: number): number {
    return Math.max(0, -this.#words[this.#layout.unitAt(unit)]!);
  }

  /** First unit of a free run of at least this size; -1 if there is none. */
  #find(count: number): number {
    const words = this.#words;
    const first = listOf(count);
    let looks = MAX_LOOKS;
    for (let next = words[Header.FreeRuns + first]!; next !== 0 && looks > 0; looks--) {
      if (this.freeAt(next - 1) >= count) return next - 1;
      next = words[this.#layout.byteAt(next - 1) / 4]!;
    }
    for (let list = first + 1; list < this.#lists; list++)
      if (words[Header.FreeRuns + list] !== 0) return words[Header.FreeRuns + list]! - 1;
    return -1;
  }

  #add(start: number, count: number): void {
    const words = this.#words;
    const head = Header.FreeRuns + listOf(count);
    const next = words[head]!;
    const at = this.#layout.byteAt(start) / 4;
    words[at] = next;
    words[at + 1] = 0;
    if (next !== 0) words[this.#layout.byteAt(next - 1) / 4 + 1] = start + 1;
    words[head] = start + 1;
    words[this.#layout.unitAt(start)] = -count;
    words[this.#layout.unitAt(start + count - 1)] = -count;
    words[Header.FreeUnits] = this.free + count;
  }

  #remove(start: number, count: number): void {
    const words = this.#words;
    const at = this.#layout.byteAt(start) / 4;
    const next = words[at]!;
    const before = words[at + 1]!;
    if (before === 0) words[Header.FreeRuns + listOf(count)] = next;
    else words[this.#layout.byteAt(before - 1) / 4] = next;
    if (next !== 0) words[this.#layout.byteAt(next - 1) / 4 + 1] = before;
    words[this.#layout.unitAt(start)] = 0;
    words[this.#layout.unitAt(start + count - 1)] = 0;
    words[Header.FreeUnits] = this.free - count;
  }
}

/** The list of free runs of this size. */
function listOf(count: number): number {
  if (count < EXACT) return count;
  const power = 31 - Math.clz32(count);
  return EXACT + ((power - 4) << STEPS) + ((count >> (power - STEPS)) & ((1 << STEPS) - 1));
}
