/** The trie read backwards, for people: which pattern a node stands for. Built when somebody first asks. */
import type { Trie } from './trie.js';
import * as layout from './trie-layout.js';

export type StepKind = 'literal' | 'typed' | 'param' | 'tail';

/** One segment of a pattern: `orders`, `{:[0-9]+}`, `{}`, `{...}`. */
export interface Step {
  readonly kind: StepKind;
  readonly pattern: string;
}

interface Link {
  readonly parent: number;
  readonly step: Step;
}

export interface Place {
  readonly root: number;
  /** Host pattern; undefined: any host. */
  readonly host: string | undefined;
  readonly steps: readonly Step[];
}

const PARAM: Step = { kind: 'param', pattern: '{}' };
const TAIL: Step = { kind: 'tail', pattern: '{...}' };

export class TrieMap {
  readonly #links = new Map<number, Link>();
  readonly #hosts = new Map<number, string | undefined>();
  readonly #owners = new Map<number, { node: number; tail: boolean }>();
  readonly #words: Int32Array;
  readonly methods: readonly string[];

  constructor(readonly trie: Trie) {
    this.#words = trie.nodes;
    this.methods = Array.from(trie.methods, (name) => trie.string(name));
    const stack: number[] = [];
    const root = (node: number, host: string | undefined): void => {
      this.#hosts.set(node, host);
      stack.push(node);
    };
    const hosts = trie.hosts;
    for (let at = 0; at < hosts.length; at += layout.HOST_WORDS) {
      const name = hosts[at + 1] === 0 ? '' : trie.string(hosts[at + 2]!);
      if (hosts[at + 1] !== 0) root(hosts[at + 3]!, hosts[at + 1] === layout.HOST_WILDCARD ? `*${name}` : name);
    }
    const anyRoot = trie.header[layout.H_ANY_ROOT]!;
    if (anyRoot !== 0) root(anyRoot, undefined);
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) this.#visit(node, stack);
  }

  /** Where a node stands. */
  place(node: number): Place {
    const steps: Step[] = [];
    let at = node;
    for (let link = this.#links.get(at); link; link = this.#links.get(at)) {
      steps.push(link.step);
      at = link.parent;
    }
    return { root: at, host: this.#hosts.get(at), steps: steps.reverse() };
  }

  /** Where a leaf list stands. */
  placeOfList(list: number): Place {
    const owner = this.#owners.get(list)!;
    const place = this.place(owner.node);
    return owner.tail ? { ...place, steps: [...place.steps, TAIL] } : place;
  }

  /** The route of the first leaf at or below a node. */
  firstRoute(node: number): number {
    const words = this.#words;
    const stack = [node];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const list = words[at + layout.N_LEAF]! || words[at + layout.N_TAIL]!;
      if (list !== 0) return words[list + 2]!;
      stack.push(
        ...this.#children(at)
          .map(([child]) => child)
          .reverse(),
      );
    }
    return -1;
  }

  #visit(node: number, stack: number[]): void {
    for (const [child, step] of this.#children(node)) {
      this.#links.set(child, { parent: node, step });
      stack.push(child);
    }
    const leaf = this.#words[node + layout.N_LEAF]!;
    const tail = this.#words[node + layout.N_TAIL]!;
    if (leaf !== 0) this.#owners.set(leaf, { node, tail: false });
    if (tail !== 0) this.#owners.set(tail, { node, tail: true });
  }

  #children(node: number): [child: number, step: Step][] {
    const words = this.#words;
    const found: [number, Step][] = [];
    for (let slot = 0; slot <= words[node + layout.N_MASK]!; slot++) {
      const at = node + layout.N_EDGES + slot * layout.EDGE_WORDS;
      if (words[at + 1] === 0) continue;
      found.push([words[at + 1]!, { kind: 'literal', pattern: this.trie.literal(words[at + 2]!, words[at + 3]!) }]);
    }
    const typed = words[node + layout.N_TYPED]!;
    for (let i = 0; typed !== 0 && i < words[typed]!; i++) {
      const dfa = words[typed + 1 + i * 2]! * layout.DFA_WORDS;
      const source = this.trie.string(this.trie.dfas[dfa + 6]!);
      found.push([words[typed + 2 + i * 2]!, { kind: 'typed', pattern: `{:${source}}` }]);
    }
    const param = words[node + layout.N_PARAM]!;
    if (param !== 0) found.push([param, PARAM]);
    return found;
  }
}

export const patternText = (steps: readonly Step[]): string => `/${steps.map((step) => step.pattern).join('/')}`;
