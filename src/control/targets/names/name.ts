/** The addresses of one name: looked up again and again, the last ones kept while lookups fail. */
import type { LookupAddress } from 'node:dns';
import { Backoff } from '../../../delay.js';
import type { Clock } from '../../../policies/contract.js';
import { connectionCause } from '../../../proxy/errors/cause.js';
import type { After } from '../../../proxy/exchange/questions.js';
import type { DutySnapshot } from '../../../telemetry/snapshot.js';
import { RunFacts } from '../../duties/run-facts.js';
import type { Log } from '../../log.js';
import type { Lookups } from './lookups.js';

/** Milliseconds between two lookups of a name whose time to live is not known. */
export const REFRESH = 10_000;
/** Milliseconds: the least and the most between two lookups, whatever DNS says. */
const LEAST_WAIT = 1000;
const MOST_WAIT = 3_600_000;
/** Milliseconds from a failed lookup to the next one: at first, and at most. */
const RETRY = { firstMs: 1000, maxMs: 10_000 } as const;
/** Addresses of one name. Of more, the first ones in order are used. */
export const MOST_ADDRESSES = 256;

export interface NameWorld {
  readonly lookups: Lookups;
  readonly clock: Clock;
  readonly after: After;
  readonly random: () => number;
  readonly log: Log;
}

/** How often a name is looked up: milliseconds. Undefined: when its time to live is over, or after REFRESH. */
export type Refresh = number | undefined;

export class Name {
  readonly host: string;
  readonly #world: NameWorld;
  readonly #changed: () => void;
  readonly #facts = new RunFacts();
  readonly #backoff = new Backoff(RETRY);
  #addresses: readonly string[] | undefined;
  #cause: string | undefined;
  #refresh: Refresh;
  #cancel: () => void = () => {};
  #looking = false;
  #askedAt = 0;
  #closed = false;
  /** Resolves with the end of the first lookup. */
  readonly first: Promise<void>;
  #firstDone = (): void => {};

  /** Looks the name up at once. `changed`: its addresses, or the cause without one, are others now. */
  constructor(host: string, refresh: Refresh, world: NameWorld, changed: () => void) {
    this.host = host;
    this.#world = world;
    this.#refresh = refresh;
    this.#changed = changed;
    this.first = new Promise((resolve) => {
      this.#firstDone = resolve;
    });
    this.#look();
  }

  /** In order; undefined before the first successful lookup. */
  get addresses(): readonly string[] | undefined {
    return this.#addresses;
  }

  /** Why there are no addresses; undefined if there are, or if the first lookup has not ended. */
  get cause(): string | undefined {
    return this.#addresses === undefined ? this.#cause : undefined;
  }

  get snapshot(): DutySnapshot {
    return { policy: this.host, use: 'dns', ...this.#facts };
  }

  set refresh(refresh: Refresh) {
    if (refresh === this.#refresh) return;
    this.#refresh = refresh;
    if (!this.#looking) this.#schedule(this.#facts.failing ? LEAST_WAIT : (refresh ?? REFRESH));
  }

  /** One of its addresses does not answer: looks it up soon. */
  suspect(): void {
    if (this.#looking || this.#closed) return;
    const wait = this.#askedAt + LEAST_WAIT - this.#world.clock.monotonic();
    if (wait <= 0) this.#look();
    else this.#schedule(wait);
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
    this.#firstDone();
  }

  #look(): void {
    this.#cancel();
    this.#looking = true;
    this.#facts.active = true;
    this.#facts.nextRun = null;
    this.#facts.runs++;
    this.#askedAt = this.#world.clock.monotonic();
    this.#find().then(
      (wait) => this.#ended(wait),
      (error: unknown) => this.#ended(this.#failed(error)),
    );
  }

  #ended(wait: number): void {
    this.#looking = false;
    this.#facts.active = false;
    this.#firstDone();
    if (!this.#closed) this.#schedule(wait);
  }

  /** Milliseconds until the next lookup. */
  async #find(): Promise<number> {
    const found = await this.#reachable(await this.#world.lookups.addresses(this.host));
    if (found.length === 0) throw Object.assign(new Error('no address'), { code: 'ENODATA', hostname: this.host });
    const { clock, log } = this.#world;
    if (this.#facts.succeeded(clock.now())) log.info('name found again', { name: this.host });
    this.#backoff.reset();
    this.#use([...new Set(found.map(({ address }) => address))].sort());
    this.#firstDone();
    return await this.#lifetime(found);
  }

  /** Without the addresses that this machine has no route to, if it has one to others. */
  async #reachable(found: readonly LookupAddress[]): Promise<readonly LookupAddress[]> {
    if (new Set(found.map(({ family }) => family)).size < 2) return found;
    const known = await Promise.all(found.map(({ address }) => this.#world.lookups.reachable(address)));
    return known.includes(true) ? found.filter((_, at) => known[at]) : found;
  }

  #use(addresses: readonly string[]): void {
    if (this.#closed) return;
    const used = addresses.slice(0, MOST_ADDRESSES);
    if (used.length < addresses.length)
      this.#world.log.warn('name has too many addresses', { name: this.host, used: used.length });
    if (used.join() === this.#addresses?.join()) return;
    this.#addresses = used;
    this.#changed();
  }

  /** DNS knows how long addresses last, but only if they come from there, and for a name that was not completed. */
  async #lifetime(found: readonly LookupAddress[]): Promise<number> {
    const usual = this.#refresh ?? REFRESH;
    try {
      const timed = await this.#world.lookups.timed(this.host);
      const [one, other] = [found, timed].map((all) => [...new Set(all.map(({ address }) => address))].sort().join());
      if (one !== other) return usual;
      const ttl = Math.min(...timed.map((answer) => answer.ttl)) * 1000;
      return Math.min(Math.max(ttl, LEAST_WAIT), this.#refresh ?? MOST_WAIT);
    } catch {
      // The name is not in DNS, or the servers did not answer this: the addresses are known nevertheless.
      return usual;
    }
  }

  /** Milliseconds until the next attempt. */
  #failed(error: unknown): number {
    const cause = connectionCause(error);
    const wait = this.#backoff.next();
    if (this.#closed) return wait;
    const { clock, log } = this.#world;
    if (!this.#facts.failed(clock.now(), cause)) {
      const kept = this.#addresses?.length ?? 0;
      log.warn('name lookup failed', { name: this.host, cause, kept, retryMs: wait });
    }
    if (this.#addresses === undefined && cause !== this.#cause) {
      this.#cause = cause;
      this.#changed();
    }
    return Math.min(wait, this.#refresh ?? REFRESH);
  }

  /** Up to a tenth later, so that names do not stay in step. */
  #schedule(ms: number): void {
    this.#cancel();
    const wait = Math.round(ms * (1 + this.#world.random() / 10));
    this.#facts.nextRun = this.#world.clock.now() + wait;
    this.#cancel = this.#world.after(wait, () => this.#look());
  }
}
