/** Facts of requests that templates, conditions and policies read: the key of a cache must have those that are read inside of it. */

/**
 * `caller`: all that is known about who calls, in the field of that name, which a policy writes for the target. `client`: its address and the facts of its connection. `id`: different for each request. `anything`: not known, so every
 * fact. Method, path and path parameters are no facts here: each key has them.
 */
export const REQUEST_FACTS = [
  'consumer',
  'caller',
  'claims',
  'client',
  'certificate',
  'scheme',
  'host',
  'field',
  'cookie',
  'query',
  'param',
  'id',
  'anything',
] as const;
export type RequestFactKind = (typeof REQUEST_FACTS)[number];

export interface FactName {
  readonly kind: RequestFactKind;
  /** Of a field (lower case), cookie, query parameter, path parameter or claim. Absent: of any name. */
  readonly name?: string;
}

/** A header field of the request. */
export const fieldFact = (name: string): FactName => {
  const lower = name.toLowerCase();
  return lower === 'host' ? { kind: 'host' } : { kind: 'field', name: lower };
};

const FIXED: { readonly [variable: string]: FactName } = {
  'request.id': { kind: 'id' },
  'request.query': { kind: 'query' },
  'request.host': { kind: 'host' },
  'request.scheme': { kind: 'scheme' },
  'client.ip': { kind: 'client' },
};

/** The fact that a variable of a template reads; undefined for those of the reply, and for what each key has. */
export function factOfVariable(variable: string): FactName | undefined {
  if (Object.hasOwn(FIXED, variable)) return FIXED[variable];
  if (variable.startsWith('consumer.')) return { kind: 'consumer' };
  const [, prefix, name = ''] = /^(claims|param|request\.header)\.(.+)$/s.exec(variable) ?? [];
  if (prefix === 'claims') return { kind: 'claims', name };
  if (prefix === 'param') return { kind: 'param', name };
  return prefix === undefined ? undefined : fieldFact(name);
}
