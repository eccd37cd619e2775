/** Hosts, conditions and listeners of a route, read from the trie, for display. */

import { Condition } from './match/conditions.js';
import * as layout from './trie/layout.js';
import { listenersOf } from './trie/listeners.js';
import type { Trie } from './trie/trie.js';

export interface RoutePlace {
  /** Host patterns, exact ones first. Empty: any host. */
  readonly hosts: readonly string[];
  /** Conditions on the scheme, header fields and query parameters: `header x-beta is present`. */
  readonly conditions: readonly string[];
  /** Names of the listeners that serve the route. Empty: every listener. */
  readonly listeners: readonly string[];
}

/** The places of all routes, by route index. */
export function routePlaces(trie: Trie): Map<number, RoutePlace> {
  const places = new Map<number, RoutePlace>();
  for (const { root, host } of roots(trie)) {
    const here = host === undefined ? [] : [host];
    for (const candidate of candidatesBelow(trie, root)) {
      const route = trie.nodes[candidate + 1]!;
      const known = places.get(route);
      if (known === undefined) {
        const conditions = conditionsOf(trie, candidate);
        places.set(route, { hosts: here, conditions, listeners: listenersOf(trie, candidate) });
      } else if (host !== undefined && !known.hosts.includes(host)) {
        places.set(route, { ...known, hosts: [...known.hosts, host].sort(byPrecedence) });
      }
    }
  }
  return places;
}

const byPrecedence = (a: string, b: string): number =>
  Number(a.startsWith('*')) - Number(b.startsWith('*')) || (a < b ? -1 : 1);

function conditionsOf(trie: Trie, candidate: number): string[] {
  const list = trie.nodes[candidate + 2]!;
  if (list === 0) return [];
  const indices = trie.lists.subarray(list + 1, list + 1 + trie.lists[list]!);
  return Array.from(indices, (index) => new Condition(trie, index).describe());
}

function roots(trie: Trie): { root: number; host: string | undefined }[] {
  const { hosts, header } = trie;
  const found: { root: number; host: string | undefined }[] = [];
  for (let at = 0; at < hosts.length; at += layout.HOST_WORDS) {
    const [, kind, name, root] = hosts.subarray(at, at + layout.HOST_WORDS);
    if (kind === 0) continue;
    const text = trie.string(name!);
    found.push({ root: root!, host: kind === layout.HOST_WILDCARD ? `*${text}` : text });
  }
  const any = header[layout.H_ANY_ROOT]!;
  return any === 0 ? found : [...found, { root: any, host: undefined }];
}

/** Word offsets of candidates. Uses its own stack, because paths in a spec may be very long. */
function* candidatesBelow(trie: Trie, root: number): Generator<number> {
  const { nodes } = trie;
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const list of [nodes[node + layout.N_LEAF]!, nodes[node + layout.N_TAIL]!]) {
      for (let index = 0; list !== 0 && index < nodes[list]!; index++) yield list + 1 + index * layout.CANDIDATE_WORDS;
    }
    stack.push(...childrenOf(nodes, node));
  }
}

function childrenOf(nodes: Int32Array, node: number): number[] {
  const found: number[] = [];
  for (let slot = 0; slot <= nodes[node + layout.N_MASK]!; slot++) {
    found.push(nodes[node + layout.N_EDGES + slot * layout.EDGE_WORDS + 1]!);
  }
  const typed = nodes[node + layout.N_TYPED]!;
  for (let index = 0; typed !== 0 && index < nodes[typed]!; index++) found.push(nodes[typed + 2 + index * 2]!);
  found.push(nodes[node + layout.N_PARAM]!);
  return found.filter((child) => child !== 0);
}
