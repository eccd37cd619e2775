/** Slow clients give way: while others wait for a connection to a target, those that hold one and are slow lose it. */
import { slowClient } from '../errors/cause.js';
import type { Claims } from './claims.js';
import type { HoldingUser, SlowClients } from './slow-clients.js';
import type { UpstreamUser } from './user.js';
import type { WaitQueue } from './wait-queue.js';

/** Of a target's connections, slow clients may keep this share even if others wait: the shortage has another cause. */
const TOLERATED_SHARE = 1 / 4;

/** With how large a debt a client is slow, by how long another exchange has waited for a connection. In milliseconds. */
function slowWith(waited: number): number {
  if (waited < 150) return 1000;
  return waited < 500 ? 250 : 100;
}

export interface Pool {
  readonly waiting: WaitQueue;
  readonly slow: SlowClients;
  readonly claims: Claims;
  /** Whether there are so many. */
  isFull(): boolean;
}

export class Shedding {
  readonly #pool: Pool;
  readonly #now: () => number;
  readonly #broke: (error: unknown) => void;
  #due = false;

  /** `now`: monotonic milliseconds. `broke`: told of what must not throw. */
  constructor(pool: Pool, now: () => number, broke: (error: unknown) => void) {
    this.#pool = pool;
    this.#now = now;
    this.#broke = broke;
  }

  /** An exchange begins to wait: sheds after all events of this turn of the loop. */
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

/** Ends as many exchanges of slow clients as there are others that wait for what they hold. `now`: monotonic milliseconds. */
function shed(pool: Pool, now: number): void {
  const { waiting, slow, claims } = pool;
  const { most } = claims;
  const tolerated = Math.floor(most * TOLERATED_SHARE);
  // With a connection free, only its own share keeps an exchange waiting.
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
    // Without a descriptor, say, no other exchange got the connection that it gave back.
    if (waiting.length >= before) return;
  }
}

const any = (): boolean => true;

/** Those that hold what keeps `user` from a connection. */
function sameShare(user: UpstreamUser, claims: Claims): (holder: HoldingUser) => boolean {
  if (user.streams && claims.partial >= claims.mostPartial) return (holder) => holder.streams;
  const { clientKey } = user;
  return (holder) => holder.clientKey === clientKey;
}
