/**
 * Single flight across workers: while one worker runs the work for a key, callers in all workers wait for its result.
 *
 *     caller            takes the lease of the key, works, puts the result into the shared cache, releases the lease
 *     other workers     one caller of each looks for the result until the lease ends
 *     same worker       waits for that caller
 *
 * If the work fails, its caller gets the error, and the next waiter tries. A worker that ends loses its leases. A result that
 * is too large for the shared cache is not passed on: the other workers work themselves, one after another.
 */
import type { LeaseTable } from './lease-table.js';
import type { After } from './timers.js';
import type { CacheSpace, CacheStore } from './types.js';

/** Milliseconds between two looks for another worker's result: the first, and the longest. */
const FIRST_LOOK = 2;
const LAST_LOOK = 50;
/** Milliseconds that a result is kept for the other workers: longer than they take between two looks. */
const KEPT = 5000;
/** Callers of a worker that wait at the same time; further ones are refused. */
const MAX_WAITERS = 10_000;
/** A caller waits at most this many leases. */
const PATIENCE = 2;

/** Too much waits, or other callers take too long: an outage, and no fault of the work. */
export class NoSharedResult extends Error {
  override readonly name = 'NoSharedResult';
}

export interface SingleFlightParts {
  readonly leases: LeaseTable;
  readonly cache: CacheSpace;
  readonly after: After;
  readonly monotonic: () => number;
}

export class SingleFlight {
  readonly #parts: SingleFlightParts;
  readonly #results: CacheStore;
  /** What this worker does for a key, or waits for: the result as JSON; undefined if there is none. */
  readonly #flights = new Map<string, Promise<string | undefined>>();
  #waiters = 0;

  constructor(parts: SingleFlightParts) {
    this.#parts = parts;
    this.#results = parts.cache.store('single flight');
  }

  /**
   * The result of `work` for `key`, by this caller or by another one. `leaseMs`: after this time another caller may work too.
   * Rejects with the error of `work`; with an error of its own if other callers have no result after two leases, or if too
   * many callers wait.
   */
  async run<T>(key: string, leaseMs: number, work: () => Promise<T>): Promise<T> {
    const giveUpAt = this.#parts.monotonic() + PATIENCE * leaseMs;
    for (;;) {
      const flight = this.#flights.get(key);
      const left = giveUpAt - this.#parts.monotonic();
      if (flight === undefined) {
        const lease = this.#parts.leases.acquire(key, this.#parts.monotonic(), leaseMs);
        if (lease.mine) return await this.#lead(key, lease.number, leaseMs, work);
        this.#fly(key, this.#follow(key, lease.number), leaseMs);
      } else {
        const text = await this.#join(flight, left);
        if (text !== undefined) return JSON.parse(text) as T;
      }
      if (left <= 0) throw new NoSharedResult('Other callers had no result in time.');
    }
  }

  async #lead<T>(key: string, lease: number, leaseMs: number, work: () => Promise<T>): Promise<T> {
    let publish: (text: string | undefined) => void = () => {};
    const flight = new Promise<string | undefined>((resolve) => {
      publish = resolve;
    });
    this.#fly(key, flight, leaseMs);
    try {
      const value = await work();
      const text: string | undefined = JSON.stringify(value);
      if (text !== undefined) await this.#results.set(`${lease} ${key}`, text, KEPT);
      publish(text);
      return value;
    } finally {
      publish(undefined);
      this.#parts.leases.release(key, lease, this.#parts.monotonic());
    }
  }

  /** Notes a flight until it ends, but not beyond its lease. */
  #fly(key: string, flight: Promise<string | undefined>, leaseMs: number): void {
    this.#flights.set(key, flight);
    const end = (): void => {
      cancel();
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    const cancel = this.#parts.after(leaseMs, end);
    flight.then(end, end);
  }

  /** Waits for a flight of this worker; undefined if it has no result within `ms`. */
  async #join(flight: Promise<string | undefined>, ms: number): Promise<string | undefined> {
    if (this.#waiters >= MAX_WAITERS) throw new NoSharedResult('Too many callers wait for a result.');
    this.#waiters++;
    let cancel = (): void => {};
    const late = new Promise<undefined>((resolve) => {
      cancel = this.#parts.after(Math.max(0, ms), () => resolve(undefined));
    });
    try {
      return await Promise.race([flight, late]);
    } finally {
      cancel();
      this.#waiters--;
    }
  }

  /** The result of another worker; undefined if its lease ends without one. */
  async #follow(key: string, lease: number): Promise<string | undefined> {
    for (let wait = FIRST_LOOK; ; wait = Math.min(LAST_LOOK, wait * 2)) {
      // In this order, since the result is stored before the lease is released.
      const held = this.#parts.leases.holds(key, lease, this.#parts.monotonic());
      const text = await this.#results.get(`${lease} ${key}`);
      if (text !== undefined || !held) return text;
      await new Promise<void>((resolve) => void this.#parts.after(wait, resolve));
    }
  }
}
