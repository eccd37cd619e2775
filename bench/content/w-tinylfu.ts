/**
 * A model of W-TinyLFU by size: a window of 1 %, a main part of two segments, and a sketch that says which of two contents was asked
 * for more often of late. For comparison with the memory of contents.
 */
import type { Cache } from './hit-ratio.js';

const WINDOW = 0.01;
/** Of the main part: what was read again since it came there. */
const PROTECTED = 0.8;

/** Contents in the order of their use, the oldest first, and their bytes. */
class Segment {
  readonly sizes = new Map<number, number>();
  used = 0;

  add(id: number, size: number): void {
    this.sizes.set(id, size);
    this.used += size;
  }

  take(id: number): number | undefined {
    const size = this.sizes.get(id);
    if (size === undefined) return undefined;
    this.sizes.delete(id);
    this.used -= size;
    return size;
  }

  get oldest(): number | undefined {
    return this.sizes.keys().next().value;
  }
}

const ROWS = 4;
/** Counters do not grow beyond it. */
const MOST = 15;

/** How often an id was asked for: the least of four counters, which are all halved after some time. */
class Sketch {
  readonly #counters: Uint8Array;
  readonly #columns: number;
  #added = 0;

  constructor(columns: number) {
    this.#columns = 2 ** Math.ceil(Math.log2(columns));
    this.#counters = new Uint8Array(ROWS * this.#columns);
  }

  add(id: number): void {
    for (let row = 0; row < ROWS; row++) {
      const at = this.#at(row, id);
      if (this.#counters[at]! < MOST) this.#counters[at]!++;
    }
    if (++this.#added < this.#columns * 10) return;
    this.#added = 0;
    for (let at = 0; at < this.#counters.length; at++) this.#counters[at]! >>= 1;
  }

  of(id: number): number {
    let least = MOST;
    for (let row = 0; row < ROWS; row++) least = Math.min(least, this.#counters[this.#at(row, id)]!);
    return least;
  }

  #at(row: number, id: number): number {
    let hash = Math.imul(id + 1, 0x9e3779b1) ^ Math.imul(row + 1, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    return row * this.#columns + ((hash ^ (hash >>> 15)) & (this.#columns - 1));
  }
}

export class WTinyLfu implements Cache {
  readonly #window = new Segment();
  readonly #probation = new Segment();
  readonly #protected = new Segment();
  readonly #sketch: Sketch;
  readonly #bytes: { readonly window: number; readonly main: number };

  /** `usual`: bytes of a usual content, for the size of the sketch. */
  constructor(bytes: number, usual: number) {
    this.#bytes = { window: bytes * WINDOW, main: bytes * (1 - WINDOW) };
    this.#sketch = new Sketch(Math.max(64, bytes / usual));
  }

  get(id: number): boolean {
    this.#sketch.add(id);
    for (const segment of [this.#window, this.#protected]) {
      const size = segment.take(id);
      if (size === undefined) continue;
      segment.add(id, size);
      return true;
    }
    const size = this.#probation.take(id);
    if (size === undefined) return false;
    this.#protected.add(id, size);
    while (this.#protected.used > this.#bytes.main * PROTECTED) move(this.#protected, this.#probation);
    return true;
  }

  put(id: number, size: number): void {
    this.#window.add(id, size);
    while (this.#window.used > this.#bytes.window) this.#admit(this.#window.oldest!);
  }

  /** A content leaves the window: it displaces what was asked for less often, or is forgotten. */
  #admit(id: number): void {
    const size = this.#window.take(id)!;
    const victims: number[] = [];
    let room = this.#bytes.main - this.#probation.used - this.#protected.used;
    const mine = this.#sketch.of(id);
    for (const segment of [this.#probation, this.#protected]) {
      for (const [victim, freed] of segment.sizes) {
        if (room >= size) break;
        if (this.#sketch.of(victim) >= mine) return;
        victims.push(victim);
        room += freed;
      }
    }
    if (room < size) return;
    for (const victim of victims) if (this.#probation.take(victim) === undefined) this.#protected.take(victim);
    this.#probation.add(id, size);
  }
}

function move(from: Segment, to: Segment): void {
  const id = from.oldest!;
  to.add(id, from.take(id)!);
}
