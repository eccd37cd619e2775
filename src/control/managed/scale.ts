/**
 * How many processes a managed service needs: a pure function of what is measured. Up after half a second of more load than they
 * are meant to have, or at once if a request waits; down after a minute (`scale_down_after`) with less; to zero after `idle`.
 */
import type { InstancesEntry } from '../../bundle/types.js';

/** Milliseconds of load that a burst must last for more processes. */
export const UP_AFTER = 500;
/** A process less must leave the others with at most this share of the load that they are meant to have. */
const DOWN_BELOW = 0.8;

/** Milliseconds are monotonic. */
export interface ScaleSignal {
  readonly now: number;
  /** Requests in flight to the processes that are ready. */
  readonly inFlight: number;
  /** Requests that wait because none is ready. */
  readonly waiting: number;
  /** Requests have ended since the last decision. */
  readonly active: boolean;
  readonly ready: number;
  /** Processes that are starting, or will be started again. */
  readonly starting: number;
  /** The last start of one of them has failed. */
  readonly failing: boolean;
}

interface Sample {
  readonly at: number;
  readonly count: number;
}

/** What earlier decisions have seen. Its lists have at most one entry for each number of processes. */
export interface ScaleHistory {
  /** Falling: the largest count of the last `downAfter`, then the largest one after that, and so on. */
  readonly peaks: readonly Sample[];
  /** Rising: the same for the smallest counts of the last UP_AFTER. */
  readonly lows: readonly Sample[];
  /** The last time with a request. */
  readonly busyAt: number;
}

export const newHistory = (now: number): ScaleHistory => ({ peaks: [], lows: [], busyAt: now });

/** The number of processes to have now, between `min` and `max`. */
export function decide(
  { min, max, perInstance, downAfter, idle }: InstancesEntry,
  signal: ScaleSignal,
  history: ScaleHistory,
): { readonly count: number; readonly history: ScaleHistory } {
  const { now, ready, starting, waiting } = signal;
  const load = signal.inFlight + waiting;
  const needed = Math.min(max, Math.ceil(load / perInstance));
  const kept = Math.min(max, Math.ceil(load / (perInstance * DOWN_BELOW)));
  const lows = noted(history.lows, { at: now, count: needed }, now - UP_AFTER, (one, other) => one < other);
  const peaks = noted(history.peaks, { at: now, count: kept }, now - downAfter, (one, other) => one > other);
  const busyAt = load > 0 || signal.active ? now : history.busyAt;
  const current = ready + starting;
  const up = waiting > 0 ? needed : lows[0]!.count;
  let count = Math.max(up, Math.min(current, peaks[0]!.count));
  if (min === 0 && load === 0 && now - busyAt >= idle) count = 0;
  // One process stays until the service has been idle for long enough, but none starts without a request.
  else if (current > 0) count = Math.max(count, 1);
  // What fails to start is not started many times over.
  if (signal.failing) count = Math.min(count, ready + 1);
  return { count: Math.max(min, Math.min(max, count)), history: { peaks, lows, busyAt } };
}

/** The extremes of a sliding window: drops what is too old, and what `sample` makes irrelevant. */
function noted(
  samples: readonly Sample[],
  sample: Sample,
  since: number,
  beats: (one: number, other: number) => boolean,
): readonly Sample[] {
  const left = samples.filter(({ at, count }) => at >= since && beats(count, sample.count));
  return [...left, sample];
}

/** Processes that the load of now asks for, without regard to the past: for the metrics. */
export const desired = (load: number, { min, max, perInstance }: InstancesEntry): number =>
  Math.max(min, Math.min(max, Math.ceil(load / perInstance)));
