/** Finds what the automaton of a pattern matches, anywhere in a text. */
import type { Find, Spans } from './kinds.js';

/** As in the bundle; src/schema/regex/regex.ts makes it. */
export type PatternEntry = {
  readonly classes: readonly number[];
  readonly classCount: number;
  readonly next: readonly number[];
  readonly accepts: readonly number[];
  readonly dead: number;
};

const NONE = -1;
const ASCII = 0x80;
/** First byte of a sequence with so many trailing bytes. */
const LEAD = [0, 0xc0, 0xe0, 0xf0];

/**
 * All matches, merged where they overlap. Each state of the automaton is followed from the earliest place that leads to it, so the
 * work for a character is at most the number of states, and a text never needs to be read twice.
 */
export class PatternFinder {
  readonly #classes: Uint8Array;
  readonly #classCount: number;
  readonly #next: Uint16Array;
  readonly #accepts: Uint8Array;
  readonly #dead: number;
  /** By ASCII character, and last for all others: 1 where a match may begin. */
  readonly #begins: Uint8Array;
  /** By state: where the match began that is in it; NONE: not followed. */
  #starts: Int32Array;
  #others: Int32Array;
  /** The states that are followed. */
  #states: Uint16Array;
  #otherStates: Uint16Array;

  constructor({ accepts, classCount, classes, dead, next }: PatternEntry) {
    this.#classes = Uint8Array.from(classes);
    this.#classCount = classCount;
    this.#next = Uint16Array.from(next);
    this.#accepts = Uint8Array.from(accepts);
    this.#dead = dead;
    const states = accepts.length;
    const begins = this.#classes.map((column) => (this.#next[column] === dead ? 0 : 1));
    this.#begins = begins.slice(0, ASCII + 1);
    this.#begins[ASCII] = begins.includes(1, ASCII) ? 1 : 0;
    this.#starts = new Int32Array(states).fill(NONE);
    this.#others = new Int32Array(states).fill(NONE);
    this.#states = new Uint16Array(states);
    this.#otherStates = new Uint16Array(states);
  }

  readonly find: Find = (text, found) => {
    let count = 0;
    for (let at = 0; at < text.length; ) {
      if (count === 0) {
        while (at < text.length && this.#begins[Math.min(text.charCodeAt(at), ASCII)] === 0) at++;
        if (at === text.length) break;
      }
      // A match may begin here; an earlier one in the same state is longer.
      if (this.#starts[0] === NONE) {
        this.#starts[0] = at;
        this.#states[count++] = 0;
      }
      const point = text.codePointAt(at)!;
      at += point > 0xffff ? 2 : 1;
      count = this.#read(point >= 0xd800 && point <= 0xdfff ? 0xfffd : point, count);
      for (let index = 0; index < count; index++) {
        const state = this.#states[index]!;
        if (this.#accepts[state] === 1) add(found, this.#starts[state]!, at);
      }
    }
    for (let index = 0; index < count; index++) this.#starts[this.#states[index]!] = NONE;
  };

  #read(point: number, count: number): number {
    if (point < 0x80) return this.#step(point, count);
    const trail = point < 0x800 ? 1 : point < 0x1_0000 ? 2 : 3;
    let left = this.#step(LEAD[trail]! | (point >> (6 * trail)), count);
    for (let shift = 6 * (trail - 1); shift >= 0 && left > 0; shift -= 6)
      left = this.#step(0x80 | ((point >> shift) & 0x3f), left);
    return left;
  }

  /** Reads a byte in all states. Returns the number of states that are left. */
  #step(byte: number, count: number): number {
    const column = this.#classes[byte]!;
    let left = 0;
    for (let index = 0; index < count; index++) {
      const state = this.#states[index]!;
      const start = this.#starts[state]!;
      this.#starts[state] = NONE;
      const next = this.#next[state * this.#classCount + column]!;
      if (next === this.#dead) continue;
      const known = this.#others[next]!;
      if (known === NONE) this.#otherStates[left++] = next;
      if (known === NONE || start < known) this.#others[next] = start;
    }
    [this.#starts, this.#others] = [this.#others, this.#starts];
    [this.#states, this.#otherStates] = [this.#otherStates, this.#states];
    return left;
  }
}

/** Matches come in the order of their ends. */
function add(found: Spans, start: number, end: number): void {
  let from = start;
  for (let last = found.at(-1); last !== undefined && last[1] >= from; last = found.at(-1)) {
    from = Math.min(from, last[0]);
    found.pop();
  }
  found.push([from, end]);
}
