/**
 * Accounts of exchanges that use a connection to a target and wait for their clients: to send more of a body, or to read more
 * of a reply. Time spent waiting is a debt; bytes that the client sends and reads pay it back, at a rate that every network
 * has. When other exchanges wait for a connection, those with the largest debts lose theirs.
 */

/** Bytes per second at which a client makes no debt. */
const FAST_RATE = 32 * 1024;
/** Largest credit in milliseconds: kernels buffer in large parts. */
const MOST_AHEAD = 1000;
/** No credit in the first milliseconds: then the kernel takes bytes, whether or not the client reads. */
const NO_CREDIT_MS = 1000;
/** Largest debt in milliseconds. */
const MOST_BEHIND = 3_600_000;

/** An exchange that uses a connection. */
export interface HoldingUser {
  readonly clientKey: string;
  /** Its request body is incomplete. */
  readonly streams: boolean;
  /** It waits for its client. */
  readonly awaitsClient: boolean;
  /** Bytes that the client has sent and read. */
  readonly clientBytes: number;
  /** Ends the exchange, so that another one gets the connection. */
  shed(cause: string): void;
}

interface Account {
  /** Milliseconds. */
  debt: number;
  readonly since: number;
  sweptAt: number;
  bytes: number;
}

export interface Slowest {
  readonly user: HoldingUser;
  /** Milliseconds. */
  readonly debt: number;
}

export class SlowClients {
  readonly #accounts = new Map<HoldingUser, Account>();

  get size(): number {
    return this.#accounts.size;
  }

  /** Opens an account for a user that may wait for its client. `now`: monotonic milliseconds. */
  watch(user: HoldingUser, now: number): void {
    if (this.#accounts.has(user)) return;
    this.#accounts.set(user, { debt: 0, since: now, sweptAt: now, bytes: user.clientBytes });
  }

  /** The user has no connection any more. */
  forget(user: HoldingUser): void {
    this.#accounts.delete(user);
  }

  /** Called a few times a second. */
  sweep(now: number): void {
    for (const [user, account] of this.#accounts) {
      const bytes = user.clientBytes;
      const paid = ((bytes - account.bytes) * 1000) / FAST_RATE;
      const waited = user.awaitsClient ? now - account.sweptAt : 0;
      const least = now - account.since < NO_CREDIT_MS ? 0 : -MOST_AHEAD;
      account.debt = Math.min(MOST_BEHIND, Math.max(least, account.debt + waited - paid));
      account.bytes = bytes;
      account.sweptAt = now;
    }
  }

  /**
   * The user with the largest debt among those that `count` accepts. Undefined if at most `tolerated` of them have a debt of
   * `least` milliseconds or more.
   */
  slowest(least: number, tolerated: number, count: (user: HoldingUser) => boolean): Slowest | undefined {
    let slow = 0;
    let user: HoldingUser | undefined;
    let debt = 0;
    for (const [one, account] of this.#accounts) {
      if (account.debt < least || !one.awaitsClient || !count(one)) continue;
      slow++;
      if (account.debt <= debt) continue;
      debt = account.debt;
      user = one;
    }
    return user !== undefined && slow > tolerated ? { user, debt } : undefined;
  }
}
