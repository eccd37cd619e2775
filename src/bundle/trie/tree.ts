/** The trie as objects, between a TrieIR and its words. */

import type { ConditionIR, MatchIR, TrieIR } from '../types.js';
import { TrieError } from './layout.js';

export interface Candidate {
  /** A method's name; undefined for any. */
  readonly method: string | undefined;
  readonly route: number;
  readonly conditions: readonly ConditionIR[];
  /** Names; empty: every listener. */
  readonly listeners: readonly string[];
  /** 0 named method, 1 HEAD answered by GET, 2 any method. */
  readonly step: number;
  /** Number of conditions on header fields and the scheme. */
  readonly headers: number;
  readonly queries: number;
  /** Rank in the whole trie; computed only if needed. */
  rank: number;
}

interface TypedChild {
  /** Index of the automaton. */
  readonly dfa: number;
  readonly node: TreeNode;
}

/** Up to this many siblings are searched linearly; most nodes have one child. */
const FEW = 8;

// Plain fields, because `#fields` would make each node several times as expensive, and there is one per segment.
export class TreeNode {
  /** Children by literal; sorted by text during layout, so that declaration order has no effect. */
  literals: TreeNode[] | undefined;
  private byText: Map<string, TreeNode> | undefined;
  /** One child per automaton; sorted by pattern during layout. */
  typed: TypedChild[] | undefined;
  param: TreeNode | undefined;
  leaf: Candidate[] | undefined;
  tail: Candidate[] | undefined;
  /** Word offset in the nodes section; set during layout. */
  offset = 0;

  /** @param text literal of the edge to this node; '' for other kinds. */
  constructor(readonly text: string) {}

  literal(text: string): TreeNode {
    const literals = this.literals;
    if (literals === undefined) {
      const child = new TreeNode(text);
      this.literals = [child];
      return child;
    }
    let child: TreeNode | undefined;
    if (literals.length > FEW) {
      this.byText ??= new Map(literals.map((node) => [node.text, node]));
      child = this.byText.get(text);
    } else {
      child = literals.find((node) => node.text === text);
    }
    if (child === undefined) {
      child = new TreeNode(text);
      literals.push(child);
      this.byText?.set(text, child);
    }
    return child;
  }

  typedBy(dfa: number): TreeNode {
    const known = this.typed?.find((child) => child.dfa === dfa);
    if (known !== undefined) return known.node;
    const node = new TreeNode('');
    if (this.typed === undefined) this.typed = [{ dfa, node }];
    else this.typed.push({ dfa, node });
    return node;
  }

  /** Sorts everything that is still in declaration order. */
  sort(): void {
    if (this.literals !== undefined && this.literals.length > 1) this.literals.sort(byText);
    if (this.leaf !== undefined) orderList(this.leaf);
    if (this.tail !== undefined) orderList(this.tail);
  }
}

export interface Tree {
  /** By host pattern; undefined: any host. */
  readonly roots: ReadonlyMap<string | undefined, TreeNode>;
  readonly routeCount: number;
}

/** One tree per host pattern, in declaration order; nodes are sorted during layout. Linear in all segments. */
export function growTree(ir: TrieIR): Tree {
  const roots = new Map<string | undefined, TreeNode>();
  const same = firstOfEqualDfas(ir);
  let routeCount = 0;
  for (const match of ir.matches) {
    let root = roots.get(match.host);
    if (!root) {
      root = new TreeNode('');
      roots.set(match.host, root);
    }
    addCandidates(root, match, same, ir.trailingSlash === 'ignore');
    routeCount = Math.max(routeCount, match.route + 1);
  }
  return { roots, routeCount };
}

function addCandidates(root: TreeNode, match: MatchIR, same: readonly number[], ignoreSlash: boolean): void {
  let node = root;
  let count = match.segments.length;
  const last = match.segments[count - 1];
  if (ignoreSlash && count > 1 && last?.kind === 'literal' && last.text === '') count--;
  if (count === 0) node = node.literal('');
  for (let i = 0; i < count; i++) {
    const segment = match.segments[i]!;
    if (segment.kind === 'tail') {
      node.tail = joined(node.tail, candidatesOf(match));
      return;
    }
    if (segment.kind === 'literal') node = node.literal(segment.text);
    else if (segment.kind === 'typed') node = node.typedBy(dfaOf(same, segment.dfa));
    else node = node.param ??= new TreeNode('');
  }
  node.leaf = joined(node.leaf, candidatesOf(match));
}

/** Returns a new list if there is none: most leaves have one route, and a grown list would waste memory. */
function joined(list: Candidate[] | undefined, more: Candidate[]): Candidate[] {
  if (list === undefined) return more;
  list.push(...more);
  return list;
}

function dfaOf(same: readonly number[], index: number): number {
  const dfa = same[index];
  if (dfa === undefined) throw new TrieError(`Unknown automaton ${index}.`);
  return dfa;
}

/** Automata with equal tables are treated as one, so that `{a:int}` and `{b:int}` share a node. */
function firstOfEqualDfas(ir: TrieIR): number[] {
  const seen = new Map<string, number>();
  return ir.dfas.map((dfa, index) => {
    const key = `${dfa.classes.join()}|${dfa.next.join()}|${dfa.accepts.join()}`;
    const first = seen.get(key) ?? index;
    seen.set(key, first);
    return first;
  });
}

const EVERY_LISTENER: readonly string[] = [];

function candidatesOf(match: MatchIR): Candidate[] {
  const { route, conditions, methods, listeners = EVERY_LISTENER } = match;
  let headers = 0;
  for (const condition of conditions) if (condition.on !== 'query') headers++;
  const queries = conditions.length - headers;
  const candidate = (method: string | undefined, step: number): Candidate => {
    return { method, route, conditions, listeners, step, headers, queries, rank: 0 };
  };
  if (methods.length === 0) return [candidate(undefined, 2)];
  const named = methods.map((method) => candidate(method, 0));
  return methods.includes('GET') && !methods.includes('HEAD') ? [...named, candidate('HEAD', 1)] : named;
}

/** Precedence at one leaf: named method, GET for HEAD, any method; more header and scheme conditions; more query conditions. */
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

const byText = (a: TreeNode, b: TreeNode): number => compareText(a.text, b.text);
