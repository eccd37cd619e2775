/**
 * Failed attempts to authenticate, by client address (IPv6: by /64), in the limits that all workers share. Only refused
 * credentials count, and an address over the rate is refused only when its next credential is wrong too: a valid one always
 * passes, so strangers behind the same address cannot lock a caller out.
 */
import type { AuthenticationEntry } from '../../../bundle/types.js';
import type { Awaitable, Clock, Limiter, LimitRate, LimitStore } from '../../../policies/contract.js';
import { networkOf, waitOf } from '../../../policies/run-kit.js';

/** If the spec sets none: more than the mistakes of the people behind one address, fewer than a search needs. */
const DEFAULT: LimitRate = { capacity: 60, periodMs: 60_000 };

/** Without a rate in the spec, addresses of this machine are not counted: tests, and proxies that are not trusted. */
const LOCAL = /^(?:127\.|::1$|::ffff:127\.)/i;

export class FailedAttempts {
  readonly #limiter: Limiter;
  readonly #clock: Clock;
  readonly #rate: LimitRate | undefined;
  readonly #local: boolean;

  /** `entry`: of the spec; undefined for the default. */
  constructor(limits: LimitStore, clock: Clock, entry: AuthenticationEntry | undefined) {
    this.#limiter = limits.limiter('failed attempts');
    this.#clock = clock;
    this.#rate = entry === undefined ? DEFAULT : (entry.failures ?? undefined);
    this.#local = entry !== undefined;
  }

  /** Counts a failed attempt. Returns the milliseconds until the address is below the rate again; 0 if it is. */
  note(address: string): Awaitable<number> {
    if (this.#rate === undefined || (!this.#local && LOCAL.test(address))) return 0;
    return waitOf(this.#limiter.take(networkOf(address), this.#rate, 1, this.#clock.now()));
  }
}
