/** An upstream-auth policy under test, and attempts that note what it does. */
import type { Attempt, Exchange, Json, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { HeaderMap } from '../../src/policies/run-kit.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { compile, declaration, decode, exchange, type Given, host, type World, world } from './support.js';

/** Seconds since 1970 of the test's clock. */
export const NOW = 1_800_000_000;

export interface Bed {
  readonly policy: PolicyInstance;
  readonly around: World;
}

/** The route of the policy. */
export const ROUTE = {
  name: 'r',
  params: ['id'],
  methods: ['GET'],
  path: '/r/{id}',
  schemes: ['http'],
  service: 'orders',
} as const;

/** A policy on a route to `orders`. References have the value in `secrets` of the same text. */
export function bed(
  keys: string,
  secrets: { readonly [reference: string]: string } = {},
  around: World = Object.assign(world(), { wall: NOW * 1000 }),
): Bed {
  const settings = compile('upstream-auth', keys, { routes: [ROUTE] });
  const text = JSON.stringify(settings, (_key, value: Json) => {
    if (typeof value !== 'object' || value === null || !('$ref' in value)) return value;
    const secret = secrets[String(value['$ref'])];
    if (secret === undefined) throw new Error(`no secret for ${String(value['$ref'])}`);
    return secret;
  });
  const calls = (declaration('upstream-auth').calls?.(decode('upstream-auth', keys).config) ?? []).map(
    ({ service, url = '' }) => service ?? new URL(url).origin,
  );
  return { policy: runHalves['upstream-auth']!(JSON.parse(text) as Json, host(around, 'p', calls)), around };
}

export interface TestAttempt extends Attempt {
  readonly fields: HeaderMap;
  repeats: boolean;
}

export function attemptOf(on: Exchange, given: Partial<Attempt> = {}): TestAttempt {
  const fields = new HeaderMap(on.headers.entries());
  const attempt: TestAttempt = {
    number: 1,
    service: 'orders',
    target: 'https://orders.internal',
    method: on.method,
    path: on.query === '' ? on.path : `${on.path}?${on.query}`,
    host: 'orders.internal',
    header: (name) => (name === 'host' ? attempt.host : fields.get(name)),
    headers: () => fields.entries(),
    set: (name, value) => fields.set(name, value),
    remove: (name) => fields.remove(name),
    body: undefined,
    hasBody: on.hasBody,
    unauthorized: false,
    repeatAfter401: () => {
      attempt.repeats = true;
    },
    repeats: false,
    fields,
    ...given,
  };
  return attempt;
}

export interface Ran {
  readonly on: Exchange;
  readonly attempt: TestAttempt;
  readonly reply: Reply | undefined;
}

/** Runs the policy on one attempt, as a chain does. */
export async function run(
  { policy }: Bed,
  given: Given & { readonly hasBody?: boolean } = {},
  of: Partial<Attempt> = {},
): Promise<Ran> {
  const on = Object.assign(exchange(given), { hasBody: given.hasBody ?? of.body !== undefined, attached: new Set() });
  await policy.before?.(on);
  const attempt = attemptOf(on, of);
  const reply = (await policy.onAttempt!(on, attempt)) ?? undefined;
  return { on, attempt, reply };
}
