/** The real clocks. */
// Imported, since the global of this name is a getter that every look at the clock would pay for.
import { performance } from 'node:perf_hooks';

/** What a gateway tells the time by. Tests and offline runs bring a virtual one. */
export interface Clock {
  /** Milliseconds since 1970, as the system tells it: it may be set forward or back at any moment. */
  now(): number;
  /**
   * Milliseconds since a moment that all threads of the process share; never goes back. Whatever waits or counts by time
   * goes by this one, so that a step of the system's time neither frees nor locks anything.
   */
  monotonic(): number;
}

/** performance.now() counts from the start of its own thread; hrtime has one origin for the whole process. */
const ORIGIN = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const systemClock: Clock = { now: Date.now, monotonic: () => performance.now() + ORIGIN };
