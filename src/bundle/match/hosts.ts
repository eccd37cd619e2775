/** Finds the roots of the tries for a host. */

import * as layout from '../trie/layout.js';
import type { Trie } from '../trie/trie.js';

const DOT = 0x2e;
/** RFC 1035 section 2.3.4; no pattern matches a longer host. */
const MAX_HOST = 253;

export class HostTable {
  readonly anyRoot: number;
  readonly #words: Int32Array;
  readonly #strings: Int32Array;
  readonly #pool: Uint8Array;
  readonly #mask: number;
  readonly #roots = new Int32Array(MAX_HOST + 1);
  #count = 0;
  #last: string | undefined;

  constructor(trie: Trie) {
    this.anyRoot = trie.header[layout.H_ANY_ROOT]!;
    this.#words = trie.hosts;
    this.#strings = trie.strings;
    this.#pool = trie.pool;
    this.#mask = trie.hosts.length / layout.HOST_WORDS - 1;
  }

  /** Number of roots for `host`: exact, then wildcards from the longest. Ignores a trailing dot (the DNS root). */
  find(host: string): number {
    if (this.#mask < 0) return 0;
    if (host === this.#last) return this.#count;
    this.#last = host;
    this.#count = 0;
    let end = host.length;
    if (end > 0 && host.charCodeAt(end - 1) === DOT) end--;
    if (end === 0 || end > MAX_HOST) return 0;
    let hash = layout.FNV_OFFSET;
    for (let i = end - 1; i >= 0; i--) {
      const code = host.charCodeAt(i);
      hash = Math.imul(hash ^ code, layout.FNV_PRIME);
      if (code === DOT && i > 0) this.#add(host, i, end, hash, layout.HOST_WILDCARD);
    }
    this.#add(host, 0, end, hash, layout.HOST_EXACT);
    return this.#count;
  }

  /** The root with this index of the last find, best first. */
  root(index: number): number {
    return this.#roots[this.#count - 1 - index]!;
  }

  #add(host: string, from: number, to: number, hash: number, kind: number): void {
    const words = this.#words;
    for (let slot = layout.slotOf(hash, this.#mask); ; slot = (slot + 1) & this.#mask) {
      const at = slot * layout.HOST_WORDS;
      if (words[at + 1] === 0) return;
      if (words[at] === hash && words[at + 1] === kind && this.#same(words[at + 2]!, host, from, to)) {
        this.#roots[this.#count++] = words[at + 3]!;
        return;
      }
    }
  }

  #same(string: number, host: string, from: number, to: number): boolean {
    const at = this.#strings[string * 2]!;
    if (this.#strings[string * 2 + 1] !== to - from) return false;
    for (let i = from; i < to; i++) if (this.#pool[at + i - from] !== host.charCodeAt(i)) return false;
    return true;
  }
}
