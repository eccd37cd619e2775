/** The trie as objects: the form between a TrieIR and its words. */
import { TrieError } from './trie-layout.js';
import type { ConditionIR, MatchIR, TrieIR } from './types.js';

export interface Candidate {
  /** A method's name; undefined for any. */
  readonly method: string | undefined;
  readonly route: number;
  readonly conditions: readonly ConditionIR[];
  /** 0 named method, 1 HEAD answered by GET, 2 any method. */
  readonly step: number;
  readonly headers: number;
  readonly queries: number;
  /** Place in the order of precedence of the whole trie; counted only where it is needed. */
  rank: number;
}

export class TreeNode {
  /** Most nodes have one literal child; only where there are more is a map worth its memory. */
  #onlyText = '';
  #onlyChild: TreeNode | undefined;
  #literals: Map<string, TreeNode> | undefined;
  #sorted: readonly (readonly [string, TreeNode])[] | undefined;
  /** By index of the automaton. */
  typed: Map<number, TreeNode> | undefined;
  param: TreeNode | undefined;
  leaf: Candidate[] | undefined;
  tail: Candidate[] | undefined;
  /** Word offset in the nodes section; set when the tree is laid out. */
  offset = 0;

  get literalCount(): number {
    return this.#literals?.size ?? (this.#onlyChild === undefined ? 0 : 1);
  }

  literal(text: string): TreeNode {
    if (this.#literals === undefined) {
      if (this.#onlyChild === undefined) {
        this.#onlyText = text;
        this.#onlyChild = new TreeNode();
        return this.#onlyChild;
      }
      if (this.#onlyText === text) return this.#onlyChild;
      this.#literals = new Map([[this.#onlyText, this.#onlyChild]]);
    }
    let child = this.#literals.get(text);
    if (!child) {
      child = new TreeNode();
      this.#literals.set(text, child);
    }
    return child;
  }

  /** Literal children by text: declaration order decides nothing. Call when the tree is complete. */
  sortedLiterals(): readonly (readonly [string, TreeNode])[] {
    if (this.#sorted === undefined) {
      if (this.#literals) this.#sorted = [...this.#literals].sort((a, b) => compareText(a[0], b[0]));
      else this.#sorted = this.#onlyChild === undefined ? [] : [[this.#onlyText, this.#onlyChild]];
    }
    return this.#sorted;
  }

  typedBy(dfa: number): TreeNode {
    this.typed ??= new Map();
    let child = this.typed.get(dfa);
    if (!child) {
      child = new TreeNode();
      this.typed.set(dfa, child);
    }
    return child;
  }
}

export interface Tree {
  /** By host pattern; undefined: any host. */
  readonly roots: ReadonlyMap<string | undefined, TreeNode>;
  readonly routeCount: number;
}

/** One tree a host pattern, leaf lists in order of precedence. Linear in the segments of all matches. */
export function growTree(ir: TrieIR): Tree {
  const roots = new Map<string | undefined, TreeNode>();
  const lists = new Set<Candidate[]>();
  const same = firstOfEqualDfas(ir);
  let routeCount = 0;
  for (const match of ir.matches) {
    let root = roots.get(match.host);
    if (!root) {
      root = new TreeNode();
      roots.set(match.host, root);
    }
    const list = listFor(root, match, same, ir.trailingSlash === 'ignore');
    addCandidates(list, match);
    lists.add(list);
    routeCount = Math.max(routeCount, match.route + 1);
  }
  for (const list of lists) orderList(list);
  return { roots, routeCount };
}

function listFor(root: TreeNode, match: MatchIR, same: readonly number[], ignoreSlash: boolean): Candidate[] {
  let node = root;
  let count = match.segments.length;
  const last = match.segments[count - 1];
  if (ignoreSlash && count > 1 && last?.kind === 'literal' && last.text === '') count--;
  if (count === 0) node = node.literal('');
  for (let i = 0; i < count; i++) {
    const segment = match.segments[i]!;
    if (segment.kind === 'tail') {
      node.tail ??= [];
      return node.tail;
    }
    if (segment.kind === 'literal') node = node.literal(segment.text);
    else if (segment.kind === 'typed') node = node.typedBy(dfaOf(same, segment.dfa));
    else node = node.param ??= new TreeNode();
  }
  node.leaf ??= [];
  return node.leaf;
}

function dfaOf(same: readonly number[], index: number): number {
  const dfa = same[index];
  if (dfa === undefined) throw new TrieError(`There is no automaton ${index}.`);
  return dfa;
}

/** Automata with equal tables count as one, so that `{a:int}` and `{b:int}` lead to one node. */
function firstOfEqualDfas(ir: TrieIR): number[] {
  const seen = new Map<string, number>();
  return ir.dfas.map((dfa, index) => {
    const key = `${dfa.classes.join()}|${dfa.next.join()}|${dfa.accepts.join()}`;
    const first = seen.get(key) ?? index;
    seen.set(key, first);
    return first;
  });
}

function addCandidates(list: Candidate[], match: MatchIR): void {
  const { route, conditions, methods } = match;
  let headers = 0;
  for (const condition of conditions) if (condition.on === 'header') headers++;
  const queries = conditions.length - headers;
  const add = (method: string | undefined, step: number): void => {
    list.push({ method, route, conditions, step, headers, queries, rank: 0 });
  };
  if (methods.length === 0) add(undefined, 2);
  for (const method of methods) add(method, 0);
  if (methods.includes('GET') && !methods.includes('HEAD')) add('HEAD', 1);
}

/** Precedence at one leaf: named method, GET for HEAD, any method; more header, then more query conditions. */
function orderList(list: Candidate[]): void {
  if (list.length < 2) return;
  list.sort(
    (a, b) =>
      a.step - b.step ||
      b.headers - a.headers ||
      b.queries - a.queries ||
      a.route - b.route ||
      compareText(a.method ?? '', b.method ?? ''),
  );
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
