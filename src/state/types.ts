/** The interface of limits for policies. Shared memory of the workers implements it. */

/** One limit: `capacity` requests at once, refilled evenly over `periodMs`. GCRA's T is periodMs / capacity. */
export interface LimitRate {
  readonly capacity: number;
  readonly periodMs: number;
}

/** The answer of a limit. One object per limiter, reused and valid until its next take(). */
export interface LimitAnswer {
  allowed: boolean;
  /** Requests left now. */
  remaining: number;
  /** Milliseconds until the full capacity is available again. */
  resetMs: number;
  /** Milliseconds until a request of that cost passes; 0 if allowed, Infinity if it never does. */
  retryMs: number;
}

export interface Limiter {
  /**
   * Counts `cost` against `key` at `nowMs`; synchronous, allocates nothing, never throws. A refused request counts
   * nothing. Cost 0 counts nothing either; `allowed` then says whether one request would pass.
   */
  take(key: string, rate: LimitRate, cost: number, nowMs: number): LimitAnswer;
}

export interface LimitKeySnapshot {
  readonly key: string;
  readonly capacity: number;
  readonly periodMs: number;
  readonly used: number;
  readonly remaining: number;
  readonly resetMs: number;
  readonly nextFreeMs: number;
  readonly allowed: number;
  readonly refused: number;
}

/** All limiters of a gateway, across generations: an identity keeps its counts. */
export interface LimitStore {
  limiter(identity: string): Limiter;
}
