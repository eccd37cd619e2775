/** Routes in the order in which a match prefers them: read off the trie, so that it cannot differ from what a match does. */
import type { Trie } from './trie.js';
import * as layout from './trie-layout.js';
import { compareText } from './trie-tree.js';

/**
 * Indices of routes, each once, where its best candidate stands: exact hosts, wildcard hosts from the longest, any host;
 * within one, the shorter path, then literals by the alphabet, typed parameters, parameters, tails.
 */
export function matchOrder(trie: Trie): number[] {
  const found = new Set<number>();
  for (const root of roots(trie)) walk(trie, root, found);
  return [...found];
}

function roots(trie: Trie): number[] {
  const { hosts, header } = trie;
  const named: { kind: number; name: string; root: number }[] = [];
  for (let at = 0; at < hosts.length; at += layout.HOST_WORDS) {
    const kind = hosts[at + 1]!;
    if (kind !== 0) named.push({ kind, name: trie.string(hosts[at + 2]!), root: hosts[at + 3]! });
  }
  named.sort((a, b) => {
    if (a.kind !== b.kind) return a.kind === layout.HOST_EXACT ? -1 : 1;
    const longer = a.kind === layout.HOST_WILDCARD ? b.name.length - a.name.length : 0;
    return longer || compareText(a.name, b.name);
  });
  const any = header[layout.H_ANY_ROOT]!;
  return [...named.map(({ root }) => root), ...(any === 0 ? [] : [any])];
}

/** With a stack of its own: a path may have as many segments as a spec has room for. */
function walk(trie: Trie, root: number, found: Set<number>): void {
  const { nodes } = trie;
  // A negative entry is the tail list of a node whose other children have had their turn.
  const stack = [root];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (next < 0) {
      addAll(nodes, -next, found);
      continue;
    }
    addAll(nodes, nodes[next + layout.N_LEAF]!, found);
    const tail = nodes[next + layout.N_TAIL]!;
    if (tail !== 0) stack.push(-tail);
    stack.push(...children(trie, next).reverse());
  }
}

function children(trie: Trie, node: number): number[] {
  const { nodes } = trie;
  const literals: { text: string; child: number }[] = [];
  for (let slot = 0; slot <= nodes[node + layout.N_MASK]!; slot++) {
    const at = node + layout.N_EDGES + slot * layout.EDGE_WORDS;
    const child = nodes[at + 1]!;
    if (child !== 0) literals.push({ child, text: trie.text(nodes[at + 2]!, nodes[at + 3]!) });
  }
  const found = literals.sort((a, b) => compareText(a.text, b.text)).map(({ child }) => child);
  const typed = nodes[node + layout.N_TYPED]!;
  for (let index = 0; typed !== 0 && index < nodes[typed]!; index++) found.push(nodes[typed + 2 + index * 2]!);
  const param = nodes[node + layout.N_PARAM]!;
  return param === 0 ? found : [...found, param];
}

function addAll(nodes: Int32Array, list: number, found: Set<number>): void {
  for (let index = 0; list !== 0 && index < nodes[list]!; index++) {
    found.add(nodes[list + 1 + index * layout.CANDIDATE_WORDS + 1]!);
  }
}
