/** The services of a program for the admin API and the metrics. */
import type { Program } from '../../bundle/types.js';
import type { BreakerTable } from '../../state/breaker/table.js';
import type { ServiceSnapshot } from '../../telemetry/service-snapshot.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsRegistry } from '../../telemetry/stats/registry.js';

interface Sources {
  readonly breakers: BreakerTable;
  readonly registry: StatsRegistry;
  endpoints(service: string): readonly { readonly slot: number }[];
}

export function servicesOf({ services }: Program, { breakers, registry, endpoints }: Sources): ServiceSnapshot[] {
  return services.map(({ name, breaker, maxRequests }) => {
    const [first] = endpoints(name);
    return {
      name,
      // All targets of a service say the same.
      panic: first === undefined ? 0 : registry.sum(first.slot, Counter.Panic),
      guard: breaker === undefined && maxRequests === undefined ? null : (breakers.facts(name) ?? UNUSED),
    };
  });
}

const UNUSED = { breaker: 'closed', inFlight: 0, openings: 0, refusedOpen: 0, refusedFull: 0 } as const;
