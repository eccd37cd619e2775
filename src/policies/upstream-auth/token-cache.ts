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

/** Milliseconds that a token is used less than its server says, and the lifetime of one whose server says nothing. */
const SAFETY = 5000;
const USUAL_LIFETIME = 300_000;
/** Tokens are renewed this long before their end, or after this part of their time. */
const EARLY = 60_000;
const EARLY_PART = 0.2;
/** Milliseconds in which a failure is the answer to further requests, and in which a fresh token is not replaced. */
const FAILURE = 1000;
export const FRESH = 1000;
/** Tokens and failures that a worker remembers. */
const MOST = 10_000;

/** A token that was asked for at `at`. `expiresIn` in milliseconds. */
export function tokenOf(value: string, at: number, expiresIn = USUAL_LIFETIME): Token {
  const life = Math.max(0, expiresIn - SAFETY);
  return { value, at, until: at + life, renewAt: at + life - Math.min(EARLY, life * EARLY_PART) };
}

export class TokenCache {
  readonly #host: Pick<PolicyHost, 'cache' | 'clock' | 'once' | 'logger'>;
  readonly #leaseMs: number;
  readonly #known = new Map<string, Token>();
  readonly #failed = new Map<string, { readonly until: number; readonly result: NoToken }>();
  readonly #renewing = new Set<string>();

  constructor(host: PolicyHost, leaseMs: number) {
    this.#host = host;
    this.#leaseMs = leaseMs;
  }

  get(key: string, fetch: FetchToken): Awaitable<Fetched> {
    const now = this.#host.clock.now();
    const known = this.#known.get(key);
    if (known !== undefined && now < known.until) {
      if (now >= known.renewAt) this.#renew(key, known, fetch);
      return known;
    }
    const failed = this.#failed.get(key);
    if (failed !== undefined && now < failed.until) return failed.result;
    return this.#find(key, undefined, fetch);
  }

  /** Another token than `old`, which the target has refused; the same if it was fetched just now. */
  replace(key: string, old: Token, fetch: FetchToken): Promise<Fetched> {
    this.#known.delete(key);
    return this.#find(key, old, fetch);
  }

  get count(): number {
    return this.#known.size;
  }

  /** In the background: until it has succeeded, the token is used on. */
  #renew(key: string, old: Token, fetch: FetchToken): void {
    const failed = this.#failed.get(key);
    if (this.#renewing.has(key) || (failed !== undefined && this.#host.clock.now() < failed.until)) return;
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
    else remember(this.#failed, key, { until: this.#host.clock.now() + FAILURE, result: found });
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
      if (old === undefined || other || now - kept.at < FRESH) return kept;
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
