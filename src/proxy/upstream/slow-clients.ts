/**
 * Exchanges that hold a connection to a target and wait for their clients: to send more of a body, or to read more of a
 * reply. Each has an account of time. What the client is waited for is a debt; what it sends and takes pays for it, at a
 * rate that every network has. Where others wait for a connection, those with the largest debts give theirs back.
 */

/** Bytes a second with which a client makes no debt: a client that has so many is not slow. */
const FAST_RATE = 32 * 1024;
/** Milliseconds that a client may be ahead: what the kernel takes and gives comes in large parts. */
const MOST_AHEAD = 1000;
/** Not in its first milliseconds: what is taken then the kernel takes, whether or not the client reads. */
const KERNELS = 1000;
/** And behind: it is slow beyond doubt. */
const MOST_BEHIND = 3_600_000;

/** Holds a connection. */
export interface HoldingUser {
  readonly clientKey: string;
  /** The request's body has not all come. */
  readonly streams: boolean;
  /** The exchange waits for its client. */
  readonly awaitsClient: boolean;
  /** Bytes that the client has sent and taken. */
  readonly clientBytes: number;
  /** Others need the connection more: ends the exchange. */
  shed(cause: string): void;
}

interface Account {
  /** Milliseconds. */
  debt: number;
  readonly since: number;
  lookedAt: number;
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

  /** The user waits for its client, or may have to. `now`: monotonic milliseconds. */
  watch(user: HoldingUser, now: number): void {
    if (this.#accounts.has(user)) return;
    this.#accounts.set(user, { debt: 0, since: now, lookedAt: now, bytes: user.clientBytes });
  }

  /** It holds no connection any more. */
  forget(user: HoldingUser): void {
    this.#accounts.delete(user);
  }

  /** Called a few times a second. */
  look(now: number): void {
    for (const [user, account] of this.#accounts) {
      const bytes = user.clientBytes;
      const paid = ((bytes - account.bytes) * 1000) / FAST_RATE;
      const waited = user.awaitsClient ? now - account.lookedAt : 0;
      const least = now - account.since < KERNELS ? 0 : -MOST_AHEAD;
      account.debt = Math.min(MOST_BEHIND, Math.max(least, account.debt + waited - paid));
      account.bytes = bytes;
      account.lookedAt = now;
    }
  }

  /**
   * The user with the largest debt, of those that `count`. Undefined where no more than `tolerated` of them have a debt of
   * `least` milliseconds.
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
