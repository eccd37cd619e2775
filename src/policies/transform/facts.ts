/** What a config reads of requests, for a cache in front of it. */
import { fieldFact, templateFacts } from '../compile-kit.js';
import type { ConfigPath, RefString, RequestFact } from '../contract.js';
import { editFacts } from '../kits/field-edits-schema.js';
import { templatesIn } from './member-value.js';
import { readsOf } from './programs.js';
import { type BodyConfig, pathRules, type TransformConfig } from './schema.js';

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
    ...memberFacts(request.body, ['request', 'body', 'set']),
    ...memberFacts(reply.body, ['reply', 'body', 'set']),
    ...programFacts(request.body, ['request', 'body', 'jsonata']),
    ...programFacts(reply.body, ['reply', 'body', 'jsonata']),
  ];
}

function memberFacts(body: BodyConfig | undefined, at: ConfigPath): readonly RequestFact[] {
  return Object.entries(body?.set ?? {}).flatMap(([path, value]) => {
    return templatesIn(value, [...at, path]).flatMap(([text, where]) => templateFacts(text, where));
  });
}

/** What a program reads of requests by its variables. */
function programFacts(body: BodyConfig | undefined, at: ConfigPath): readonly RequestFact[] {
  if (body?.jsonata === undefined) return [];
  return readsOf(body.jsonata).flatMap(({ name, path: [member, key] }): RequestFact[] => {
    if (name === 'consumer') return [{ kind: 'consumer', at }];
    if (name === 'claims') return [{ kind: 'claims', at, ...(member === undefined ? {} : { name: member }) }];
    if (name === 'client') return [{ kind: 'client', at }];
    if (name !== 'request') return [];
    if (member === undefined) return [{ kind: 'anything', at }];
    const named = key === undefined ? {} : { name: key };
    switch (member) {
      case 'headers':
        return key === undefined ? [{ kind: 'field', at }] : [{ ...fieldFact(key), at }];
      case 'query':
        return [{ kind: 'query', at, ...named }];
      case 'params':
        return [{ kind: 'param', at, ...named }];
      case 'id':
      case 'host':
      case 'scheme':
        return [{ kind: member, at }];
      default:
        return [];
    }
  });
}

const valueFacts = (values: { readonly [name: string]: RefString }, at: ConfigPath): readonly RequestFact[] =>
  Object.entries(values).flatMap(([name, value]) =>
    templateFacts(typeof value === 'string' ? value : value.$ref, [...at, name]),
  );
