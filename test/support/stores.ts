/** Stores of policies for tests, in memory of their own. */
import type { Clock } from '../../src/state/clock.js';
import { offlineState, type State } from '../../src/state/memory.js';
import { type After, VirtualTime } from '../../src/state/timers.js';
import type { CacheSpace, ReplaySpace, Use } from '../../src/state/types.js';

/** Stores with virtual timers, which run when the test calls `time.step()`. */
export function stores(clock: Clock): State & { readonly after: After; readonly time: VirtualTime } {
  const time = new VirtualTime(clock);
  return { ...offlineState({ clock: time, after: time.after }), after: time.after, time };
}

/** Fills what all policies share with other entries, beyond its size. */
export function floodCaches({ cache, marks }: { readonly cache: CacheSpace; readonly marks: CacheSpace }): void {
  for (const store of [cache.store('other'), marks.store('other')])
    for (let at = 0; at < 10_000; at++) store.set(`token ${at}`, 'x'.repeat(500), 600_000);
}

/** Used values in a store that answers later, as one over a network does. */
export function laterReplays(): ReplaySpace {
  const used = new Set<string>();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const note = (value: string): Use => {
    if (used.has(value)) return 'used';
    used.add(value);
    return 'first';
  };
  const later = async <T>(work: () => T): Promise<T> => {
    await turn();
    const result = work();
    await turn();
    return result;
  };
  return {
    store: (identity) => ({
      note: (value) => later(() => note(`${identity} ${value}`)),
      forget: (value) => later(() => void used.delete(`${identity} ${value}`)),
    }),
  };
}

/** A store of used values that gives this answer, or fails with this error. */
export const replaysThat = (answer: Use | Error): ReplaySpace => ({
  store: () => ({
    note: () => (answer instanceof Error ? Promise.reject(answer) : answer),
    forget: () => (answer instanceof Error ? Promise.reject(answer) : undefined),
  }),
});
