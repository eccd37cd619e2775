/** The routes of a trie in order of precedence, for display. */

import * as layout from '../trie/layout.js';
import type { Trie } from '../trie/trie.js';

interface Item {
  readonly node: number;
  /** The outermost node on this path with several typed children; 0: none. */
  readonly group: number;
}

interface Entry {
  readonly route: number;
  readonly rank: number;
  readonly group: number;
}

/**
 * Route indices, each once: the first one that matches takes the request. By host (exact by name, wildcards from the
 * longest, then any), within a host in the order of the matcher.
 */
export function matchOrder(trie: Trie): number[] {
  const order = new Set<number>();
  for (const root of rootsInOrder(trie)) {
    const entries = entriesBelow(trie, root);
    for (let from = 0; from < entries.length; ) {
      let to = from + 1;
      while (to < entries.length && entries[from]!.group !== 0 && entries[to]!.group === entries[from]!.group) to++;
      const run = entries.slice(from, to).sort((a, b) => (a.group === 0 ? 0 : a.rank - b.rank));
      for (const { route } of run) order.add(route);
      from = to;
    }
  }
  return [...order];
}

function rootsInOrder(trie: Trie): number[] {
  const named: { wildcard: boolean; name: string; root: number }[] = [];
  for (let at = 0; at < trie.hosts.length; at += layout.HOST_WORDS) {
    const [, kind, name, root] = trie.hosts.subarray(at, at + layout.HOST_WORDS);
    if (kind !== 0) named.push({ wildcard: kind === layout.HOST_WILDCARD, name: trie.string(name!), root: root! });
  }
  named.sort(
    (a, b) =>
      Number(a.wildcard) - Number(b.wildcard) ||
      (a.wildcard ? b.name.length - a.name.length : 0) ||
      (a.name < b.name ? -1 : 1),
  );
  const anyRoot = trie.header[layout.H_ANY_ROOT]!;
  return [...named.map(({ root }) => root), ...(anyRoot === 0 ? [] : [anyRoot])];
}

function entriesBelow(trie: Trie, root: number): Entry[] {
  const words = trie.nodes;
  const entries: Entry[] = [];
  const stack: (Item & { readonly tail?: boolean })[] = [{ node: root, group: 0 }];
  for (let item = stack.pop(); item; item = stack.pop()) {
    const { node, group, tail } = item;
    const list = words[node + (tail ? layout.N_TAIL : layout.N_LEAF)]!;
    for (let i = 0; list !== 0 && i < words[list]!; i++) {
      const at = list + 1 + i * layout.CANDIDATE_WORDS;
      entries.push({ route: words[at + 1]!, rank: words[at + 3]!, group });
    }
    if (tail) continue;
    // Pushed from the last to the first choice.
    if (words[node + layout.N_TAIL] !== 0) stack.push({ node, group, tail: true });
    if (words[node + layout.N_PARAM] !== 0) stack.push({ node: words[node + layout.N_PARAM]!, group });
    const typed = words[node + layout.N_TYPED]!;
    const count = typed === 0 ? 0 : words[typed]!;
    const below = group === 0 && count > 1 ? node : group;
    for (let i = count - 1; i >= 0; i--) stack.push({ node: words[typed + 2 + i * 2]!, group: below });
    for (const child of literalChildren(trie, node).reverse()) stack.push({ node: child, group });
  }
  return entries;
}

/** Sorted by text; the edge table itself is in hash order. */
function literalChildren(trie: Trie, node: number): number[] {
  const words = trie.nodes;
  const children: { text: string; child: number }[] = [];
  for (let slot = 0; slot <= words[node + layout.N_MASK]!; slot++) {
    const at = node + layout.N_EDGES + slot * layout.EDGE_WORDS;
    const child = words[at + 1]!;
    if (child !== 0) children.push({ text: trie.literal(words[at + 2]!, words[at + 3]!), child });
  }
  return children.sort((a, b) => (a.text < b.text ? -1 : 1)).map(({ child }) => child);
}
