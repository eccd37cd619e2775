/**
 * What became of work that must be done at most once for each key, exact across workers:
 *
 *     (free) -- claim() --> running -- settle() --> done | free
 *                              |
 *                              +-- settle(), or its worker ends --> unknown -- lease over, if the caller retries --> running
 *
 * No record is forgotten before its time to make room. A store on disk or over a network answers with promises; the one in memory
 * does not.
 */
export type Awaitable<T> = T | Promise<T>;

/** A key, and the work that it stands for. */
export interface OutcomeClaim {
  /** Of any length. */
  readonly key: string;
  /** Hash of the work in hexadecimal digits, at least 32 of them: the key stands for this work alone. */
  readonly fingerprint: string;
  /** The caller: one caller cannot take the room of all others. */
  readonly by: string;
  /** Milliseconds for which the key is remembered once the work has an outcome; while it is running, it is never forgotten. */
  readonly ttlMs: number;
  /** Milliseconds for which nothing else is done with the key once its outcome is unknown. */
  readonly leaseMs: number;
  /** Whether work of unknown outcome may be done again after the lease. */
  readonly retries: boolean;
}

export type OutcomeAnswer =
  /** The caller does the work, and settles it with this number. */
  | { readonly state: 'mine'; readonly claim: number }
  /** It is being done. */
  | { readonly state: 'running' }
  /** It may have been done. `leftMs`: of the lease; 0: it is over. */
  | { readonly state: 'unknown'; readonly leftMs: number }
  /** It was done, by the claim with this number. `kept`: its result was kept. `status`: as it was settled. */
  | { readonly state: 'done'; readonly claim: number; readonly kept: boolean; readonly status: number }
  /** The key stands for other work. */
  | { readonly state: 'other' }
  /** There is no room to remember it, so the work must not be done. */
  | { readonly state: 'full' };

/** What became of claimed work. */
export type Outcome =
  /** `status`: up to 999. `kept`: whether its result was kept. */
  | { readonly state: 'done'; readonly kept: boolean; readonly status: number }
  /** It may have been done. */
  | { readonly state: 'unknown' }
  /** It was certainly not done: the key is free again. */
  | { readonly state: 'free' };

export interface OutcomeStore {
  /** Throws or rejects if it cannot be known whether the work was done: then it must not be done. */
  claim(claim: OutcomeClaim): Awaitable<OutcomeAnswer>;
  /** No effect if the claim has ended. Throws or rejects if it cannot be noted: then the outcome is unknown. */
  settle(of: OutcomeClaim, claim: number, outcome: Outcome): Awaitable<void>;
}

/** All outcomes of a gateway, across workers and generations: an identity keeps its records. */
export interface OutcomeSpace {
  store(identity: string): OutcomeStore;
  /**
   * The same, with records that survive a restart: work does not begin before its record is on disk. Throws Error if gw has no
   * folder for them.
   */
  diskStore(identity: string): OutcomeStore;
}
