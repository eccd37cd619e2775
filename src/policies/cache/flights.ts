/** The requests to the origin that others wait for, in this worker and in the others. */
import * as crypto from 'node:crypto';
import type { ContentNames, ContentStore, PolicyHost } from '../contract.js';
import { isFresh } from '../kits/http-cache/reuse.js';
import { Flight, type FlightBudget, type FlightParts, type Landing, type Outcome } from './flight.js';
import type { CacheSettings } from './schema.js';

/** Requests of a worker that wait at the same time; further ones go to the origin. */
const MOST_WAITERS = 10_000;
/** Keys that are known not to be shared. */
const MOST_ALONE = 10_000;
/** Milliseconds for which requests for such a key do not wait for each other. */
const ALONE_MS = 30_000;
/** Flights for one key whose replies have become stale before their bodies have ended; further requests do not wait. */
const MOST_STALE = 16;
/** Characters of such a key: of a longer one, a hash is kept. */
const LONGEST_ALONE = 256;
/** Bytes of bodies in progress that a worker keeps for further readers. */
const KEPT_BYTES = 64 * 1024 * 1024;

/** Where the flight of a request is. */
export interface Place {
  /** The key, and the last purge of what the reply may belong to: a request after a purge does not join a flight before it. */
  readonly id: string;
  readonly flight: Flight | undefined;
}

export class Flights {
  readonly #host: PolicyHost;
  readonly #store: Pick<ContentStore, 'moment' | 'purgedAt'>;
  readonly #wait: number;
  readonly #parts: FlightParts;
  readonly #budget: FlightBudget = { used: 0, limit: KEPT_BYTES };
  readonly #flights = new Map<string, Flight>();
  /** Until when, by key, in monotonic milliseconds; the oldest first. */
  readonly #alone = new Map<string, number>();
  #waiters = 0;

  constructor(
    { collapseWait, maxEntry }: Pick<CacheSettings, 'collapseWait' | 'maxEntry'>,
    host: PolicyHost,
    store: Pick<ContentStore, 'moment' | 'purgedAt'>,
  ) {
    this.#host = host;
    this.#store = store;
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

  /** `names`: those of the request, without tags. */
  find(key: string, names: ContentNames): Place {
    const store = this.#store;
    let id = idOf(key, store.purgedAt(names));
    let flight = this.#flights.get(id);
    let stale = 0;
    while (flight?.head !== undefined) {
      const purgedAt = store.purgedAt(flight.head.names);
      // Its tags are known with its head; until then, keep() compares. Each step leads to a higher number.
      if (purgedAt > flight.moment) id = idOf(key, purgedAt);
      // A body that takes longer than its reply is fresh: later requests share the next one.
      else if (!isFresh(flight.head.reply.assessment, this.#host.clock.now()) && stale++ < MOST_STALE) id += '+';
      else break;
      flight = this.#flights.get(id);
    }
    return { id, flight };
  }

  /** Whether requests for the key do not wait for each other, since replies to it were not to be shared. */
  isAlone(key: string): boolean {
    if (this.#waiters >= MOST_WAITERS) return true;
    if (this.#alone.size === 0) return false;
    const short = shortened(key);
    const until = this.#alone.get(short);
    if (until === undefined) return false;
    if (until > this.#host.clock.monotonic()) return true;
    this.#alone.delete(short);
    return false;
  }

  /** A reply to the key is not to be shared. */
  keepApart(key: string): void {
    const short = shortened(key);
    this.#alone.delete(short);
    if (this.#alone.size >= MOST_ALONE) {
      const oldest = this.#alone.keys().next();
      if (oldest.done !== true) this.#alone.delete(oldest.value);
    }
    this.#alone.set(short, this.#host.clock.monotonic() + ALONE_MS);
  }

  /**
   * Opens a flight. `mine`: the caller leads it, sends its request now, and must see that the flight lands. Otherwise another worker
   * does, and the flight lands with that one.
   */
  open(id: string): { readonly flight: Flight; readonly mine: boolean } {
    const flight = new Flight(this.#parts, this.#store.moment());
    this.#flights.set(id, flight);
    let mine = false;
    let opened = false;
    const decided = this.#host.once<Outcome>(`fill ${id}`, this.#wait, () => {
      // Its turn after another worker was too slow: the caller waits by now, and leads nothing.
      if (opened) return Promise.resolve('alone');
      mine = true;
      return flight.outcome;
    });
    const close = (): void => {
      if (this.#flights.get(id) === flight) this.#flights.delete(id);
    };
    const settled = (outcome: Outcome): void => {
      if (!mine) flight.land(outcome);
      // Readers of this worker may join one that other workers do not wait for.
      if (flight.open) flight.onShut = close;
      else close();
    };
    // Without what other workers know, each asks the origin.
    decided.then(settled, () => {
      flight.land('alone');
      close();
    });
    opened = true;
    return { flight, mine };
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

const idOf = (key: string, purgedAt: number): string => `${purgedAt} ${key}`;

const shortened = (key: string): string => (key.length > LONGEST_ALONE ? crypto.hash('sha256', key, 'base64url') : key);
