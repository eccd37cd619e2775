/** The listeners that serve a candidate of the trie. */
import type { Trie } from './trie.js';

export class ListenerTable {
  readonly #ids = new Map<string, number>();
  readonly #lists: Int32Array;

  constructor(trie: Trie) {
    this.#lists = trie.lists;
    for (const [id, name] of trie.listeners.entries()) this.#ids.set(trie.string(name), id);
  }

  /** Whether the listener with this name is in the list at a word offset. */
  serves(list: number, name: string): boolean {
    const id = this.#ids.get(name);
    if (id === undefined) return false;
    const lists = this.#lists;
    const last = list + lists[list]!;
    for (let i = list + 1; i <= last; i++) if (lists[i] === id) return true;
    return false;
  }
}

/** Names of the listeners that serve the candidate at a word offset. Empty: every listener. */
export function listenersOf(trie: Trie, candidate: number): readonly string[] {
  const list = trie.nodes[candidate + 4]!;
  if (list === 0) return [];
  const indices = trie.lists.subarray(list + 1, list + 1 + trie.lists[list]!);
  return Array.from(indices, (index) => trie.string(trie.listeners[index]!));
}
