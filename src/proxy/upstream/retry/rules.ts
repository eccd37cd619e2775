/**
 * Whether a failed request is sent again, to another target or on another connection. Without other settings only if the target
 * cannot have acted on it: nothing was sent, or the method is idempotent and nothing of a reply came (RFC 9110 section 9.2.2).
 */
import type { RetryEntry, ServiceEntry } from '../../../bundle/types.js';
import type { ErrorSlug } from '../../errors/errors.js';

/** RFC 9110 section 9.2.2. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE']);

/** Failures that do not indicate a fault of the target; a retry on the same target is useless. */
const BLAMELESS = new Set<ErrorSlug>([
  'upstream/queue-full',
  'upstream/queue-timeout',
  'gateway/exhausted',
  'gateway/failed',
  'request/not-implemented',
]);

/** Failures before a byte of an upgrade request was sent. */
const UNSENT = new Set<ErrorSlug>(['upstream/unreachable', 'upstream/connect-timeout', 'gateway/exhausted']);

/** Of a service without `retry`. */
const DEFAULT: RetryEntry = {
  on: ['connect', 'reset'],
  backoff: 25,
  backoffMax: 250,
  budget: 20,
  budgetMin: 3,
  retryAfterMax: 0,
};

export const isIdempotent = (method: string): boolean => IDEMPOTENT.has(method);

export const isBlameless = (error: ErrorSlug): boolean => BLAMELESS.has(error);

/** Whether an error of a tunnel came before anything was sent. */
export const isUnsent = (error: ErrorSlug): boolean => UNSENT.has(error);

/** What an attempt failed with. */
export type RetryCause = 'connect' | 'reset' | 'timeout' | 'status';

/** The rules of a service, computed at load. */
export class RetryRules {
  /** Attempts after the first one. */
  readonly attempts: number;
  /** Milliseconds from the begin of an attempt until the head of its reply; 0: only the timeouts of the service. */
  readonly attemptTimeout: number;
  /** Bytes of a body that are kept for another attempt. */
  readonly maxBody: number;
  /** Some reply may lead to another attempt. */
  readonly readsReplies: boolean;
  readonly hedge: RetryEntry['hedge'];
  /** Something happens if an attempt takes long. */
  readonly times: boolean;
  /** The latency of the service is estimated. */
  readonly estimates: boolean;
  readonly budget: number;
  readonly budgetMin: number;
  readonly #on: ReadonlySet<RetryCause>;
  readonly #statuses: ReadonlySet<number>;
  readonly #grpc: ReadonlySet<string>;
  readonly #methods: ReadonlySet<string>;
  readonly #entry: RetryEntry;

  constructor({ retries, retry = DEFAULT }: Pick<ServiceEntry, 'retries' | 'retry'>) {
    this.#entry = retry;
    this.attempts = retries;
    this.attemptTimeout = retry.attemptTimeout ?? 0;
    this.maxBody = retries === 0 && retry.hedge === undefined ? 0 : (retry.maxBody ?? 0);
    this.hedge = retry.hedge;
    this.times = this.attemptTimeout > 0 || this.hedge !== undefined;
    this.estimates = this.hedge?.percentile !== undefined;
    this.budget = retry.budget;
    this.budgetMin = retry.budgetMin;
    this.#on = new Set(retry.on);
    this.#statuses = new Set(retry.statuses);
    this.#grpc = new Set(retry.grpc?.map(String));
    this.#methods = retry.methods === undefined ? IDEMPOTENT : new Set(retry.methods);
    this.readsReplies = retries > 0 && this.#statuses.size + this.#grpc.size > 0;
  }

  /** Whether a request of this method may be sent again after a target may have got it. */
  repeats(method: string): boolean {
    return this.#methods.has(method);
  }

  /** Whether such a failure leads to another attempt, after so many. */
  allows(cause: RetryCause, attempts: number): boolean {
    return attempts <= this.attempts && (cause === 'status' || this.#on.has(cause));
  }

  /** Whether a reply leads to another attempt. `grpcStatus`: of its head, '' for none. */
  isRetryable(status: number, grpcStatus: string): boolean {
    return this.#statuses.has(status) || (grpcStatus !== '' && this.#grpc.has(grpcStatus));
  }

  get readsGrpc(): boolean {
    return this.#grpc.size > 0;
  }

  /**
   * Milliseconds before the next attempt, after so many: exponential with full jitter, so that many requests that fail at the same
   * time are not repeated at the same time. `random`: from 0 to below 1.
   */
  delay(attempts: number, random: number): number {
    const { backoff, backoffMax } = this.#entry;
    return random * Math.min(backoffMax, backoff * 2 ** Math.min(attempts - 1, 30));
  }

  /** The time that a Retry-After asks for, in milliseconds from now; undefined if it is longer than gw waits. */
  retryAfter(ms: number): number | undefined {
    return ms <= this.#entry.retryAfterMax ? ms : undefined;
  }
}

/**
 * Milliseconds of a Retry-After: seconds or a date (RFC 9110 section 10.2.3). `now`: milliseconds since 1970. 0 if it is
 * absent, in the past or not valid.
 */
export function retryAfterMs(value: string | undefined, now: number): number {
  if (value === undefined) return 0;
  const text = value.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // A date begins with the name of a day; Date.parse() takes much else.
  const date = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? 0 : Math.max(0, date - now);
}

/**
 * Milliseconds that a server of gRPC asks to wait before another attempt (`grpc-retry-pushback-ms`); infinite if it wants none: a
 * negative number, or anything else. Undefined if it says nothing.
 */
export function pushbackMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  return /^\d{1,9}$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY;
}
