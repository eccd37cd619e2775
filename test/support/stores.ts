/** Stores of policies for tests, in memory of their own. */
import type { Clock } from '../../src/state/clock.js';
import { allocateState, openState, type State } from '../../src/state/memory.js';
import { type After, VirtualTime } from '../../src/state/timers.js';

/** Stores with virtual timers, which run when the test calls `time.step()`. */
export function stores(clock: Clock): State & { readonly after: After; readonly time: VirtualTime } {
  const time = new VirtualTime(clock);
  const parts = { monotonic: () => time.monotonic(), after: time.after };
  return { ...openState(allocateState({ workers: 1, small: true }), 0, parts), after: time.after, time };
}
