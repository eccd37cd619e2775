/** Where a policy gets its keys from: the spec, or a key set that its duty fetches. */
import type { Json, PolicyHost, Unavailable } from '../../contract.js';
import type { Jose } from '../jose.js';
import { PublicKeys, SharedSecret, type TokenKeys } from './key-set.js';
import { type Algorithm, idOfUrl, keysOfSet, type PublicJwk } from './keys.js';
import type { TokenHeader } from './token.js';

type Ref = { readonly $ref: string };

/** Milliseconds, of a key set by URL. */
type Times = { readonly refresh: number; readonly cooldown: number; readonly staleFor: number };

/** A key set that a duty fetches: at a URL, or at the one that the metadata of an issuer names. */
export type RemoteKeys =
  | ({ readonly from: 'jwks'; readonly url: string | Ref } & Times)
  /** The first of the URLs that has a document counts. */
  | ({ readonly from: 'metadata'; readonly issuer: string; readonly urls: readonly string[] } & Times);

export type KeySourceSettings =
  | RemoteKeys
  | { readonly from: 'keys'; readonly keys: readonly PublicJwk[] }
  | { readonly from: 'secret'; readonly secret: string | Ref };

export const isRemote = (source: KeySourceSettings): source is RemoteKeys =>
  source.from === 'jwks' || source.from === 'metadata';

/** Identifies a remote key set; undefined while its URL is a reference. */
export function idOfSource(source: RemoteKeys): string | undefined {
  if (source.from === 'jwks') return typeof source.url === 'string' ? idOfUrl(source.url) : undefined;
  return idOfUrl(`${source.issuer} ${source.urls.join(' ')}`);
}

/** Keys of a set that are used. */
export const MAX_KEYS = 100;
/** Milliseconds until the duty is asked again if it did not answer. */
const ASK_AGAIN = 1000;

/** A token whose signature is valid. */
export interface SignedPayload {
  readonly payload: Uint8Array;
  /** Those that verified it. */
  readonly keys: TokenKeys;
}

/** What is wrong with a token: a phrase for clients, without quotes. */
export interface TokenFault {
  readonly fault: string;
}

type Table = { readonly [name: string]: Json };

export class KeySource {
  readonly #host: PolicyHost;
  readonly #jose: Promise<Jose>;
  /** Milliseconds for which fetched keys are used after they are due. */
  readonly #staleFor: number;
  readonly #fetches: boolean;
  /** Identifies the remote set; undefined for keys from the spec. */
  readonly #of: string | undefined;
  /** Whether the duty fetches other sets too: then a question names this one. */
  readonly #several: boolean;
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

  constructor(
    source: KeySourceSettings,
    algorithms: readonly Algorithm[],
    host: PolicyHost,
    jose: Promise<Jose>,
    several = false,
  ) {
    this.#host = host;
    this.#jose = jose;
    // A failure to load the package is the answer to each token; here it would be unhandled.
    jose.catch(() => {});
    this.#several = several;
    this.#fetches = isRemote(source);
    this.#of = isRemote(source) ? idOfSource(source) : undefined;
    this.#staleFor = isRemote(source) ? source.staleFor : 0;
    if (source.from === 'keys') this.#keys = new PublicKeys(source.keys, jose);
    if (source.from !== 'secret') return;
    if (typeof source.secret !== 'string') throw new TypeError('The secret is an unresolved reference.');
    this.#keys = new SharedSecret(source.secret, algorithms, jose);
  }

  /** Whether a published set is meant for this source: by its id, or by the name of its issuer. */
  takes({ of, issuer }: Table, issuers: readonly string[]): boolean {
    if (!this.#fetches) return false;
    if (of !== undefined) return of === this.#of;
    return typeof issuer === 'string' && issuers.includes(issuer);
  }

  /** A fetched key set, or one without times, which is final. Returns whether the keys differ. Throws if it has no usable key. */
  take(value: Json): boolean {
    const keys = keysOfSet(value, MAX_KEYS);
    if (keys === undefined) throw new TypeError('The value is not a key set (JWKS).');
    if (keys.length === 0) throw new TypeError('The key set has no usable key.');
    const { fetchedAt, dueAt, of } = value as Table;
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
    const known = this.#fetchedAt ?? null;
    try {
      const answer = (await this.#host.ask(this.#several ? { of: this.#of ?? null, known } : known)) as Table;
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

  /**
   * Checks the signature of a token. If no key fits, the set is fetched again first: the issuer may have a new one. Without an
   * answer to that, it is not known whether the token is valid.
   */
  async verify(token: string, header: TokenHeader): Promise<SignedPayload | TokenFault | Unavailable> {
    if (!this.usable) await this.refresh();
    if (!this.usable) return this.#unavailable();
    let { keys } = this;
    let payload = await keys.verify(token, header);
    if (payload === undefined && !keys.names(header)) {
      const refreshed = await this.refresh();
      if (this.keys !== keys) {
        keys = this.keys;
        payload = await keys.verify(token, header);
      }
      if (payload === undefined && !refreshed) return this.#unavailable();
    }
    if (payload !== undefined) return { payload, keys };
    return { fault: keys.names(header) ? BAD_SIGNATURE : UNKNOWN_KEY };
  }

  #unavailable(): Unavailable {
    return { outcome: 'unavailable', why: this.whyUnusable };
  }
}

const BAD_SIGNATURE = 'the signature of the token is not valid';
const UNKNOWN_KEY = 'no known key verifies the token';
