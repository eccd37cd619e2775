/** The law of imports: each request that the document allows matches a route, and none an open route by mistake. */

import { Matcher } from '../../src/bundle/match/match.js';
import { normalizePath } from '../../src/bundle/normalize.js';
import { Trie } from '../../src/bundle/trie/trie.js';
import { compile } from '../../src/compiler/index.js';
import type { Model } from '../../src/spec/model.js';
import { sampleRequests } from './openapi-requests.js';

export interface LawReport {
  readonly requests: number;
  /** Requests without a matching route. */
  readonly lost: readonly string[];
  /** Requests that require credentials but match a route without authentication. */
  readonly opened: readonly string[];
}

/** Sends a few requests for each operation of the document through the compiled spec. */
export function judgeImport(document: unknown, model: Model): LawReport {
  const { bundle } = compile(model);
  const matcher = new Matcher(Trie.open(bundle.trie));
  const byName = new Map(model.routes.map((route) => [route.name, route]));
  const lost: string[] = [];
  const opened: string[] = [];
  const requests = sampleRequests(document);
  for (const { operation, method, path, query, headers, guarded } of requests) {
    const normal = normalizePath(path, bundle.program.normalize);
    const view = {
      method,
      host: 'localhost',
      path: normal ?? '',
      query,
      listener: '',
      scheme: 'http' as const,
      header: (name: string) => headers.get(name),
    };
    const found = normal === undefined ? -1 : matcher.match(view);
    const shown = `${operation}: ${method} ${path}${query === '' ? '' : `?${query}`}`;
    const route = found < 0 ? undefined : byName.get(bundle.program.routes[found]?.name ?? '');
    if (route === undefined) lost.push(shown);
    else if (guarded && !route.policies.some(({ policy }) => policy.declaration.phase === 'authenticate'))
      opened.push(shown);
  }
  return { requests: requests.length, lost, opened };
}
