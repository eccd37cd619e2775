/**
 * Tokens that are fetched, by what they are for. One fetch for all workers; a token is renewed before it expires, while requests
 * still use it.
 *
 *     this worker's memory  ->  the shared cache  ->  once: fetch, and store in both
 */
import type { Awaitable, Json, PolicyHost } from '../contract.js';

export type Token = {
  readonly value: string;
  /** Milliseconds since 1970: when it was fetched, is renewed, and is not used any more. */
  readonly at: number;
  readonly renewAt: number;
  readonly until: number;
};

/** `refused`: the server does not accept what the token is asked for with. `cause` is for the log. */
export type NoToken = { readonly refused: boolean; readonly cause: string };
export type Fetched = Token | NoToken;

/** Fetches a token. Never rejects. */
export type FetchToken = () => Promise<Fetched>;

/** A token is used for so much less than its server says: milliseconds, at most this part. */
const SAFETY = 5000;
const SAFETY_PART = 0.2;
/** Milliseconds: the lifetime of a token whose server says none, and the longest. */
const USUAL_LIFETIME = 300_000;
const LONGEST_LIFETIME = 24 * 3_600_000;
/** Tokens are renewed this long before their end, or after this part of their time. */
const EARLY = 60_000;
const EARLY_PART = 0.2;
/** Milliseconds in which a failure is the answer to further requests, and in which a fresh token is not replaced. */
const FAILURE = 1000;
const FRESH = 1000;
/** Tokens and failures that a worker remembers. */
const MOST = 10_000;

/** A token that was asked for at `at`. `expiresIn` in milliseconds; some servers write 0 for a token without an end. */
export function tokenOf(value: string, at: number, expiresIn = 0): Token {
  const said = expiresIn > 0 ? Math.min(expiresIn, LONGEST_LIFETIME) : USUAL_LIFETIME;
  const life = said - Math.min(SAFETY, said * SAFETY_PART);
  return { value, at, until: at + life, renewAt: at + life - Math.min(EARLY, life * EARLY_PART) };
}

/** It was fetched just now, so another one would be the same. A clock that was set back says nothing. */
export const isFresh = ({ at }: Token, now: number): boolean => now >= at && now - at < FRESH;

export class TokenCache {
  readonly #host: Pick<PolicyHost, 'cache' | 'clock' | 'once' | 'logger'>;
  readonly #leaseMs: number;
  readonly #known = new Map<string, Token>();
  readonly #failed = new Map<string, { readonly until: number; readonly result: NoToken }>();
  readonly #renewing = new Set<string>();
  readonly #suspects = new WeakSet<Token>();

  constructor(host: PolicyHost, leaseMs: number) {
    this.#host = host;
    this.#leaseMs = leaseMs;
  }

  get(key: string, fetch: FetchToken): Awaitable<Fetched> {
    const now = this.#host.clock.now();
    const known = this.#known.get(key);
    if (known !== undefined && now < known.until) {
      if (this.#suspects.has(known)) return this.#instead(key, known, fetch);
      if (now >= known.renewAt) this.#renew(key, known, fetch);
      return known;
    }
    return this.#failure(key) ?? this.#find(key, undefined, fetch);
  }

  /**
   * Another token than `old`, which the target has refused; the same if it was fetched just now. Until there is another one, other
   * requests use `old` on: what the target refuses may be the request alone.
   */
  replace(key: string, old: Token, fetch: FetchToken): Awaitable<Fetched> {
    return this.#failure(key) ?? this.#find(key, old, fetch);
  }

  /** A target has refused the token: before it is used again, another one is fetched, unless it is new. */
  suspect(token: Token): void {
    if (!isFresh(token, this.#host.clock.now())) this.#suspects.add(token);
  }

  get count(): number {
    return this.#known.size;
  }

  /** Another token than one that a target has refused; that one if there is none. */
  async #instead(key: string, known: Token, fetch: FetchToken): Promise<Fetched> {
    if (this.#failure(key) !== undefined) return known;
    const found = await this.#find(key, known, fetch);
    return 'value' in found ? found : known;
  }

  /** Why there was no token just now. */
  #failure(key: string): NoToken | undefined {
    const failed = this.#failed.get(key);
    return failed !== undefined && this.#host.clock.monotonic() < failed.until ? failed.result : undefined;
  }

  /** In the background: until it has succeeded, the token is used on. */
  #renew(key: string, old: Token, fetch: FetchToken): void {
    if (this.#renewing.has(key) || this.#failure(key) !== undefined) return;
    this.#renewing.add(key);
    void this.#find(key, old, fetch).then((found) => {
      this.#renewing.delete(key);
      if (!('value' in found)) this.#host.logger.warn('token cannot be renewed', { cause: found.cause });
    });
  }

  /** Never rejects. */
  async #find(key: string, old: Token | undefined, fetch: FetchToken): Promise<Fetched> {
    let found: Fetched;
    try {
      const result = await this.#host.once(`token ${key}`, this.#leaseMs, () => this.#fetchOnce(key, old, fetch));
      found = result as Fetched;
    } catch (error) {
      found = { refused: false, cause: error instanceof Error ? error.message : 'unknown' };
    }
    if ('value' in found) remember(this.#known, key, found);
    else remember(this.#failed, key, { until: this.#host.clock.monotonic() + FAILURE, result: found });
    return found;
  }

  async #fetchOnce(key: string, old: Token | undefined, fetch: FetchToken): Promise<Json> {
    const { cache, clock } = this.#host;
    const text = await cache.get(key);
    const kept = text === undefined ? undefined : (JSON.parse(text) as Token);
    const now = clock.now();
    if (kept !== undefined && now < kept.until) {
      // Another worker has fetched it meanwhile.
      const other = kept.value !== old?.value && now < kept.renewAt;
      if (old === undefined || other || isFresh(kept, now)) return kept;
    }
    const fetched = await fetch();
    if ('value' in fetched) await cache.set(key, JSON.stringify(fetched), Math.max(1, fetched.until - clock.now()));
    return fetched;
  }
}

function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size <= MOST) return;
  const [oldest] = map.keys();
  map.delete(oldest!);
}
