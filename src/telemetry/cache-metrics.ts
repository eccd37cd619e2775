/** Metrics of what caches have counted, filled at each scrape. */
import { Counter, type Registry } from 'prom-client';
import type { CacheCounts } from './snapshot.js';

/** Adds the metrics to a registry. `current`: the values of the scrape. */
export function cacheMetrics(registry: Registry, current: () => readonly CacheCounts[]): void {
  const requested: Counter<'policy' | 'result'> = new Counter({
    name: 'gw_cache_requests_total',
    help: 'Requests by how a cache answered them.',
    labelNames: ['policy', 'result'],
    registers: [registry],
    collect: () => {
      requested.reset();
      for (const { policy, requests } of current())
        for (const [result, count] of Object.entries(requests)) requested.inc({ policy, result }, count);
    },
  });
  const validated: Counter<'policy'> = new Counter({
    name: 'gw_cache_validated_total',
    help: 'Stored replies that the origin confirmed.',
    labelNames: ['policy'],
    registers: [registry],
    collect: () => {
      validated.reset();
      for (const { policy, validated: count } of current()) validated.inc({ policy }, count);
    },
  });
}
