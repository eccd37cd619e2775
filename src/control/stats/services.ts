/** The services of a program for the admin API and the metrics. */
import { ONE_INSTANCE, type Program, type RunEntry } from '../../bundle/types.js';
import type { BreakerTable } from '../../state/breaker/table.js';
import type { InstancesSnapshot, ServiceSnapshot } from '../../telemetry/service-snapshot.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsRegistry } from '../../telemetry/stats/registry.js';
import type { InstanceFacts } from '../managed/instances.js';
import { desired } from '../managed/scale.js';

interface Sources {
  readonly breakers: BreakerTable;
  readonly registry: StatsRegistry;
  endpoints(service: string): readonly { readonly slot: number }[];
  instances(service: string): readonly InstanceFacts[];
}

export function servicesOf({ services }: Program, sources: Sources): ServiceSnapshot[] {
  const { breakers, registry } = sources;
  return services.map(({ name, breaker, maxRequests, requestsPerTarget, run }) => {
    const endpoints = sources.endpoints(name);
    const [first] = endpoints;
    const slot = registry.slot('service', name);
    const waiting = slot === undefined ? 0 : registry.sum(slot, Counter.Waiting);
    const inFlight = endpoints.reduce((sum, one) => sum + registry.sums(one.slot).inFlight, waiting);
    const each = requestsPerTarget === undefined ? undefined : Math.ceil(inFlight / requestsPerTarget);
    const wanted = run?.instances === undefined ? each : desired(inFlight, run.instances);
    return {
      name,
      // All targets of a service say the same.
      panic: first === undefined ? 0 : registry.sum(first.slot, Counter.Panic),
      inFlight,
      waiting,
      targets: endpoints.length,
      ...(wanted === undefined ? {} : { desired: wanted }),
      ...(run === undefined ? {} : { instances: instancesOf(run, sources.instances(name)) }),
      guard: breaker === undefined && maxRequests === undefined ? null : (breakers.facts(name) ?? UNUSED),
    };
  });
}

function instancesOf(
  { instances: bounds = ONE_INSTANCE }: RunEntry,
  processes: readonly InstanceFacts[],
): InstancesSnapshot {
  const count = (state: string): number => processes.filter((one) => one.state === state).length;
  const { min, max } = bounds;
  return {
    min,
    max,
    states: {
      starting: count('starting'),
      ready: count('ready'),
      backoff: count('backoff'),
      draining: count('draining'),
    },
    restarts: processes.reduce((sum, { restarts }) => sum + restarts, 0),
  };
}

const UNUSED = { breaker: 'closed', inFlight: 0, openings: 0, refusedOpen: 0, refusedFull: 0 } as const;
