/**
 * One login at Vault, and the secrets that are in use: their newest versions are compared at intervals, and the token is renewed
 * before it expires.
 */
import { Backoff } from '../../delay.js';
import { reasonOf } from '../../reason.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import type { DutyWorld } from '../duties/duty.js';
import { RunFacts } from '../duties/run-facts.js';
import { type VaultClient, VaultRefusal, type VaultSecret, type VaultToken } from './client.js';

/** Requests at the same time. */
const PARALLEL = 8;
/** Milliseconds between a failed attempt and the next one. */
const RETRY = { firstMs: 1000, maxMs: 60_000 } as const;
/** The part of its lease after which a token is renewed. */
const RENEW_AT = 2 / 3;
const LEAST_WAIT = 1000;

export class VaultSession {
  readonly #client: VaultClient;
  readonly #refresh: number;
  readonly #world: DutyWorld;
  readonly #changed: () => void;
  readonly #ending: AbortController;
  readonly #backoff = new Backoff(RETRY);
  readonly #known = new Map<string, VaultSecret>();
  /** Paths that the live program uses. */
  #used: ReadonlySet<string> = new Set();
  #token: VaultToken | undefined;
  #login: Promise<VaultToken> | undefined;
  #polling: () => void = () => {};
  #renewing: () => void = () => {};
  readonly #facts = new RunFacts();

  /** `changed`: a secret in use has another value. `ending`: ends its requests; the session aborts it when it closes. */
  constructor(client: VaultClient, refresh: number, world: DutyWorld, changed: () => void, ending: AbortController) {
    this.#client = client;
    this.#refresh = refresh;
    this.#world = world;
    this.#changed = changed;
    this.#ending = ending;
  }

  get snapshot(): DutySnapshot {
    return { policy: 'vault', use: 'vault', ...this.#facts };
  }

  /** What is known of a path. */
  secret(path: string): VaultSecret | undefined {
    return this.#known.get(path);
  }

  /** Reads the paths that are not known yet. Resolves with why each of the others could not be read. */
  async fetch(paths: Iterable<string>): Promise<ReadonlyMap<string, string>> {
    const problems = new Map<string, string>();
    const missing = [...paths].filter((path) => !this.#known.has(path));
    await this.#each(missing, (path, error) => problems.set(path, reasonOf(error)));
    return problems;
  }

  /** The live program uses these paths: others are forgotten. */
  use(paths: ReadonlySet<string>): void {
    this.#used = paths;
    for (const path of this.#known.keys()) if (!paths.has(path)) this.#known.delete(path);
    this.#schedule(this.#refresh);
  }

  close(): void {
    this.#polling();
    this.#renewing();
    this.#ending.abort();
  }

  // ---------------------------------------------------------------- polling

  #schedule(ms: number): void {
    this.#polling();
    if (this.#ending.signal.aborted || this.#used.size === 0) return;
    this.#facts.nextRun = this.#world.clock.now() + ms;
    this.#polling = this.#world.after(ms, () => void this.#poll());
  }

  async #poll(): Promise<void> {
    const before = new Map(this.#known);
    this.#facts.active = true;
    this.#facts.nextRun = null;
    let failure: unknown;
    let failed = 0;
    await this.#each([...this.#used], (path, error) => {
      failed++;
      failure ??= new Error(`${path}: ${reasonOf(error)}`);
    });
    this.#facts.active = false;
    if (this.#ending.signal.aborted) return;
    this.#note(failure);
    // One secret that cannot be read must not delay the others.
    const wait = failure === undefined ? this.#refresh : this.#backoff.next();
    this.#schedule(failed < this.#used.size ? Math.min(wait, this.#refresh) : wait);
    const changed = [...this.#used].some((path) => !sameSecret(before.get(path), this.#known.get(path)));
    if (changed) this.#changed();
  }

  #note(failure: unknown): void {
    const { clock, log } = this.#world;
    const now = clock.now();
    this.#facts.runs++;
    if (failure === undefined) {
      if (this.#facts.succeeded(now)) log.info('vault can be read again');
      this.#backoff.reset();
      return;
    }
    const cause = reasonOf(failure);
    if (!this.#facts.failed(now, cause)) log.warn('vault cannot be read, the last values stay in use', { cause });
  }

  /** Reads paths, a few at the same time. */
  async #each(paths: readonly string[], failed: (path: string, error: unknown) => void): Promise<void> {
    const waiting = [...paths];
    const work = async (): Promise<void> => {
      for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
        try {
          this.#known.set(path, await this.#read(path));
        } catch (error) {
          failed(path, error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, paths.length) }, work));
  }

  /** A token that was revoked is replaced once. */
  async #read(path: string): Promise<VaultSecret> {
    const token = await this.#current();
    try {
      return await this.#client.read(path, token);
    } catch (error) {
      if (!(error instanceof VaultRefusal) || error.status !== 403) throw error;
      if (this.#token === token) this.#token = undefined;
      return this.#client.read(path, await this.#current());
    }
  }

  // ---------------------------------------------------------------- token

  /** The token; one login at a time. */
  #current(): Promise<VaultToken> {
    if (this.#token !== undefined) return Promise.resolve(this.#token);
    this.#login ??= this.#client
      .login()
      .then((token) => this.#keep(token))
      .finally(() => {
        this.#login = undefined;
      });
    return this.#login;
  }

  #keep(token: VaultToken): VaultToken {
    this.#token = token;
    this.#renewing();
    if (token.lease > 0) this.#renewIn(token.lease * RENEW_AT, token, this.#world.clock.monotonic() + token.lease);
    return token;
  }

  #renewIn(ms: number, token: VaultToken, until: number): void {
    if (this.#ending.signal.aborted) return;
    this.#renewing = this.#world.after(Math.max(LEAST_WAIT, ms), () => void this.#renew(token, until));
  }

  /** Extends a token that is valid until then (monotonic); if that is not possible, logs in anew. */
  async #renew(token: VaultToken, until: number): Promise<void> {
    if (this.#token !== token || this.#ending.signal.aborted) return;
    try {
      if (!token.renewable) throw new Error('the token is not renewable');
      this.#keep(await this.#client.renew(token));
    } catch (error) {
      if (this.#token !== token) return;
      const left = until - this.#world.clock.monotonic();
      // After an outage the token can still be extended; what gw logs in with may count only once.
      if (token.renewable && isOutage(error) && left > LEAST_WAIT) {
        this.#renewIn(Math.min(left * RENEW_AT, RETRY.maxMs), token, until);
        return;
      }
      this.#world.log.debug('vault token not renewed, logging in anew', { cause: reasonOf(error) });
      this.#token = undefined;
      await this.#current().catch((failure: unknown) => this.#note(failure));
    }
  }
}

/** Vault does not say that the token is not valid: it is down, sealed, or busy. */
const isOutage = (error: unknown): boolean =>
  !(error instanceof VaultRefusal) || error.status >= 500 || error.status === 429;

const sameSecret = (one: VaultSecret | undefined, other: VaultSecret | undefined): boolean =>
  one === other || (one?.version === other?.version && JSON.stringify(one?.values) === JSON.stringify(other?.values));
