/**
 * The keys that were asked for in vain of late, by hash: what was asked for only once is not worth the place of another content
 * when memory is full. A word for each place:
 *
 *     | tag: 15 bits | asked twice: 1 bit | when: 16 bits |
 *
 * Time counts misses. A newer key takes the place of an older one, and nothing else ages the table. It needs no lock: a lost
 * word costs one admission.
 */
import { type ContentLayout, Header } from './layout.js';

/** Misses of one step of time. */
const STEP = 64;
/** Misses for each stored content after which a key is forgotten. */
const WINDOW = 2;
const TWICE = 1 << 16;

export class AskedKeys {
  readonly #layout: ContentLayout;
  readonly #words: Int32Array<ArrayBufferLike>;

  constructor(layout: ContentLayout) {
    this.#layout = layout;
    this.#words = layout.words;
  }

  /** Notes a miss. `known`: the key was stored, and its time is over. */
  miss(low: number, high: number, known = false): void {
    const words = this.#words;
    const misses = ++words[Header.Misses]!;
    const at = this.#layout.askedAt(low);
    const now = (misses / STEP) & 0xffff;
    const twice = known || this.#recent(words[at]!, high, now);
    words[at] = (high & TAG) | (twice ? TWICE : 0) | now;
  }

  /** Whether the key was asked for twice, the last time just now. */
  twice(low: number, high: number): boolean {
    const word = this.#words[this.#layout.askedAt(low)]!;
    return (word & TWICE) !== 0 && (word & TAG) === (high & TAG);
  }

  #recent(word: number, high: number, now: number): boolean {
    if (word === 0 || (word & TAG) !== (high & TAG)) return false;
    const window = (WINDOW * this.#words[Header.Contents]!) / STEP;
    return ((now - word) & 0xffff) <= window;
  }
}

const TAG = -1 << 17;
