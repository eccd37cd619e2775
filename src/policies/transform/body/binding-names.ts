/** The variables of a program in JSONata: their names, and what they read of requests. For both parts. */
import type { JsonataRead } from '../../kits/jsonata/index.js';

/** The variables, and the names in each; `any`: the names come from the request. */
export const BINDINGS: { readonly [name: string]: readonly string[] | 'any' } = {
  request: ['method', 'path', 'host', 'scheme', 'query', 'headers', 'params', 'id'],
  consumer: ['name', 'plan', 'groups', 'tags'],
  claims: 'any',
  client: ['ip'],
  route: ['name'],
};

/** Further ones in programs for replies. */
export const REPLY_BINDINGS: typeof BINDINGS = { reply: ['status', 'headers'] };

export const bindingNames = (onReply: boolean): readonly string[] =>
  Object.keys(onReply ? { ...BINDINGS, ...REPLY_BINDINGS } : BINDINGS);

/** The name that a variable does not have, as in `$request.haeders`; undefined if all are known. */
export function unknownMember({ name, path: [member] }: JsonataRead): string | undefined {
  const known = BINDINGS[name] ?? REPLY_BINDINGS[name];
  return member === undefined || known === undefined || known === 'any' || known.includes(member) ? undefined : member;
}
