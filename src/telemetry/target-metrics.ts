/** Metrics of targets and their services, filled at each scrape. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { CheckSnapshot } from './check-snapshot.js';
import { Counter as Word } from './stats/layout.js';
import type { StatsRegistry } from './stats/registry.js';

/** A target of the live generation. */
export interface TargetFacts {
  readonly service: string;
  readonly url: string;
  /** Undefined: none of its own. */
  readonly address?: string | undefined;
  /** Of its counters. */
  readonly slot: number;
  readonly healthy: boolean;
  /** Undefined: it is not checked. */
  readonly check?: CheckSnapshot | undefined;
}

const COUNTERS: readonly Metric[] = [
  ['gw_target_requests_total', 'Attempts at a target.', (stats, { slot }) => stats.sums(slot).requests],
  [
    'gw_target_shed_total',
    'Exchanges of slow clients shed while others waited.',
    (stats, { slot }) => stats.shed(slot),
  ],
  ['gw_target_failures_total', 'Attempts without a usable reply.', (stats, { slot }) => stats.sums(slot).failures],
  [
    'gw_target_ejections_total',
    'Ejections of a target, over all workers.',
    (stats, { slot }) => stats.sum(slot, Word.Ejections),
  ],
  [
    'gw_target_repeated_total',
    'Attempts that were followed by another one.',
    (stats, { slot }) => stats.sum(slot, Word.Repeated),
  ],
  [
    'gw_target_retries_denied_total',
    'Attempts that were not repeated because the retry budget was used up.',
    (stats, { slot }) => stats.sum(slot, Word.RetriesDenied),
  ],
  [
    'gw_target_hedged_total',
    'Attempts beside which another one was begun because they took long.',
    (stats, { slot }) => stats.sum(slot, Word.Hedged),
  ],
  [
    'gw_target_hedges_won_total',
    'Attempts begun beside another one that were answered first.',
    (stats, { slot }) => stats.sum(slot, Word.HedgesWon),
  ],
];

const GAUGES: readonly Metric[] = [
  ['gw_target_in_flight', 'Attempts in flight.', (stats, { slot }) => stats.sums(slot).inFlight],
  ['gw_target_connections', 'Open connections to a target.', (stats, { slot }) => stats.sums(slot).connections],
  [
    'gw_target_healthy',
    '1 while a target gets traffic, 0 while it is ejected or unhealthy.',
    (_stats, { healthy }) => Number(healthy),
  ],
];

type Metric = readonly [name: string, help: string, value: (stats: StatsRegistry, target: TargetFacts) => number];

type Label = 'service' | 'target' | 'address';

const labelsOf = ({ service, url, address }: TargetFacts): Partial<Record<Label, string>> => ({
  service,
  target: url,
  ...(address === undefined ? {} : { address }),
});

/** Adds the metrics to a registry. `current`: the targets of the scrape. */
export function targetMetrics(registry: Registry, stats: StatsRegistry, current: () => readonly TargetFacts[]): void {
  const registers = [registry];
  const labelNames = ['service', 'target', 'address'] as const;
  for (const [name, help, value] of COUNTERS) {
    const metric: Counter<Label> = new Counter({
      name,
      help,
      labelNames,
      registers,
      collect: () => {
        metric.reset();
        for (const one of current()) metric.inc(labelsOf(one), value(stats, one));
      },
    });
  }
  for (const [name, help, value] of GAUGES) {
    const metric: Gauge<Label> = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect: () => {
        metric.reset();
        for (const one of current()) metric.set(labelsOf(one), value(stats, one));
      },
    });
  }
  const checks: Counter<Label | 'result'> = new Counter({
    name: 'gw_health_checks_total',
    help: 'Active health checks of a target, by result.',
    labelNames: [...labelNames, 'result'],
    registers,
    collect: () => {
      checks.reset();
      for (const one of current()) {
        if (one.check === undefined) continue;
        checks.inc({ ...labelsOf(one), result: 'success' }, one.check.succeeded);
        checks.inc({ ...labelsOf(one), result: 'failure' }, one.check.failed);
      }
    },
  });
}
