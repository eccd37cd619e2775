/** Load shedding: while exchanges wait for a connection to a target, exchanges of slow clients that use one are ended. */
import { slowClient } from '../errors/cause.js';
import type { Claims } from './claims.js';
import type { HoldingUser, SlowClients } from './slow-clients.js';
import type { UpstreamUser } from './user.js';
import type { WaitQueue } from './wait-queue.js';

/** Slow clients may keep this share of a target's connections: below it, the shortage has another cause. */
const TOLERATED_SHARE = 1 / 4;

/** Debt in milliseconds from which a client counts as slow, after another exchange has waited for `waited` milliseconds. */
function slowWith(waited: number): number {
  if (waited < 150) return 1000;
  return waited < 500 ? 250 : 100;
}

export interface Pool {
  readonly waiting: WaitQueue;
  readonly slow: SlowClients;
  readonly claims: Claims;
  /** All connections are in use. */
  isFull(): boolean;
}

export class Shedding {
  readonly #pool: Pool;
  readonly #now: () => number;
  readonly #broke: (error: unknown) => void;
  #due = false;

  /** `now`: monotonic milliseconds. `broke`: called with an unexpected exception. */
  constructor(pool: Pool, now: () => number, broke: (error: unknown) => void) {
    this.#pool = pool;
    this.#now = now;
    this.#broke = broke;
  }

  /** An exchange begins to wait: sheds after all events of this turn of the event loop. */
  soon(): void {
    if (this.#due || this.#pool.slow.size === 0) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.run(this.#now());
    });
  }

  /** Sheds now. */
  run(now: number): void {
    try {
      if (this.#pool.slow.size > 0) shed(this.#pool, now);
    } catch (error) {
      this.#broke(error);
    }
  }
}

/** Ends an exchange of a slow client for each exchange that waits for its connection. `now`: monotonic milliseconds. */
function shed(pool: Pool, now: number): void {
  const { waiting, slow, claims } = pool;
  const { most } = claims;
  const tolerated = Math.floor(most * TOLERATED_SHARE);
  // True if only missing connections keep the user waiting, not its share.
  const mayIfFree = (user: UpstreamUser): boolean => claims.allow(user, most);
  for (let before = waiting.length; before > 0; before = waiting.length) {
    const able = waiting.first(mayIfFree);
    if (able !== undefined && !pool.isFull()) return;
    const waiter = able ?? waiting.first();
    if (waiter === undefined) return;
    const victim = slow.slowest(
      slowWith(now - waiter.since),
      tolerated,
      able === undefined ? sameShare(waiter.user, claims) : any,
    );
    if (victim === undefined) return;
    victim.user.shed(slowClient(victim.debt, before));
    // The freed connection went to no waiting exchange, for example because there is no descriptor.
    if (waiting.length >= before) return;
  }
}

const any = (): boolean => true;

/** Selects the holders that use up the share of `user`. */
function sameShare(user: UpstreamUser, claims: Claims): (holder: HoldingUser) => boolean {
  if (user.streams && claims.partial >= claims.mostPartial) return (holder) => holder.streams;
  const { clientKey } = user;
  return (holder) => holder.clientKey === clientKey;
}
