/** Where a policy gets its keys from: the spec, or the key set that its duty fetches. */
import type { Json, PolicyHost } from '../contract.js';
import type { Jose } from '../kits/jose.js';
import { PublicKeys, SharedSecret, type TokenKeys } from './key-set.js';
import { idOfUrl, keysOfSet } from './keys.js';
import type { JwtSettings } from './schema.js';

/** Keys of a set that are used. */
const MAX_KEYS = 100;
/** Milliseconds until the duty is asked again if it did not answer. */
const ASK_AGAIN = 1000;

export class KeySource {
  readonly #host: PolicyHost;
  readonly #jose: Promise<Jose>;
  /** Milliseconds for which fetched keys are used after they are due. */
  readonly #staleFor: number;
  readonly #fetches: boolean;
  /** Identifies the URL; undefined for keys from the spec. */
  readonly #of: string | undefined;
  /** The keys were given for good, without times: no duty fetches others. */
  #final = false;
  #keys: TokenKeys | undefined;
  /** The keys as text, to find out whether they have changed. */
  #text = '';
  #fetchedAt: number | undefined;
  /** Milliseconds of the monotonic clock. */
  #usableUntil = Number.POSITIVE_INFINITY;
  /** Before this time (monotonic) the duty is not asked again; and whether its last fetch succeeded. */
  #notBefore = Number.NEGATIVE_INFINITY;
  #refreshed = true;
  #cause = 'it was not fetched yet';

  constructor({ source, algorithms }: JwtSettings, host: PolicyHost, jose: Promise<Jose>) {
    this.#host = host;
    this.#jose = jose;
    // A failure to load the package is the answer to each token; here it would be unhandled.
    jose.catch(() => {});
    this.#fetches = source.from === 'jwks';
    this.#of = source.from === 'jwks' && typeof source.url === 'string' ? idOfUrl(source.url) : undefined;
    this.#staleFor = source.from === 'jwks' ? source.staleFor : 0;
    if (source.from === 'keys') this.#keys = new PublicKeys(source.keys, jose);
    if (source.from !== 'secret') return;
    if (typeof source.secret !== 'string') throw new TypeError('The secret is an unresolved reference.');
    this.#keys = new SharedSecret(source.secret, algorithms, jose);
  }

  /** A fetched key set, or one without times, which is final. Returns whether the keys differ. Throws if it has no usable key. */
  take(value: Json): boolean {
    const keys = keysOfSet(value, MAX_KEYS);
    if (keys === undefined) throw new TypeError('The value is not a key set (JWKS).');
    if (keys.length === 0) throw new TypeError('The key set has no usable key.');
    const { fetchedAt, dueAt, of } = value as { readonly [name: string]: Json };
    // The value of an earlier generation whose reference had another value: keys of another issuer.
    if (of !== undefined && of !== this.#of) return false;
    this.#fetchedAt = typeof fetchedAt === 'number' ? fetchedAt : undefined;
    this.#final = this.#fetchedAt === undefined;
    this.#usableUntil = typeof dueAt === 'number' ? dueAt + this.#staleFor : Number.POSITIVE_INFINITY;
    const text = JSON.stringify(keys);
    if (text === this.#text) return false;
    this.#text = text;
    this.#keys = new PublicKeys(keys, this.#jose);
    return true;
  }

  /** There are keys, and they are not too old. */
  get usable(): boolean {
    if (this.#keys === undefined) return false;
    return this.#usableUntil === Number.POSITIVE_INFINITY || this.#host.clock.monotonic() < this.#usableUntil;
  }

  /** Why `usable` is false, or why a key cannot be fetched, for the log. */
  get whyUnusable(): string {
    return `no key set: ${this.#cause}`;
  }

  get keys(): TokenKeys {
    if (this.#keys === undefined) throw new Error('There are no keys.');
    return this.#keys;
  }

  /**
   * Asks the duty to fetch the key set again. Resolves when the keys are here; false if it could not be fetched. During the
   * cooldown the answer is the last one. Without a key set to fetch, and with a final one, nothing is missing: true.
   */
  async refresh(): Promise<boolean> {
    if (!this.#fetches || this.#final) return true;
    const { clock } = this.#host;
    if (clock.monotonic() < this.#notBefore) return this.#refreshed;
    try {
      const answer = (await this.#host.ask(this.#fetchedAt ?? null)) as { readonly [name: string]: Json };
      this.#refreshed = answer['ok'] === true;
      this.#notBefore = typeof answer['notBefore'] === 'number' ? answer['notBefore'] : clock.monotonic();
      this.#cause = 'it cannot be fetched';
    } catch (error) {
      this.#refreshed = false;
      this.#notBefore = clock.monotonic() + ASK_AGAIN;
      this.#cause = error instanceof Error ? error.message : String(error);
    }
    return this.#refreshed;
  }
}
