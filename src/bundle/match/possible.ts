/** Routes that may match a partly known request: for CORS preflights and for 404 and 405 replies. */

import { ANY_METHOD } from '../trie/layout.js';
import type { RequestView } from '../types.js';
import type { Matcher } from './match.js';

/** A route, and its path parameters: start, end, start, end ... as offsets into the path. */
export interface PossibleRoute {
  readonly route: number;
  readonly params: readonly number[];
}

interface Candidate extends PossibleRoute {
  /** Word offset of the candidate in the trie. */
  readonly at: number;
}

/**
 * Routes that may match a request with this method, scheme, host, path and query and unknown header fields: in order of precedence,
 * up to the first without header conditions. Overwrites the last match of the matcher.
 */
export function possibleRoutes(matcher: Matcher, view: RequestView): readonly PossibleRoute[] {
  const found = gather(matcher, view, view.method).filter(({ at }) =>
    matcher.conditionsOf(at).every((condition) => condition.on === 'header' || condition.holds(view)),
  );
  const certain = found.findIndex(({ at }) => matcher.conditionsOf(at).every(({ on }) => on !== 'header'));
  return certain < 0 ? found : found.slice(0, certain + 1);
}

/** All routes for this host and path, in order of precedence. Overwrites the last match of the matcher. */
export const routesOfPath = (matcher: Matcher, view: RequestView): readonly PossibleRoute[] =>
  gather(matcher, view, undefined);

/** The methods of routes for this host, path and conditions, for Allow. Sorted. */
export function allowedMethods(matcher: Matcher, view: RequestView): string[] {
  const { nodes, methods } = matcher.trie;
  const names = new Set<string>();
  matcher.walk(view, undefined, {
    candidate(_list, at, failed) {
      const method = nodes[at]!;
      if (failed === undefined && method !== ANY_METHOD) names.add(matcher.trie.string(methods[method]!));
    },
    typedRefused() {},
    deadEnd() {},
  });
  return [...names].sort();
}

function gather(matcher: Matcher, view: RequestView, method: string | undefined): Candidate[] {
  const words = matcher.trie.nodes;
  const all: Candidate[] = [];
  let ofHost: Candidate[] = [];
  matcher.walk(view, method, {
    candidate(_list, at, failed) {
      if (failed === 'method') return;
      const params: number[] = [];
      for (let i = 0; i < matcher.paramCount; i++) params.push(matcher.paramStart(i), matcher.paramEnd(i));
      ofHost.push({ at, route: words[at + 1]!, params });
    },
    typedRefused() {},
    deadEnd() {},
    hostDone() {
      // Below several typed children, the walk visits equal candidates in the order of their types.
      if (matcher.severalTyped) ofHost.sort((a, b) => words[a.at + 3]! - words[b.at + 3]!);
      all.push(...ofHost);
      ofHost = [];
    },
  });
  return all;
}
