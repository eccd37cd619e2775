/**
 * Request fields by which policies tell a service who calls. A client that could send one would choose its own identity, so they
 * are removed from requests on every route of the service, also on those without such a policy, and if a `when` does not hold.
 */
import type { Exchange, PolicyInstance } from '../../policies/contract.js';

/** A route: where it leads, and the policies of its chain. */
export interface GuardedRoute {
  /** Index of the service; -1 for none. */
  readonly service: number;
  readonly instances: readonly PolicyInstance[];
}

/** With a credential of the client: policies read and remove it themselves. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** By route: the fields to remove before its chain. Undefined: none. */
export function identityFieldsOf(routes: readonly GuardedRoute[]): readonly (readonly string[] | undefined)[] {
  const byService = new Map<number, Set<string>>();
  for (const { service, instances } of routes) {
    const fields = byService.get(service) ?? new Set();
    for (const { identityFields = [] } of instances)
      for (const name of identityFields) if (!CREDENTIALS.has(name.toLowerCase())) fields.add(name.toLowerCase());
    byService.set(service, fields);
  }
  return routes.map(({ service, instances }) => {
    const kept = new Set(instances.flatMap(keptBy).map((name) => name.toLowerCase()));
    const fields = [...byService.get(service)!].filter((name) => !kept.has(name));
    return fields.length === 0 ? undefined : fields;
  });
}

/** Removes them from a request that has a route. */
export function removeIdentity({ decisions, headers }: Exchange, fields: readonly string[] | undefined): void {
  if (fields === undefined) return;
  for (const name of fields) {
    if (headers.get(name) === undefined) continue;
    headers.remove(name);
    const why = `removed ${name} of the client: policies of the service set it`;
    decisions?.push({ step: 'identity fields', use: 'identity', outcome: 'edit', why });
  }
}

/** Authenticators read requests as received, and remove their fields themselves, with their credentials. */
const keptBy = ({ authenticate, requestFields = [], clientFields = [], passedFields = [] }: PolicyInstance) =>
  authenticate === undefined
    ? [...passedFields, ...clientFields]
    : [...passedFields, ...clientFields, ...requestFields];
