/** The revoked tokens of a policy at run time: those of the spec, or a list that its duty fetches. */
import type { Claims, Clock, Json } from '../contract.js';
import { Revocations, revokedEntries } from '../kits/bearer/revocations.js';
import type { RevocationSettings } from './schema.js';

export class RevokedTokens {
  readonly #clock: Clock;
  readonly #staleFor: number;
  #list: Revocations | undefined;
  /** Milliseconds of the monotonic clock. */
  #usableUntil = Number.POSITIVE_INFINITY;

  constructor(settings: RevocationSettings | undefined, clock: Clock) {
    this.#clock = clock;
    this.#staleFor = settings?.from === 'url' ? settings.staleFor : 0;
    if (settings?.from !== 'url') this.#list = new Revocations(settings?.entries ?? []);
  }

  /** There is a list, and it is not too old. */
  get usable(): boolean {
    if (this.#list === undefined) return false;
    return this.#usableUntil === Number.POSITIVE_INFINITY || this.#clock.monotonic() < this.#usableUntil;
  }

  /** A fetched list, or one without times, which is final. Throws if it is none. */
  take(value: { readonly [name: string]: Json }): void {
    const entries = revokedEntries(value);
    if (typeof entries === 'string') throw new TypeError(`The list of revoked tokens ${entries}.`);
    const { dueAt } = value;
    this.#usableUntil = typeof dueAt === 'number' ? dueAt + this.#staleFor : Number.POSITIVE_INFINITY;
    this.#list = new Revocations(entries);
  }

  /** Only if `usable`. */
  readonly has = (claims: Claims): boolean => this.#list?.revokes(claims) !== false;
}
