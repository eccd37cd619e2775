/** What policies count with. Memory shared by the workers implements it here; a fleet's store later, behind the same words. */

/** One limit: `capacity` requests at once, refilled evenly over `periodMs`. GCRA's T is periodMs / capacity. */
export interface LimitRate {
  readonly capacity: number;
  readonly periodMs: number;
}

/** The answer of a limit. Filled in place: one object a limiter, valid until its next take(). */
export interface LimitAnswer {
  allowed: boolean;
  /** Requests left right now. */
  remaining: number;
  /** Milliseconds until the full capacity is there again. */
  resetMs: number;
  /** Milliseconds until a request of that cost passes; 0 when allowed, Infinity where it never will. */
  retryMs: number;
}

export interface Limiter {
  /**
   * Counts `cost` against `key` at `nowMs`; synchronous, allocates nothing, never throws. A refused request takes
   * nothing. Cost 0 only asks: it counts nothing, and `allowed` says whether one request would pass.
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

/** Owns every limiter of a gateway; survives generations: the same identity finds the same counts. */
export interface LimitStore {
  limiter(identity: string): Limiter;
}
