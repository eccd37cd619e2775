/**
 * Slows attempts to guess the password of one user, without locking the user out:
 *
 *     failures below the rate                        every address may try
 *     above it   addresses the user has logged in from   may try
 *                others                                  may try a few times an hour
 */
import * as crypto from 'node:crypto';
import type { Awaitable, LimitAnswer, Limiter, LimitRate, PolicyHost } from '../contract.js';
import { waitOf } from '../run-kit.js';

/** For an address that the user has not logged in from. */
const STRANGER: LimitRate = { capacity: 3, periodMs: 3_600_000 };
/** Milliseconds that an address counts as one of the user. */
const REMEMBERED = 30 * 86_400_000;

export class Attempts {
  readonly #host: PolicyHost;
  readonly #rate: LimitRate;
  readonly #users: Limiter;
  readonly #strangers: Limiter;

  constructor(host: PolicyHost, rate: LimitRate) {
    this.#host = host;
    this.#rate = rate;
    this.#users = host.limits.limiter(`${host.stateIdentity} attempts`);
    this.#strangers = host.limits.limiter(`${host.stateIdentity} strangers`);
  }

  /** Milliseconds until an address of the network may try; 0: now. */
  async wait(user: string, network: string): Promise<number> {
    const key = this.#keyOf(user);
    const now = this.#host.clock.now();
    const total = waitOf(this.#users.take(key, this.#rate, 0, now));
    if ((typeof total === 'number' ? total : await total) === 0) return 0;
    const own = `${key} ${network}`;
    if ((await this.#host.marks.get(own)) !== undefined) return 0;
    return waitOf(this.#strangers.take(own, STRANGER, 1, now));
  }

  failed(user: string): Awaitable<LimitAnswer> {
    return this.#users.take(this.#keyOf(user), this.#rate, 1, this.#host.clock.now());
  }

  succeeded(user: string, network: string): Awaitable<void> {
    return this.#host.marks.set(`${this.#keyOf(user)} ${network}`, '1', REMEMBERED);
  }

  /** A digest: the text may be a password in the wrong place, and limits are shown. */
  #keyOf(user: string): string {
    return crypto.hash('sha256', `${this.#host.stateIdentity} ${user}`, 'base64').slice(0, 22);
  }
}
