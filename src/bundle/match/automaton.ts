/** Runs automata in place over percent-encoded segments, queries and text. Allocates nothing. */
import { hexByte } from '../normalize.js';
import * as layout from '../trie/layout.js';
import type { Trie } from '../trie/trie.js';

const PERCENT = 0x25;
const PLUS = 0x2b;

export class Automaton {
  readonly source: string;
  readonly #classes: Uint8Array;
  readonly #classCount: number;
  readonly #next: Int32Array;
  readonly #accepts: Uint8Array;
  readonly #dead: number;

  constructor(trie: Trie, index: number) {
    const at = index * layout.DFA_WORDS;
    const [classes, classCount, states, next, accepts, dead, source] = trie.dfas.subarray(at, at + layout.DFA_WORDS);
    this.source = trie.string(source!);
    this.#classes = trie.pool.subarray(classes!, classes! + 256);
    this.#classCount = classCount!;
    this.#next = trie.dfas.subarray(next!, next! + states! * classCount!);
    this.#accepts = trie.pool.subarray(accepts!, accepts! + states!);
    this.#dead = dead!;
  }

  /**
   * Whether `text` from `from` to `to` is accepted once decoded: `%XX` is a byte, and with `form` a plus is a space
   * (application/x-www-form-urlencoded). Non-ASCII characters are read as their UTF-8 bytes.
   */
  accepts(text: string, from: number, to: number, form: boolean): boolean {
    let state = 0;
    for (let i = from; i < to; i++) {
      let byte = text.charCodeAt(i);
      if (byte === PERCENT) {
        const escaped = i + 2 < to ? hexByte(text, i + 1) : -1;
        if (escaped >= 0) {
          byte = escaped;
          i += 2;
        }
      } else if (form && byte === PLUS) {
        byte = 0x20;
      } else if (byte > 127) {
        const point = text.codePointAt(i)!;
        if (point > 0xffff) i++;
        state = this.#codePoint(state, point);
        if (state === this.#dead) return false;
        continue;
      }
      state = this.#step(state, byte);
      if (state === this.#dead) return false;
    }
    return this.#accepts[state] === 1;
  }

  /** Whether a whole header value is accepted; each character is one byte. */
  acceptsBytes(value: string): boolean {
    let state = 0;
    for (let i = 0; i < value.length; i++) {
      const byte = value.charCodeAt(i);
      if (byte > 255) return false;
      state = this.#step(state, byte);
      if (state === this.#dead) return false;
    }
    return this.#accepts[state] === 1;
  }

  #step(state: number, byte: number): number {
    return this.#next[state * this.#classCount + this.#classes[byte]!]!;
  }

  #codePoint(state: number, point: number): number {
    if (point < 0x800) return this.#trail(this.#step(state, 0xc0 | (point >> 6)), point, 1);
    if (point < 0x1_0000) return this.#trail(this.#step(state, 0xe0 | (point >> 12)), point, 2);
    return this.#trail(this.#step(state, 0xf0 | (point >> 18)), point, 3);
  }

  #trail(state: number, point: number, bytes: number): number {
    for (let shift = (bytes - 1) * 6; shift >= 0; shift -= 6)
      state = this.#step(state, 0x80 | ((point >> shift) & 0x3f));
    return state;
  }
}
