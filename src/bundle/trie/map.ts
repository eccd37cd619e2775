/** The pattern of each node of a trie, for display. Built on first use. */
import * as layout from './layout.js';
import { listenersOf } from './listeners.js';
import type { Trie } from './trie.js';

export type StepKind = 'literal' | 'typed' | 'param' | 'tail';

/** One segment of a pattern: `orders`, `{id:int}`; without the spec `{:[0-9]+}`, `{}`, `{...}`. */
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

  /** @param written the match of a route as written in the spec; undefined if unknown. */
  constructor(
    readonly trie: Trie,
    private readonly written: (route: number) => string | undefined = () => undefined,
  ) {
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

  /** The pattern of a node, as written in `route`, else in the first route there. */
  place(node: number, route = this.firstRoute(node)): Place {
    const place = this.#place(node);
    return { ...place, steps: this.#worded(place.steps, route) };
  }

  #place(node: number): Place {
    const steps: Step[] = [];
    let at = node;
    for (let link = this.#links.get(at); link; link = this.#links.get(at)) {
      steps.push(link.step);
      at = link.parent;
    }
    return { root: at, host: this.#hosts.get(at), steps: steps.reverse() };
  }

  /** The pattern of a leaf list, as written in one of its routes. */
  placeOfList(list: number, route: number): Place {
    const owner = this.#owners.get(list)!;
    const place = this.#place(owner.node);
    return { ...place, steps: this.#worded(owner.tail ? [...place.steps, TAIL] : place.steps, route) };
  }

  #worded(steps: readonly Step[], route: number): readonly Step[] {
    const match = this.written(route);
    if (match === undefined) return steps;
    const words = segmentsOf(match);
    return steps.map((step, i) => (step.kind === 'literal' ? step : { ...step, pattern: words[i] ?? step.pattern }));
  }

  /** The methods of a route in a leaf list, for errors: HEAD that comes with GET is left out. */
  methodsOf(list: number, route: number): readonly string[] {
    const methods: string[] = [];
    for (let i = 0; i < this.#words[list]!; i++) {
      const at = list + 1 + i * layout.CANDIDATE_WORDS;
      if (this.#words[at + 1] === route) methods.push(this.methods[this.#words[at]!] ?? 'any method');
    }
    return methods.includes('GET') && methods.at(-1) === 'HEAD' ? methods.slice(0, -1) : methods;
  }

  /** Whether a route names HEAD in its match, rather than answering it by its GET. */
  namesHead(list: number, route: number): boolean {
    if (!this.methodsOf(list, route).includes('GET')) return true;
    const match = this.written(route) ?? '';
    return match.slice(0, match.indexOf('/')).split(/[ ,]+/).includes('HEAD');
  }

  /** Names of the listeners of a candidate. Empty: every listener. */
  listenersOf(candidate: number): readonly string[] {
    return listenersOf(this.trie, candidate);
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

/** `GET api.example.com/orders/{id:int}` -> `orders`, `{id:int}`. A slash in braces belongs to its pattern. */
function segmentsOf(match: string): readonly string[] {
  const segments: string[] = [];
  let depth = 0;
  for (let at = match.indexOf('/'), from = at + 1; at >= 0 && at < match.length; ) {
    at++;
    const char = match[at];
    if (char === '\\') at++;
    else if (char === '{') depth++;
    else if (char === '}') depth--;
    else if (at >= match.length || (char === '/' && depth === 0)) {
      segments.push(match.slice(from, at));
      from = at + 1;
    }
  }
  return segments;
}

export const patternText = (steps: readonly Step[]): string => `/${steps.map((step) => step.pattern).join('/')}`;
