/** The interfaces of state for policies and actions. Shared memory of the workers implements them. */
import type { ConsumerEntry, CredentialEntry, CredentialKind } from '../bundle/types.js';

/** One limit: `capacity` requests at once, refilled evenly over `periodMs`. GCRA's T is periodMs / capacity. */
export interface LimitRate {
  readonly capacity: number;
  readonly periodMs: number;
}

/**
 * The answer of a limit. The store in memory reuses one object per limiter, valid until its next take(); a promised answer is
 * a new object.
 */
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
   * Counts `cost` against `key` at `nowMs`. A refused request counts nothing. Cost 0 counts nothing either; `allowed` then
   * says whether one request would pass. After a change of the rate, what was used still counts, but at most the new
   * capacity. The store in memory answers at once, allocates nothing and never throws; one over a network answers with a
   * promise.
   */
  take(key: string, rate: LimitRate, cost: number, nowMs: number): LimitAnswer | Promise<LimitAnswer>;
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

/**
 * Learned facts with a time to live (tokens, introspection results, decisions), shared by all workers and bounded. Keys are
 * separate for each state identity. A store over a network answers with promises; the one in memory does not.
 */
export interface CacheStore {
  get(key: string): string | undefined | Promise<string | undefined>;
  /** Old entries are evicted. A value above the size limit is not stored. */
  set(key: string, value: string, ttlMs: number): void | Promise<void>;
  delete(key: string): void | Promise<void>;
}

/** `first`: the value is noted now. `used`: it was noted before. `full`: there is no room to note it, so it must not be accepted. */
export type Use = 'first' | 'used' | 'full';

/**
 * Values that may be used once within a time, exact across workers and bounded. None is forgotten before its time to make room.
 * A store over a network answers with promises; the one in memory does not.
 */
export interface ReplayStore {
  /**
   * Notes `value` for `ttlMs` milliseconds, of any length. `by`: the caller; one caller cannot take the room of all others. Throws
   * or rejects if it cannot be known whether the value was used.
   */
  note(value: string, ttlMs: number, by?: string): Use | Promise<Use>;
  /** The value may be used again. */
  forget(value: string): void | Promise<void>;
}

/** All used values of a gateway, across workers and generations: an identity keeps its values. */
export interface ReplaySpace {
  store(identity: string): ReplayStore;
}

/** Counts of what is in progress, exact across workers. Those of a worker that dies are released. */
export interface HoldStore {
  /** Takes one of `capacity` places of `key`. Undefined: all are taken. */
  acquire(key: string, capacity: number): Hold | undefined | Promise<Hold | undefined>;
}

/** All caches of a gateway, across workers and generations: an identity keeps its entries. */
export interface CacheSpace {
  store(identity: string): CacheStore;
}

/** All counts of what is in progress, across workers and generations. */
export interface HoldSpace {
  store(identity: string): HoldStore;
}

export interface HoldKeySnapshot {
  readonly key: string;
  readonly taken: number;
  readonly capacity: number;
}

/** What one identity holds. */
export interface HoldsSnapshot {
  /** Places taken by all keys. */
  readonly taken: number;
  /** Keys with a place taken. */
  readonly inUse: number;
  /** The fullest ones first. */
  readonly keys: readonly HoldKeySnapshot[];
}

export interface Hold {
  /** Places taken, including this one. */
  readonly taken: number;
  /** Idempotent. */
  release(): void;
}

/** A credential, and whose it is. */
export interface FoundCredential {
  readonly consumer: ConsumerEntry;
  /** One of `consumer.credentials`. */
  readonly credential: CredentialEntry;
}

/** Kinds of credentials whose checks take work that differs from one to the other. */
export type WorkKind = 'password' | 'signature';

/** What it takes to check the credentials of one kind. */
export interface CredentialWork {
  /**
   * How many credentials take which work. For a password, it is kind and parameters of its hash: `$2b$10$`. For a signature, the
   * algorithm, with the bytes of the modulus for RSA: `rsa-pss-sha512 256`.
   */
  readonly counts: { readonly [work: string]: number };
  /** A secret of one of the credentials, which seldom changes. It decides which work an unknown name takes. */
  readonly mark: string;
}

export type CredentialWorks = { readonly [kind in WorkKind]?: CredentialWork };

/** All consumers: one table for all workers, looked up at each request, so an edit recreates no policy. */
export interface ConsumerLookup {
  readonly size: number;
  /** Changes whenever a consumer is added, changed or removed. */
  readonly version: number;
  byName(name: string): ConsumerEntry | undefined;
  /**
   * `digest`: SHA-256 of an API key as lower-case hex. Also finds credentials that are disabled or have expired: the engine
   * refuses an identity with one.
   */
  byKey(digest: string): FoundCredential | undefined;
  /** The same for any kind, by the id of the entry: `byCredential('password', 'alice')`. */
  byCredential(kind: CredentialKind, id: string): FoundCredential | undefined;
  /** What checks of all credentials of a kind take; undefined if there were none yet. Belongs to `version`. */
  work(kind: WorkKind): CredentialWork | undefined;
}
