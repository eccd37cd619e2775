/** TrieIR -> words. Deterministic: the same matches in the same order give the same bytes. */

import type { ConditionIR, Dfa, TrieIR } from '../types.js';
import * as layout from './layout.js';
import { BytePool, StringTable } from './pool.js';
import { type Candidate, compareText, growTree, type Tree, type TreeNode } from './tree.js';

/**
 * Builds the trie of `ir`. Literals must be in normal form (normalizeLiteral).
 * @throws TrieError for a literal that is not ASCII, a condition that is not in the contract, or a big-endian machine.
 */
export function buildTrie(ir: TrieIR): ArrayBuffer {
  layout.requireLittleEndian();
  return new TrieWriter(ir).write();
}

interface Root {
  readonly host: string | undefined;
  readonly node: TreeNode;
}

class TrieWriter {
  readonly #pool = new BytePool();
  readonly #strings = new StringTable(this.#pool);
  readonly #methods = new Map<string, number>();
  readonly #listeners = new Map<string, number>();
  readonly #conditions = new Map<string, number>();
  readonly #conditionWords: number[] = [];
  readonly #lists: number[] = [0];
  readonly #listsByText = new Map<string, number>();
  readonly #tree: Tree;
  readonly #dfas: readonly Dfa[];
  #nodes = new Int32Array(0);
  #nodeBytes = new Uint8Array(0);
  #depth = 0;
  #several = false;

  constructor(private readonly ir: TrieIR) {
    this.#tree = growTree(ir);
    this.#dfas = ir.dfas;
  }

  write(): ArrayBuffer {
    const roots: Root[] = [...this.#tree.roots].map(([host, node]) => ({ host, node }));
    roots.sort((a, b) => compareText(a.host ?? '', b.host ?? ''));
    const order = this.#layOut(roots);
    this.#several = order.some((node) => (node.typed?.length ?? 0) > 1);
    if (this.#several) rankCandidates(roots);
    for (const node of order) {
      this.#writeNode(node);
    }
    const sections: Record<layout.SectionName, Int32Array | Uint8Array> = {
      nodes: this.#nodes,
      hosts: this.#hostTable(roots),
      dfas: this.#dfaTable(),
      conditions: Int32Array.from(this.#conditionWords),
      lists: Int32Array.from(this.#lists),
      methods: Int32Array.from(this.#methods.keys(), (method) => this.#strings.intern(method)),
      listeners: Int32Array.from(this.#listeners.keys(), (name) => this.#strings.intern(name)),
      strings: Int32Array.from(this.#strings.words),
      pool: this.#pool.bytes,
    };
    return this.#assemble(sections, order.length, roots.find((root) => root.host === undefined)?.node.offset ?? 0);
  }

  /** Assigns every node its offset, in depth-first order. */
  #layOut(roots: readonly Root[]): TreeNode[] {
    const order: TreeNode[] = [];
    let offset = 1;
    for (const root of roots) this.#depth = Math.max(this.#depth, preorder(root.node, order));
    for (const node of order) {
      node.offset = offset;
      offset += nodeWords(node);
    }
    this.#nodes = new Int32Array(offset);
    this.#nodeBytes = new Uint8Array(this.#nodes.buffer);
    return order;
  }

  #writeNode(node: TreeNode): void {
    const words = this.#nodes;
    const at = node.offset;
    const slots = tableSize(node.literals?.length ?? 0);
    words[at + layout.N_MASK] = slots - 1;
    let next = at + layout.N_EDGES + slots * layout.EDGE_WORDS;
    if (node.literals) next = this.#writeEdges(node.literals, at + layout.N_EDGES, slots - 1, next);
    if (node.typed) {
      words[at + layout.N_TYPED] = next;
      words[next++] = node.typed.length;
      for (const child of sortedTyped(node.typed, this.#dfas)) {
        words[next++] = child.dfa;
        words[next++] = child.node.offset;
      }
    }
    if (node.param) words[at + layout.N_PARAM] = node.param.offset;
    if (node.leaf) {
      words[at + layout.N_LEAF] = next;
      next = this.#writeLeaf(node.leaf, next);
    }
    if (node.tail) {
      words[at + layout.N_TAIL] = next;
      this.#writeLeaf(node.tail, next);
    }
  }

  #writeEdges(literals: readonly TreeNode[], table: number, mask: number, next: number): number {
    const words = this.#nodes;
    for (const { text, offset } of literals) {
      const hash = hashLiteral(text);
      let slot = layout.slotOf(hash, mask);
      while (words[table + slot * layout.EDGE_WORDS + 1] !== 0) slot = (slot + 1) & mask;
      const at = table + slot * layout.EDGE_WORDS;
      words[at] = hash;
      words[at + 1] = offset;
      words[at + 2] = next * 4;
      words[at + 3] = text.length;
      for (let i = 0; i < text.length; i++) this.#nodeBytes[next * 4 + i] = text.charCodeAt(i);
      next += literalWords(text);
    }
    return next;
  }

  #writeLeaf(list: readonly Candidate[], at: number): number {
    const words = this.#nodes;
    words[at++] = list.length;
    for (const candidate of list) {
      words[at] = candidate.method === undefined ? layout.ANY_METHOD : this.#method(candidate.method);
      words[at + 1] = candidate.route;
      words[at + 2] = this.#conditionList(candidate.conditions);
      words[at + 3] = candidate.rank;
      words[at + 4] = this.#listenerList(candidate.listeners);
      at += layout.CANDIDATE_WORDS;
    }
    return at;
  }

  #method(name: string): number {
    const known = this.#methods.get(name);
    if (known !== undefined) return known;
    this.#methods.set(name, this.#methods.size);
    return this.#methods.size - 1;
  }

  /** Offset of a listener list in `lists`; 0: every listener. */
  #listenerList(names: readonly string[]): number {
    if (names.length === 0) return 0;
    return this.#list(
      names.map((name) => {
        const known = this.#listeners.get(name);
        if (known === undefined) this.#listeners.set(name, this.#listeners.size);
        return known ?? this.#listeners.size - 1;
      }),
    );
  }

  /** Offset of a condition list in `lists`; 0: no conditions. */
  #conditionList(conditions: readonly ConditionIR[]): number {
    if (conditions.length === 0) return 0;
    return this.#list(conditions.map((condition) => this.#condition(condition)));
  }

  #list(items: readonly number[]): number {
    const text = items.join();
    const known = this.#listsByText.get(text);
    if (known !== undefined) return known;
    const at = this.#lists.length;
    this.#lists.push(items.length, ...items);
    this.#listsByText.set(text, at);
    return at;
  }

  #condition({ on, name, test }: ConditionIR): number {
    const key = JSON.stringify([on, name, test]);
    const known = this.#conditions.get(key);
    if (known !== undefined) return known;
    const op = layout.OPS.indexOf(test.op);
    if (op < 0) throw new layout.TrieError(`Unknown condition: ${JSON.stringify(test)}.`);
    let argument = 0;
    let count = 0;
    if (test.op === 'equals' || test.op === 'prefix') argument = this.#strings.intern(test.value);
    else if (test.op === 'matches') argument = test.dfa;
    else if (test.op === 'one-of') {
      argument = this.#list(test.values.map((value) => this.#strings.intern(value)));
      count = test.values.length;
    }
    this.#conditionWords.push(layout.ON.indexOf(on), this.#strings.intern(name), op, argument, count);
    this.#conditions.set(key, this.#conditions.size);
    return this.#conditions.size - 1;
  }

  #hostTable(roots: readonly Root[]): Int32Array {
    const named = roots.filter((root) => root.host !== undefined);
    if (named.length === 0) return new Int32Array(0);
    const slots = powerOfTwo(named.length * 2);
    const words = new Int32Array(slots * layout.HOST_WORDS);
    for (const { host, node } of named) {
      const wildcard = host!.startsWith('*.');
      const text = wildcard ? host!.slice(1) : host!;
      const hash = hashHost(text);
      let slot = layout.slotOf(hash, slots - 1);
      while (words[slot * layout.HOST_WORDS + 1] !== 0) slot = (slot + 1) & (slots - 1);
      const kind = wildcard ? layout.HOST_WILDCARD : layout.HOST_EXACT;
      words.set([hash, kind, this.#strings.intern(text), node.offset], slot * layout.HOST_WORDS);
    }
    return words;
  }

  #dfaTable(): Int32Array {
    const records: number[] = [];
    const transitions: number[] = [];
    const base = this.#dfas.length * layout.DFA_WORDS;
    for (const dfa of this.#dfas) {
      const source = this.#strings.intern(dfa.source);
      const classes = this.#pool.add(dfa.classes);
      const accepts = this.#pool.add(dfa.accepts);
      const next = base + transitions.length;
      records.push(classes, dfa.classCount, dfa.accepts.length, next, accepts, dfa.dead, source);
      for (const state of dfa.next) transitions.push(state);
    }
    return Int32Array.from([...records, ...transitions]);
  }

  #assemble(
    sections: Record<layout.SectionName, Int32Array | Uint8Array>,
    nodes: number,
    anyRoot: number,
  ): ArrayBuffer {
    let bytes = layout.HEADER_WORDS * 4;
    const header = new Int32Array(layout.HEADER_WORDS);
    layout.SECTIONS.forEach((name, i) => {
      header[layout.H_DIRECTORY + i * 2] = bytes;
      header[layout.H_DIRECTORY + i * 2 + 1] = sections[name].byteLength;
      bytes += (sections[name].byteLength + 3) & ~3;
    });
    header[layout.H_MAGIC] = layout.TRIE_MAGIC;
    header[layout.H_FORMAT] = layout.TRIE_FORMAT;
    header[layout.H_BYTES] = bytes;
    header[layout.H_FLAGS] =
      (this.ir.trailingSlash === 'ignore' ? layout.FLAG_IGNORE_TRAILING_SLASH : 0) |
      (this.#several ? layout.FLAG_SEVERAL_TYPED : 0);
    header[layout.H_ROUTES] = this.#tree.routeCount;
    header[layout.H_NODES] = nodes;
    header[layout.H_DEPTH] = this.#depth;
    header[layout.H_ANY_ROOT] = anyRoot;
    const buffer = new ArrayBuffer(bytes);
    new Int32Array(buffer).set(header);
    const all = new Uint8Array(buffer);
    layout.SECTIONS.forEach((name, i) => {
      const part = sections[name];
      all.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), header[layout.H_DIRECTORY + i * 2]!);
    });
    const words = new Int32Array(buffer);
    words[layout.H_CHECKSUM] = layout.checksumOf(words);
    return buffer;
  }
}

function nodeWords(node: TreeNode): number {
  let words = layout.N_EDGES + tableSize(node.literals?.length ?? 0) * layout.EDGE_WORDS;
  if (node.literals) for (const { text } of node.literals) words += literalWords(text);
  if (node.typed) words += 1 + node.typed.length * 2;
  if (node.leaf) words += 1 + node.leaf.length * layout.CANDIDATE_WORDS;
  if (node.tail) words += 1 + node.tail.length * layout.CANDIDATE_WORDS;
  return words;
}

const literalWords = (text: string): number => (text.length + 3) >> 2;

/** At least a third of the slots stay empty, so that probing always ends, and soon. */
const tableSize = (edges: number): number => (edges < 2 ? edges : powerOfTwo(Math.ceil(edges * 1.5)));

function powerOfTwo(atLeast: number): number {
  let size = 1;
  while (size < atLeast) size *= 2;
  return size;
}

export function hashLiteral(text: string): number {
  let hash = layout.FNV_OFFSET;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) throw new layout.TrieError(`A literal must be in normal form: ${JSON.stringify(text)}.`);
    hash = Math.imul(hash ^ code, layout.FNV_PRIME);
  }
  return hash;
}

export function hashHost(text: string): number {
  let hash = layout.FNV_OFFSET;
  for (let i = text.length - 1; i >= 0; i--) hash = Math.imul(hash ^ text.charCodeAt(i), layout.FNV_PRIME);
  return hash;
}

/** Sorts by content, not by order of declaration. */
const sortedTyped = (typed: NonNullable<TreeNode['typed']>, dfas: readonly Dfa[]): NonNullable<TreeNode['typed']> =>
  typed.length < 2
    ? typed
    : typed.sort((a, b) => compareText(dfas[a.dfa]!.source, dfas[b.dfa]!.source) || a.dfa - b.dfa);

/**
 * Appends the nodes of one tree, parents first, in order of precedence, without recursion. Sorts each node. Returns the
 * depth of the deepest node.
 */
function preorder(root: TreeNode, order: TreeNode[]): number {
  let deepest = 0;
  const stack = [root];
  const depths = [0];
  for (let node = stack.pop(); node; node = stack.pop()) {
    const depth = depths.pop()!;
    deepest = Math.max(deepest, depth);
    order.push(node);
    node.sort();
    const before = stack.length;
    if (node.param) stack.push(node.param);
    if (node.typed) for (const child of node.typed) stack.push(child.node);
    const literals = node.literals;
    for (let i = literals === undefined ? -1 : literals.length - 1; i >= 0; i--) stack.push(literals![i]!);
    for (let i = before; i < stack.length; i++) depths.push(depth + 1);
  }
  return deepest;
}

/**
 * If a node has several typed children, the first match may not be the best: `{a:int}/{x}` may be found before
 * `{b:[0-9a]+}/list`. So every candidate has a rank within its trie, by the kinds of its segments from the left, then
 * method, then conditions.
 */
function rankCandidates(roots: readonly Root[]): void {
  const byKey = new Map<string, Candidate[]>();
  const note = (list: readonly Candidate[], kinds: string): void => {
    for (const candidate of list) {
      // A space sorts before every kind, so a path that ends beats an empty tail.
      const key = `${kinds} ${candidate.step}${pad(candidate.headers)}${pad(candidate.queries)}`;
      const equals = byKey.get(key);
      if (equals) equals.push(candidate);
      else byKey.set(key, [candidate]);
    }
  };
  const stack = roots.map((root) => ({ node: root.node, kinds: '' }));
  for (let top = stack.pop(); top; top = stack.pop()) {
    const { node, kinds } = top;
    if (node.leaf) note(node.leaf, kinds);
    if (node.tail) note(node.tail, `${kinds}4`);
    for (const child of node.literals ?? []) stack.push({ node: child, kinds: `${kinds}1` });
    for (const child of node.typed ?? []) stack.push({ node: child.node, kinds: `${kinds}2` });
    if (node.param) stack.push({ node: node.param, kinds: `${kinds}3` });
  }
  [...byKey.keys()].sort(compareText).forEach((key, rank) => {
    for (const candidate of byKey.get(key)!) candidate.rank = rank;
  });
}

/** More conditions sort first. */
const pad = (count: number): string => String(9999 - count).padStart(4, '0');
