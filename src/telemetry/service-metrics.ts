/** Metrics of services, filled at each scrape. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { GuardSnapshot, ServiceSnapshot } from './service-snapshot.js';

const STATES = ['closed', 'half-open', 'open'] as const;

/** Adds the metrics to a registry. `current`: the services of the scrape. */
export function serviceMetrics(registry: Registry, current: () => readonly ServiceSnapshot[]): void {
  const registers = [registry];
  const guarded = function* (): Generator<readonly [service: string, guard: GuardSnapshot]> {
    for (const { name, guard } of current()) if (guard !== null) yield [name, guard];
  };
  const panic: Gauge<'service'> = new Gauge({
    name: 'gw_service_panic',
    help: 'Workers that use all targets of the service, because too few are available.',
    labelNames: ['service'],
    registers,
    collect: () => {
      panic.reset();
      for (const one of current()) panic.set({ service: one.name }, one.panic);
    },
  });
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
  const inFlight: Gauge<'service'> = new Gauge({
    name: 'gw_service_in_flight',
    help: 'Requests to a service in flight, if max_requests bounds them.',
    labelNames: ['service'],
    registers,
    collect: () => {
      inFlight.reset();
      for (const [service, guard] of guarded()) inFlight.set({ service }, guard.inFlight);
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
