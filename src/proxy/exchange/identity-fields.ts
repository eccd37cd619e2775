/**
 * Request fields by which policies tell a service who calls. A client that could send one would choose its own identity, so they
 * are removed from requests on every route of the service, also on those without such a policy, and if a `when` does not hold.
 *
 * Cookies with the session of a person are removed on every route without the policy whose they are: the services of these routes
 * could otherwise sign in as that person.
 */
import type { Program, RouteEntry } from '../../bundle/types.js';
import type { Exchange, PolicyInstance } from '../../policies/contract.js';
import { removeCookies } from '../../policies/kits/cookies.js';
import { CLIENT_CERT_FIELDS } from './client-certificate.js';

/** A route: where it leads, and the policies of its chain. */
export interface GuardedRoute {
  /** Index of the service; -1 for none. */
  readonly service: number;
  /** Indices of the services that its action calls, which get the fields of its requests; absent: none. */
  readonly calls?: readonly number[];
  readonly instances: readonly PolicyInstance[];
}

/** The routes of a program. `instancesOf`: the policies of the chain of one. */
export function guardedRoutes(
  { routes, services }: Pick<Program, 'routes' | 'services'>,
  instancesOf: (route: RouteEntry) => readonly PolicyInstance[],
): readonly GuardedRoute[] {
  const indices = new Map(services.map(({ name }, index) => [name, index]));
  return routes.map((route) => {
    const { service, action } = route;
    const calls = (action.calls ?? []).flatMap((name) => indices.get(name) ?? []);
    return { service, calls, instances: instancesOf(route) };
  });
}

/** What is removed before the chain of a route. */
export interface IdentityGuard {
  readonly fields: readonly string[];
  /** Whether a cookie is one of a policy that the route does not have; undefined: there is no such policy. */
  readonly isForeign: ((name: string) => boolean) | undefined;
}

/** With a credential of the client: policies read and remove it themselves. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** By route. Undefined: nothing is removed. */
export function identityGuardsOf(routes: readonly GuardedRoute[]): readonly (IdentityGuard | undefined)[] {
  const byService = new Map<number, Set<string>>();
  for (const route of routes)
    for (const service of servicesOf(route)) {
      const fields = byService.get(service) ?? new Set();
      for (const { identityFields = [] } of route.instances)
        for (const name of identityFields) if (!CREDENTIALS.has(name.toLowerCase())) fields.add(name.toLowerCase());
      byService.set(service, fields);
    }
  const owners = [...new Set(routes.flatMap(({ instances }) => instances))].filter(
    ({ ownsCookie }) => ownsCookie !== undefined,
  );
  return routes.map((route) => {
    const { service, calls = [], instances } = route;
    const kept = new Set(instances.flatMap(keptBy).map((name) => name.toLowerCase()));
    const all = new Set(servicesOf(route).flatMap((one) => [...byService.get(one)!]));
    const fields = [...all].filter((name) => !kept.has(name));
    const isForeign = service < 0 && calls.length === 0 ? undefined : foreignTo(instances, owners);
    return fields.length === 0 && isForeign === undefined ? undefined : { fields, isForeign };
  });
}

const servicesOf = ({ service, calls = [] }: GuardedRoute): readonly number[] =>
  calls.length === 0 ? [service] : [...new Set([service, ...calls])];

/** The test for cookies of policies that a route does not have. One that both have is removed by the route's own policy. */
function foreignTo(
  own: readonly PolicyInstance[],
  owners: readonly PolicyInstance[],
): ((name: string) => boolean) | undefined {
  const others = owners.filter((owner) => !own.includes(owner));
  if (others.length === 0) return undefined;
  const owns = (all: readonly PolicyInstance[], name: string): boolean =>
    all.some((instance) => instance.ownsCookie?.(name) === true);
  return (name) => owns(others, name) && !owns(own, name);
}

/** Removes them from a request that has a route. */
export function removeIdentity({ connection, decisions, headers }: Exchange, guard: IdentityGuard | undefined): void {
  if (guard === undefined) return;
  const { fields, isForeign } = guard;
  for (const name of fields) {
    if (headers.get(name) === undefined) continue;
    // A proxy that the listener trusts says which certificate its client has, RFC 9440 section 4.
    if (connection.trusted && CLIENT_CERT_FIELDS.includes(name)) continue;
    headers.remove(name);
    const why = `removed ${name} of the client: policies of the service set it`;
    decisions?.push({ step: 'identity fields', use: 'identity', outcome: 'edit', why });
  }
  if (isForeign === undefined || !removeCookies(headers, isForeign)) return;
  const why = 'removed cookies with a session of a policy that the route does not have';
  decisions?.push({ step: 'session cookies', use: 'identity', outcome: 'edit', why });
}

/** Authenticators read requests as received, and remove their fields themselves, with their credentials. */
const keptBy = ({ authenticate, requestFields = [], clientFields = [], passedFields = [] }: PolicyInstance) =>
  authenticate === undefined
    ? [...passedFields, ...clientFields]
    : [...passedFields, ...clientFields, ...requestFields];
