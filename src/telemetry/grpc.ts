/** What is counted of gRPC calls, for snapshots and metrics. */
import { Counter, type Registry } from 'prom-client';
import { grpcStatusName } from '../grpc-statuses.js';
import type { GrpcCounts } from './snapshot.js';
import { GRPC_WORDS, Counter as Word } from './stats/layout.js';
import type { StatsRegistry } from './stats/registry.js';

/** Those of a route; undefined if it has had none. */
export function grpcCountsOf(stats: StatsRegistry, slot: number): GrpcCounts | undefined {
  let counts: Record<string, number> | undefined;
  for (let code = 0; code < GRPC_WORDS; code++) {
    const count = stats.sum(slot, Word.Grpc + code);
    if (count === 0) continue;
    counts ??= {};
    counts[code === GRPC_WORDS - 1 ? 'other' : grpcStatusName(code)] = count;
  }
  return counts;
}

/** Adds the metric of routes with gRPC calls. */
export function grpcMetrics(registry: Registry, stats: StatsRegistry): void {
  const metric: Counter<'route' | 'status'> = new Counter({
    name: 'gw_grpc_calls_total',
    help: 'gRPC calls that have ended, by the name of their status.',
    labelNames: ['route', 'status'],
    registers: [registry],
    collect: () => {
      metric.reset();
      for (const [route, slot] of stats.entries('route'))
        for (const [status, count] of Object.entries(grpcCountsOf(stats, slot) ?? {}))
          metric.inc({ route, status }, count);
    },
  });
}
