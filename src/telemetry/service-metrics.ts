/** Metrics of services, filled at each scrape. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { type GuardSnapshot, INSTANCE_STATES, type ServiceSnapshot } from './service-snapshot.js';

const STATES = ['closed', 'half-open', 'open'] as const;

/** Undefined: the service has no such value. */
const GAUGES: readonly (readonly [name: string, help: string, value: (one: ServiceSnapshot) => number | undefined])[] =
  [
    [
      'gw_service_panic',
      'Workers that use all targets of the service, because too few are available.',
      ({ panic }) => panic,
    ],
    [
      'gw_service_in_flight',
      'Requests to a service in flight, also those that wait for a target.',
      ({ inFlight }) => inFlight,
    ],
    ['gw_service_waiting', 'Requests that wait because the service has no target.', ({ waiting }) => waiting],
    ['gw_service_targets', 'Targets that the service has.', ({ targets }) => targets],
    [
      'gw_service_desired_targets',
      'Targets that the requests in flight ask for, if it is known what one is meant to have.',
      ({ desired }) => desired,
    ],
    [
      'gw_service_instance_restarts',
      'Restarts of the processes that gw runs for the service now.',
      ({ instances }) => instances?.restarts,
    ],
  ];

/** Adds the metrics to a registry. `current`: the services of the scrape. */
export function serviceMetrics(registry: Registry, current: () => readonly ServiceSnapshot[]): void {
  const registers = [registry];
  const guarded = function* (): Generator<readonly [service: string, guard: GuardSnapshot]> {
    for (const { name, guard } of current()) if (guard !== null) yield [name, guard];
  };
  const state: Gauge<'service' | 'state'> = new Gauge({
    name: 'gw_breaker_state',
    help: '1 for the state of the circuit breaker of a service, 0 for the others.',
    labelNames: ['service', 'state'],
    registers,
    collect: () => {
      state.reset();
      for (const [service, { breaker }] of guarded())
        for (const each of STATES) state.set({ service, state: each }, Number(each === breaker));
    },
  });
  for (const [name, help, value] of GAUGES) {
    const gauge: Gauge<'service'> = new Gauge({
      name,
      help,
      labelNames: ['service'],
      registers,
      collect: () => {
        gauge.reset();
        for (const one of current()) {
          const number = value(one);
          if (number !== undefined) gauge.set({ service: one.name }, number);
        }
      },
    });
  }
  const instances: Gauge<'service' | 'state'> = new Gauge({
    name: 'gw_service_instances',
    help: 'Processes that gw runs for a service, by state.',
    labelNames: ['service', 'state'],
    registers,
    collect: () => {
      instances.reset();
      for (const { name, instances: its } of current())
        for (const each of its === undefined ? [] : INSTANCE_STATES)
          instances.set({ service: name, state: each }, its!.states[each]);
    },
  });
  const openings: Counter<'service'> = new Counter({
    name: 'gw_breaker_openings_total',
    help: 'How often the circuit breaker of a service has opened.',
    labelNames: ['service'],
    registers,
    collect: () => {
      openings.reset();
      for (const [service, guard] of guarded()) openings.inc({ service }, guard.openings);
    },
  });
  const refused: Counter<'service' | 'reason'> = new Counter({
    name: 'gw_service_refused_total',
    help: 'Requests that were refused because of an open circuit breaker, or of max_requests.',
    labelNames: ['service', 'reason'],
    registers,
    collect: () => {
      refused.reset();
      for (const [service, guard] of guarded()) {
        refused.inc({ service, reason: 'breaker' }, guard.refusedOpen);
        refused.inc({ service, reason: 'max_requests' }, guard.refusedFull);
      }
    },
  });
}
