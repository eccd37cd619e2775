/** The memory of an entry of the breaker table. */

/** Parts of the window. */
export const BUCKETS = 10;

/** Words of an entry before its columns. The times are Float64, at even offsets. */
export const Word = {
  TagLow: 0,
  TagHigh: 1,
  Lock: 2,
  State: 3,
  /** Requests in flight, of all workers. */
  InFlight: 4,
  /** Failures in a row. */
  Consecutive: 5,
  /** How often it has opened; tells the probes of one time from those of another. */
  Openings: 6,
  /** Probes in flight, and those that have succeeded. */
  Probes: 7,
  Successes: 8,
  /** Requests that were refused because it was open, and because too many were in flight. */
  RefusedOpen: 9,
  RefusedFull: 10,
  /** Milliseconds of a bucket: other settings begin another window. */
  BucketMs: 11,
  /** Number of the present bucket since the origin of the clock. */
  Bucket: 12,
  OpenUntil: 14,
  /** Of each bucket: results, and failures among them. */
  Results: 16,
  Columns: 16 + BUCKETS * 2,
} as const;

/** A column: requests in flight and probes of one worker. */
export const COLUMN_WORDS = 2;

export const CLOSED = 0;
export const OPEN = 1;
export const HALF_OPEN = 2;
export const STATES = ['closed', 'open', 'half-open'] as const;

export type BreakerState = (typeof STATES)[number];

/** Even, so that the times are aligned. */
export const strideOf = (workers: number): number => Word.Columns + workers * COLUMN_WORDS;
