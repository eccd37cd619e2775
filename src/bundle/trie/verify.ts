/**
 * Verifies once, at open, that matching ends and stays within these words: every offset is in bounds, every node has one
 * parent and comes after it (so a match visits a node at most once), every probed table has an empty slot, and every entry
 * is found by its hash. Finally the checksum detects changes that are well-formed.
 */
import * as layout from './layout.js';

export interface TrieSections {
  readonly header: Int32Array;
  readonly nodes: Int32Array;
  readonly hosts: Int32Array;
  readonly methods: Int32Array;
  readonly listeners: Int32Array;
  readonly strings: Int32Array;
  readonly conditions: Int32Array;
  readonly lists: Int32Array;
  readonly dfas: Int32Array;
  readonly pool: Uint8Array;
  /** Number of automata; their records are at the start of `dfas`. */
  readonly dfaCount: number;
}

/** @throws TrieError with the first error. */
export function verifyTrie(trie: TrieSections): void {
  verifyStrings(trie);
  verifyConditions(trie);
  verifyDfas(trie);
  const roots = hostRoots(trie);
  const anyRoot = trie.header[layout.H_ANY_ROOT]!;
  if (anyRoot !== 0) roots.push(anyRoot);
  new NodeVerifier(trie).verify(roots);
  const words = new Int32Array(trie.header.buffer, trie.header.byteOffset, trie.header[layout.H_BYTES]! / 4);
  check(layout.checksumOf(words) === trie.header[layout.H_CHECKSUM], 'its checksum does not match');
}

function check(holds: boolean, what: string): asserts holds {
  if (!holds) throw new layout.TrieError(`The trie is damaged: ${what}.`);
}

const within = (at: number, length: number, total: number): boolean => at >= 0 && length >= 0 && at <= total - length;

const isIndex = (value: number, count: number): boolean => value >= 0 && value < count;

function verifyStrings({ strings, pool, methods, listeners }: TrieSections): void {
  check(strings.length % 2 === 0, 'the string table is truncated');
  for (let i = 0; i < strings.length; i += 2)
    check(within(strings[i]!, strings[i + 1]!, pool.length), 'a string is out of bounds');
  for (const method of methods) check(isIndex(method, strings.length / 2), 'a method has no name');
  for (const listener of listeners) check(isIndex(listener, strings.length / 2), 'a listener has no name');
}

function verifyConditions({ conditions, lists, strings, dfaCount }: TrieSections): void {
  check(conditions.length % layout.CONDITION_WORDS === 0, 'the condition table is truncated');
  const stringCount = strings.length / 2;
  for (let i = 0; i < conditions.length; i += layout.CONDITION_WORDS) {
    const [on, name, op, argument, count] = conditions.subarray(i, i + layout.CONDITION_WORDS);
    check(isIndex(on!, layout.ON.length) && isIndex(name!, stringCount), 'a condition has no subject');
    const kind = layout.OPS[op!];
    check(kind !== undefined, 'a condition has no test');
    if (kind === 'equals' || kind === 'prefix') check(isIndex(argument!, stringCount), 'a condition has no value');
    if (kind === 'matches') check(isIndex(argument!, dfaCount), 'a condition has no pattern');
    if (kind === 'one-of') {
      check(isIndex(argument!, lists.length) && lists[argument!] === count, 'a condition has no values');
      verifyList(lists, argument!, stringCount);
    }
  }
}

function verifyList(lists: Int32Array, at: number, limit: number): void {
  check(isIndex(at, lists.length) && within(at + 1, lists[at]!, lists.length), 'a list is out of bounds');
  for (let i = at + 1; i <= at + lists[at]!; i++) check(isIndex(lists[i]!, limit), 'a list entry is out of bounds');
}

function verifyDfas({ dfas, dfaCount, pool, strings }: TrieSections): void {
  for (let i = 0; i < dfaCount * layout.DFA_WORDS; i += layout.DFA_WORDS) {
    const [classes, classCount, states, next, accepts, dead, source] = dfas.subarray(i, i + layout.DFA_WORDS);
    check(classCount! > 0 && states! > 0 && classCount! <= 256, 'an automaton is empty');
    check(
      within(classes!, 256, pool.length) && within(accepts!, states!, pool.length),
      'an automaton is out of bounds',
    );
    check(within(next!, states! * classCount!, dfas.length), 'transitions are out of bounds');
    check(dead! >= -1 && dead! < states! && isIndex(source!, strings.length / 2), 'an automaton is damaged');
    for (let k = 0; k < 256; k++) check(pool[classes! + k]! < classCount!, 'a byte class is out of bounds');
    for (let k = 0; k < states! * classCount!; k++)
      check(isIndex(dfas[next! + k]!, states!), 'a state is out of bounds');
  }
}

function hostRoots({ hosts, strings, pool }: TrieSections): number[] {
  const slots = hosts.length / layout.HOST_WORDS;
  check(Number.isInteger(slots) && (slots & (slots - 1)) === 0, 'the host table has a wrong size');
  const roots: number[] = [];
  for (let i = 0; i < hosts.length; i += layout.HOST_WORDS) {
    const kind = hosts[i + 1]!;
    if (kind === 0) continue;
    check(kind === layout.HOST_EXACT || kind === layout.HOST_WILDCARD, 'a host has an unknown kind');
    check(isIndex(hosts[i + 2]!, strings.length / 2), 'a host has no name');
    const [from, length] = strings.subarray(hosts[i + 2]! * 2);
    const hash = hashBytes(pool.slice(from, from! + length!).reverse());
    check(hash === hosts[i], 'the hash of a host does not match');
    for (let slot = layout.slotOf(hash, slots - 1); slot !== i / layout.HOST_WORDS; slot = (slot + 1) & (slots - 1))
      check(hosts[slot * layout.HOST_WORDS + 1] !== 0, 'a host is not at its hash');
    roots.push(hosts[i + 3]!);
  }
  check(slots === 0 || roots.length < slots, 'the host table is full');
  return roots;
}

function hashBytes(bytes: Uint8Array): number {
  let hash = layout.FNV_OFFSET;
  for (let i = 0; i < bytes.length; i++) hash = Math.imul(hash ^ bytes[i]!, layout.FNV_PRIME);
  return hash;
}

class NodeVerifier {
  readonly #words: Int32Array;
  readonly #seen: Uint8Array;
  readonly #stack: { node: number; depth: number }[] = [];

  constructor(private readonly trie: TrieSections) {
    this.#words = trie.nodes;
    this.#seen = new Uint8Array(trie.nodes.length);
  }

  verify(roots: readonly number[]): void {
    for (const root of roots) this.#push(root, 0, 0);
    const deepest = this.trie.header[layout.H_DEPTH]!;
    const several = (this.trie.header[layout.H_FLAGS]! & layout.FLAG_SEVERAL_TYPED) !== 0;
    let found = 0;
    for (let top = this.#stack.pop(); top; top = this.#stack.pop()) {
      const { node, depth } = top;
      found = Math.max(found, depth);
      this.#edges(node, depth);
      this.#typed(node, depth, several);
      const param = this.#words[node + layout.N_PARAM]!;
      if (param !== 0) this.#push(param, node, depth + 1);
      this.#leaf(this.#words[node + layout.N_LEAF]!);
      this.#leaf(this.#words[node + layout.N_TAIL]!);
    }
    // Bounds the allocation of a matcher.
    check(deepest === found, 'its depth does not match');
  }

  #push(node: number, parent: number, depth: number): void {
    check(node > parent && within(node, layout.N_EDGES, this.#words.length), 'a node is out of bounds');
    check(this.#seen[node] === 0, 'a node has two parents');
    this.#seen[node] = 1;
    this.#stack.push({ node, depth });
  }

  #edges(node: number, depth: number): void {
    const slots = this.#words[node + layout.N_MASK]! + 1;
    check(slots >= 0 && (slots & (slots - 1)) === 0, 'an edge table has a wrong size');
    const table = node + layout.N_EDGES;
    check(within(table, slots * layout.EDGE_WORDS, this.#words.length), 'an edge table is out of bounds');
    let empty = 0;
    for (let i = 0; i < slots; i++) {
      const at = table + i * layout.EDGE_WORDS;
      const child = this.#words[at + 1]!;
      if (child === 0) {
        empty++;
        continue;
      }
      check(within(this.#words[at + 2]!, this.#words[at + 3]!, this.#words.length * 4), 'a literal is out of bounds');
      if (slots > 1) this.#findable(table, slots - 1, i);
      this.#push(child, node, depth + 1);
    }
    check(slots < 2 || empty > 0, 'an edge table is full');
  }

  /** Probing for the literal of slot `i` finds that slot. */
  #findable(table: number, mask: number, i: number): void {
    const words = this.#words;
    const at = table + i * layout.EDGE_WORDS;
    const first = words.byteOffset + words[at + 2]!;
    const hash = hashBytes(new Uint8Array(words.buffer, first, words[at + 3]!));
    check(hash === words[at], 'the hash of a literal does not match');
    for (let slot = layout.slotOf(hash, mask); slot !== i; slot = (slot + 1) & mask)
      check(words[table + slot * layout.EDGE_WORDS + 1] !== 0, 'a literal is not at its hash');
  }

  #typed(node: number, depth: number, several: boolean): void {
    const list = this.#words[node + layout.N_TYPED]!;
    if (list === 0) return;
    check(isIndex(list, this.#words.length), 'a typed list is out of bounds');
    const count = this.#words[list]!;
    check(count >= 0 && within(list + 1, count * 2, this.#words.length), 'a typed list is out of bounds');
    check(several || count < 2, 'several typed children are not marked');
    for (let i = list + 1; i < list + 1 + count * 2; i += 2) {
      check(isIndex(this.#words[i]!, this.trie.dfaCount), 'a typed child has no automaton');
      this.#push(this.#words[i + 1]!, node, depth + 1);
    }
  }

  #leaf(list: number): void {
    if (list === 0) return;
    const { methods, listeners, lists, conditions, header } = this.trie;
    check(isIndex(list, this.#words.length), 'a leaf list is out of bounds');
    const count = this.#words[list]!;
    check(
      count >= 0 && within(list + 1, count * layout.CANDIDATE_WORDS, this.#words.length),
      'a leaf list is out of bounds',
    );
    for (let i = list + 1; i < list + 1 + count * layout.CANDIDATE_WORDS; i += layout.CANDIDATE_WORDS) {
      const method = this.#words[i]!;
      check(method === layout.ANY_METHOD || isIndex(method, methods.length), 'a candidate has no method');
      check(isIndex(this.#words[i + 1]!, header[layout.H_ROUTES]!), 'a candidate has no route');
      const conditionList = this.#words[i + 2]!;
      if (conditionList !== 0) verifyList(lists, conditionList, conditions.length / layout.CONDITION_WORDS);
      // An empty list would hide the route from all listeners; 0 means every listener.
      const listenerList = this.#words[i + 4]!;
      if (listenerList !== 0) {
        verifyList(lists, listenerList, listeners.length);
        check(lists[listenerList]! > 0, 'a candidate is served on no listener');
      }
    }
  }
}
