/** The real clocks. */
// Imported, because the global of this name is a getter, which costs time on each call.
import { performance } from 'node:perf_hooks';

/** The clock of a gateway. Tests and offline runs use a virtual one. */
export interface Clock {
  /** Milliseconds since 1970 by the system's clock, which may be set forward or back at any time. */
  now(): number;
  /**
   * Milliseconds since a moment that all threads of the process share; never goes back. Waits and limits use this clock, so
   * that a step of the system's time does not affect them.
   */
  monotonic(): number;
}

/** performance.now() counts from the start of its own thread; hrtime has one origin for the whole process. */
const ORIGIN = Number(process.hrtime.bigint()) / 1e6 - performance.now();

export const systemClock: Clock = { now: Date.now, monotonic: () => performance.now() + ORIGIN };
