/** Shared by the tests of the trie: patterns to IR, views, small automata, a seeded generator. */

import { Matcher } from '../../src/bundle/match/match.js';
import { buildTrie, Trie } from '../../src/bundle/trie/trie.js';
import type { ConditionIR, Dfa, MatchIR, RequestView, SegmentIR, TrieIR } from '../../src/bundle/types.js';

/** A whole-string automaton of one class of bytes, repeated: `[...]+`. */
export function repeated(source: string, members: string): Dfa {
  const classes = new Array<number>(256).fill(0);
  for (const byte of new TextEncoder().encode(members)) classes[byte] = 1;
  // 0 start, 1 accepting, 2 dead
  return { source, classes, classCount: 2, next: [2, 1, 2, 1, 2, 2], accepts: [0, 1, 0], dead: 2 };
}

export const DIGITS = repeated('[0-9]+', '0123456789');
export const LOWER = repeated('[a-z]+', 'abcdefghijklmnopqrstuvwxyz');
export const WORD = repeated('[a-z0-9]+', 'abcdefghijklmnopqrstuvwxyz0123456789');
export const DFAS: readonly Dfa[] = [DIGITS, LOWER, WORD];
const TYPES = ['int', 'lower', 'word'];

/** `/orders/{id:int}/{rest...}` */
export function segments(path: string): SegmentIR[] {
  return path
    .slice(1)
    .split('/')
    .map((text): SegmentIR => {
      const found = /^\{([a-z0-9]+)(?::([a-z]+)|(\.\.\.))?\}$/.exec(text);
      if (!found) return { kind: 'literal', text };
      const name = found[1]!;
      if (found[3]) return { kind: 'tail', name };
      if (found[2]) return { kind: 'typed', name, dfa: TYPES.indexOf(found[2]) };
      return { kind: 'param', name };
    });
}

export interface RouteText {
  /** `GET,POST api.example.com/orders/{id}`, `/any`. */
  readonly match: string;
  readonly conditions?: readonly ConditionIR[];
}

export function matchIR(route: RouteText | string, index: number): MatchIR {
  const { match, conditions = [] } = typeof route === 'string' ? { match: route } : route;
  const words = match.split(' ');
  const target = words.pop()!;
  const slash = target.indexOf('/');
  const host = target.slice(0, slash);
  return {
    route: index,
    ...(host === '' ? {} : { host }),
    segments: segments(target.slice(slash)),
    methods: words.length === 0 ? [] : words[0]!.split(','),
    conditions,
  };
}

export function trieIR(routes: readonly (RouteText | string)[], trailingSlash: 'strict' | 'ignore' = 'strict'): TrieIR {
  return { matches: routes.map(matchIR), dfas: DFAS, trailingSlash };
}

export const matcherOf = (
  routes: readonly (RouteText | string)[],
  trailingSlash: 'strict' | 'ignore' = 'strict',
): Matcher => new Matcher(Trie.open(buildTrie(trieIR(routes, trailingSlash))));

/** `GET api.example.com/orders?a=1` with headers. */
export function view(text: string, headers: { readonly [name: string]: string } = {}): RequestView {
  const [method, target] = text.split(' ') as [string, string];
  const slash = target.indexOf('/');
  const [path, ...query] = target.slice(slash).split('?') as [string, ...string[]];
  return {
    method,
    host: target.slice(0, slash),
    path,
    query: query.join('?'),
    listener: 'main',
    scheme: 'http',
    header: (name) => headers[name],
  };
}

export function params(matcher: Matcher, request: RequestView): string[] {
  return Array.from({ length: matcher.paramCount }, (_, i) =>
    request.path.slice(matcher.paramStart(i), matcher.paramEnd(i)),
  );
}
