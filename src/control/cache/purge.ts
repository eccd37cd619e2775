/** Purges of cached replies, on the stores that all workers share: when a purge returns, no worker uses what it removed. */
import { setImmediate as otherWork } from 'node:timers/promises';
import type { Program } from '../../bundle/types.js';
import type { ContentSpace } from '../../state/content/types.js';
import type { PurgeInput, PurgeReport } from '../../telemetry/cache-calls.js';
import { chosenCaches, readSelectors } from './selectors.js';

/** Removes, or marks with `soft`, what the input selects. @throws CacheError */
export async function purge(program: Program, space: ContentSpace, input: PurgeInput): Promise<PurgeReport> {
  const caches = chosenCaches(program, input.policy);
  const selectorsOf = readSelectors(program, input, 'purge');
  // Everything is checked before the first entry goes.
  const plans = caches.map((cache) => ({ cache, selectors: selectorsOf(cache) }));
  const soft = input.soft === true;
  const policies: { policy: string; purged: number }[] = [];
  for (const { cache, selectors } of plans) {
    const store = space.store(cache.identity, cache.contents.options);
    let purged = 0;
    for (const selector of selectors) {
      purged += await store.purge(selector, soft);
      await otherWork();
    }
    policies.push({ policy: cache.name, purged });
  }
  return { version: 1, soft, purged: policies.reduce((sum, one) => sum + one.purged, 0), policies };
}
