/** The lowered match of a route: the input of buildTrie. */

export type SegmentIR =
  | { readonly kind: 'literal'; readonly text: string }
  /** `dfa` is an index into TrieIR.dfas. */
  | { readonly kind: 'typed'; readonly name: string; readonly dfa: number }
  | { readonly kind: 'param'; readonly name: string }
  /** Only last; matches one or more whole segments' text, slashes included; may be empty. */
  | { readonly kind: 'tail'; readonly name: string };

export type ConditionTest =
  | { readonly op: 'present' }
  | { readonly op: 'absent' }
  | { readonly op: 'equals'; readonly value: string }
  | { readonly op: 'one-of'; readonly values: readonly string[] }
  | { readonly op: 'prefix'; readonly value: string }
  | { readonly op: 'matches'; readonly dfa: number };

export interface ConditionIR {
  readonly on: 'scheme' | 'header' | 'query';
  /** '' for the scheme, whose test is `equals` with `http` or `https`. */
  readonly name: string;
  readonly test: ConditionTest;
}

export interface MatchIR {
  /** Index of the route in Program.routes. */
  readonly route: number;
  /** Exact (`api.example.com`), wildcard (`*.example.com`: one or more labels), or undefined for any. */
  readonly host?: string | undefined;
  readonly segments: readonly SegmentIR[];
  /** Upper case; empty for any. GET also answers HEAD unless another route of equal path takes HEAD. */
  readonly methods: readonly string[];
  readonly conditions: readonly ConditionIR[];
  /** Names of the listeners that serve it, in order of their code units; absent: every listener. */
  readonly listeners?: readonly string[] | undefined;
}

/** A total deterministic automaton over byte classes; state 0 is the start, `dead` the sink. */
export interface Dfa {
  /** Source of the pattern, for display. */
  readonly source: string;
  /** 256 entries: byte -> class. */
  readonly classes: readonly number[];
  readonly classCount: number;
  /** states x classCount, row-major. */
  readonly next: readonly number[];
  /** 1 where a state accepts. */
  readonly accepts: readonly number[];
  /** The non-accepting state without outgoing transitions. */
  readonly dead: number;
}

export interface TrieIR {
  readonly matches: readonly MatchIR[];
  readonly dfas: readonly Dfa[];
  /** `ignore`: `/orders/` and `/orders` match the same; targets get what was sent. Default: `strict`. */
  readonly trailingSlash?: 'strict' | 'ignore';
}
