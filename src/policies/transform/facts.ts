/** What a config reads of requests, for a cache in front of it. */
import { templateFacts } from '../compile-kit.js';
import type { ConfigPath, RefString, RequestFact } from '../contract.js';
import { editFacts } from '../kits/field-edits-schema.js';
import { pathRules, type TransformConfig } from './schema.js';

/**
 * The variables of all templates, and what is passed on under another name: the target's Vary and the key of a cache do not know the
 * new one.
 */
export function factsOf({ request, reply }: TransformConfig): readonly RequestFact[] {
  const { query, cookies, headers } = request;
  const moved = 'to pass it on under another name';
  return [
    ...pathRules(request).flatMap(({ to }) => templateFacts(to, ['request', 'path'])),
    ...valueFacts(query.set, ['request', 'query', 'set']),
    ...valueFacts(query.add, ['request', 'query', 'add']),
    ...valueFacts(cookies.set, ['request', 'cookies', 'set']),
    ...editFacts(headers, ['request', 'headers']),
    ...editFacts(reply.headers, ['reply', 'headers']),
    ...Object.keys(query.rename).map((name) => {
      const at = ['request', 'query', 'rename', name];
      return { kind: 'query' as const, name, at, why: moved };
    }),
    ...Object.keys(cookies.rename).map((name) => {
      const at = ['request', 'cookies', 'rename', name];
      return { kind: 'cookie' as const, name, at, why: moved };
    }),
    ...Object.keys(headers.rename).map((name) => {
      const at = ['request', 'headers', 'rename', name];
      return { kind: 'field' as const, name: name.toLowerCase(), at, why: moved };
    }),
  ];
}

const valueFacts = (values: { readonly [name: string]: RefString }, at: ConfigPath): readonly RequestFact[] =>
  Object.entries(values).flatMap(([name, value]) =>
    templateFacts(typeof value === 'string' ? value : value.$ref, [...at, name]),
  );
