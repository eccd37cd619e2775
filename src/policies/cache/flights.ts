/** The requests to the origin that others wait for, in this worker and in the others. */
import type { PolicyHost } from '../contract.js';
import { Flight, type FlightBudget, type FlightParts, type Landing } from './flight.js';
import type { Key } from './key.js';
import type { CacheSettings } from './schema.js';

/** Requests of a worker that wait at the same time; further ones go to the origin. */
const MOST_WAITERS = 10_000;
/** Keys that are known not to be shared. */
const MOST_ALONE = 10_000;
/** Milliseconds for which requests for such a key do not wait for each other. */
const ALONE_MS = 30_000;
/** Bytes of bodies in progress that a worker keeps for further readers. */
const KEPT_BYTES = 64 * 1024 * 1024;

export class Flights {
  readonly #host: PolicyHost;
  readonly #wait: number;
  readonly #parts: FlightParts;
  readonly #budget: FlightBudget = { used: 0, limit: KEPT_BYTES };
  readonly #flights = new Map<string, Flight>();
  /** Until when, by key, in monotonic milliseconds; the oldest first. */
  readonly #alone = new Map<string, number>();
  #waiters = 0;

  constructor({ collapseWait, maxEntry }: Pick<CacheSettings, 'collapseWait' | 'maxEntry'>, host: PolicyHost) {
    this.#host = host;
    this.#wait = collapseWait;
    this.#parts = {
      most: maxEntry,
      budget: this.#budget,
      now: () => host.clock.monotonic(),
      after: (ms, work) => host.after(ms, work),
    };
  }

  get count(): number {
    return this.#flights.size;
  }

  get(key: string): Flight | undefined {
    return this.#flights.get(key);
  }

  /** Whether requests for the key do not wait for each other, since replies to it were not to be shared. */
  isAlone(key: string): boolean {
    if (this.#waiters >= MOST_WAITERS) return true;
    const until = this.#alone.get(key);
    if (until === undefined) return false;
    if (until > this.#host.clock.monotonic()) return true;
    this.#alone.delete(key);
    return false;
  }

  /** A reply to the key is not to be shared. */
  keepApart(key: string): void {
    this.#alone.delete(key);
    if (this.#alone.size >= MOST_ALONE) {
      const oldest = this.#alone.keys().next();
      if (oldest.done !== true) this.#alone.delete(oldest.value);
    }
    this.#alone.set(key, this.#host.clock.monotonic() + ALONE_MS);
  }

  /**
   * Opens a flight. `mine`: the caller leads it, and must see that it lands. Otherwise another worker does, and the flight lands with
   * that one.
   */
  open({ text: key, url }: Key): { readonly flight: Flight; readonly mine: boolean } {
    const flight = new Flight(this.#parts, url);
    this.#flights.set(key, flight);
    let mine = false;
    let opened = false;
    const outcome = this.#host.once(`fill ${key}`, this.#wait, () => {
      // Its turn after another worker was too slow: the caller waits by now, and leads nothing.
      if (opened) return Promise.resolve(false);
      mine = true;
      return flight.stored;
    });
    const close = (): void => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    // Without what other workers know, each asks the origin.
    outcome.then(
      (stored) => {
        if (!mine) flight.land(stored ? 'again' : 'alone');
        close();
      },
      () => {
        flight.land('alone');
        close();
      },
    );
    opened = true;
    return { flight, mine };
  }

  /** Requests for the URL get no reply that is on its way any more: those that wait for its head ask the origin themselves. */
  outdate(url: string): void {
    for (const [key, flight] of this.#flights) {
      if (flight.url !== url) continue;
      this.#flights.delete(key);
      // It also gives up the turn of this worker, which the next request takes.
      flight.land('alone');
    }
  }

  /** Resolves when it is known what the caller does; it waits no longer than `collapse_wait`. */
  async wait(key: string, flight: Flight): Promise<Landing> {
    this.#waiters++;
    let cancel = (): void => {};
    const late = new Promise<Landing>((resolve) => {
      cancel = this.#host.after(this.#wait, () => {
        this.keepApart(key);
        resolve('alone');
      });
    });
    try {
      return await Promise.race([flight.wait(), late]);
    } finally {
      cancel();
      this.#waiters--;
    }
  }
}
