/** What the caches of a program have done, and what they hold. */
import type { Program } from '../../bundle/types.js';
import type { CachePolicyStats, CacheStats } from '../../telemetry/cache-calls.js';
import type { CacheCounts, ContentsSnapshot } from '../../telemetry/snapshot.js';
import type { PolicyTotals } from '../policy-totals.js';
import { cachesOf } from './policies.js';

const EMPTY: CachePolicyStats['store'] = {
  entries: 0,
  bytes: 0,
  pinnedBytes: 0,
  hits: 0,
  misses: 0,
  stored: 0,
  evicted: 0,
  expired: 0,
  purged: 0,
  refused: { admission: 0, size: 0, room: 0 },
};

/** What the caches have counted, with what the workers have reported so far. */
export const cacheCounts = (program: Program, totals: PolicyTotals): readonly CacheCounts[] =>
  cachesOf(program).map(({ name }) => countsOf(name, totals));

export function cacheStats(program: Program, contents: ContentsSnapshot, totals: PolicyTotals): CacheStats {
  const stores = new Map(contents.policies.map(({ policy, ...store }) => [policy, store]));
  const policies = cachesOf(program).map(
    (cache): CachePolicyStats => ({
      ...countsOf(cache.name, totals),
      disk: cache.contents.options.disk,
      store: stores.get(cache.name) ?? EMPTY,
    }),
  );
  const { bytes, freeBytes, disk } = contents;
  return {
    version: 1,
    memory: { bytes, freeBytes },
    disk: disk?.open
      ? {
          entries: disk.entries,
          bytes: disk.bytes,
          limitBytes: disk.limitBytes,
          refused: disk.full + disk.foreverRefused,
        }
      : null,
    policies,
  };
}

function countsOf(policy: string, totals: PolicyTotals): CacheCounts {
  const total = (count: string): number => totals.get(policy, count);
  return {
    policy,
    requests: {
      hit: total('hits'),
      stale: total('stale'),
      collapsed: total('collapsed'),
      miss: total('misses'),
      bypass: total('bypassed'),
    },
    validated: total('validated'),
    invalidated: total('invalidated'),
  };
}
