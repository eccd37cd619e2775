/**
 * Exchanges that wait for a connection to a target, each for the same time. Client addresses take turns, and the exchanges of
 * one address are served in order of arrival: a client with a thousand exchanges does not delay the others. There are three
 * lines: for a connection of one's own; for one with an incomplete body; for a place on a shared connection.
 */
import type { UpstreamUser } from './user.js';

/** A full queue is searched for ended exchanges once per (length / SEARCHED) refusals, so that each refusal pays for few. */
const SEARCHED = 64;
/** Left entries at the front of a list before it is cut. */
const CUT_AT = 1024;

export interface Waiter {
  readonly user: UpstreamUser;
  readonly line: Line;
  /** Monotonic milliseconds. */
  readonly since: number;
  readonly deadline: number;
  /** It has left the queue, but is still in one of the lists. */
  left: boolean;
}

/** A list with constant cost of taking the first entry. */
class List {
  /** Entries that have not left; some of their exchanges may have ended. */
  length = 0;
  #waiters: Waiter[] = [];
  #from = 0;

  push(waiter: Waiter): void {
    this.#waiters.push(waiter);
    this.length++;
  }

  tidy(): void {
    this.#waiters = this.#waiters.slice(this.#from).filter((waiter) => !isGone(waiter));
    this.#from = 0;
    this.length = this.#waiters.length;
  }

  clear(): void {
    this.#waiters = [];
    this.#from = 0;
    this.length = 0;
  }

  /** The first entry that still waits; drops those before it. */
  first(): Waiter | undefined {
    for (;;) {
      const first = this.#waiters[this.#from];
      if (first === undefined || !isGone(first)) return first;
      if (!first.left) this.length--;
      this.#from++;
      if (this.#from < this.#waiters.length && this.#from < CUT_AT) continue;
      this.#waiters = this.#waiters.slice(this.#from);
      this.#from = 0;
    }
  }
}

const isGone = ({ left, user }: Waiter): boolean => left || user.over;

/** One line, by client address. The address whose turn it is comes first. */
class Line {
  #byClient = new Map<string, List>();

  push(waiter: Waiter): void {
    const client = waiter.user.clientKey;
    let list = this.#byClient.get(client);
    if (list === undefined) {
      list = new List();
      this.#byClient.set(client, list);
    }
    list.push(waiter);
  }

  /**
   * The next waiter that `may` accepts. Checks at most `most` addresses that it does not accept; those move to the end, so that
   * every address is checked in time.
   */
  first(may: (user: UpstreamUser) => boolean, most: number): Waiter | undefined {
    if (this.#byClient.size === 0) return undefined;
    let refused = 0;
    for (const [client, list] of this.#byClient) {
      const first = list.first();
      if (first !== undefined && may(first.user)) return first;
      this.#byClient.delete(client);
      if (first === undefined) continue;
      this.#byClient.set(client, list);
      if (++refused >= Math.min(most, this.#byClient.size)) return undefined;
    }
    return undefined;
  }

  /** An address has had its turn: it moves to the end. */
  turned(client: string): void {
    const list = this.#byClient.get(client);
    const left = list?.first() !== undefined;
    if (list === undefined || (left && this.#byClient.size === 1)) return;
    this.#byClient.delete(client);
    if (left) this.#byClient.set(client, list);
  }

  tidy(): void {
    for (const [client, list] of this.#byClient) {
      list.tidy();
      if (list.first() === undefined) this.#byClient.delete(client);
    }
  }

  clear(): void {
    this.#byClient.clear();
  }
}

/** Most addresses that are skipped in search of one that may have a connection. */
const MOST_REFUSED = 16;

const always = (): boolean => true;

export class WaitQueue {
  readonly #own = new Line();
  readonly #parts = new Line();
  readonly #sharing = new Line();
  /** All waiters, for their deadlines. */
  readonly #all = new List();
  /** Refusals since the last search. */
  #refusals = 0;

  /** Waiters, including a few whose exchanges have ended. */
  get length(): number {
    return this.#all.length;
  }

  /** Whether an exchange waits for a connection of its own. */
  get ownWaits(): boolean {
    return this.#own.first(always, 1) !== undefined || this.#parts.first(always, 1) !== undefined;
  }

  /** Returns false if `most` wait already. Times in monotonic milliseconds. */
  push(user: UpstreamUser, now: number, timeout: number, most: number): boolean {
    if (this.length >= most && ++this.#refusals * SEARCHED >= this.length) this.#tidy();
    if (this.length >= most) return false;
    const line = user.shares ? this.#sharing : user.streams ? this.#parts : this.#own;
    const waiter = { user, line, since: now, deadline: now + timeout, left: false };
    line.push(waiter);
    this.#all.push(waiter);
    return true;
  }

  #tidy(): void {
    this.#refusals = 0;
    for (const line of [this.#own, this.#parts, this.#sharing]) line.tidy();
    this.#all.tidy();
  }

  /** The next waiter that `may` accepts; it stays in the queue. */
  first(may: (user: UpstreamUser) => boolean = always): Waiter | undefined {
    if (this.#all.length === 0) return undefined;
    const own = this.#own.first(may, MOST_REFUSED);
    const parts = this.#parts.first(may, MOST_REFUSED);
    const sharing = this.#sharing.first(may, MOST_REFUSED);
    return earlier(earlier(own, parts), sharing);
  }

  /** Removes and returns the next user that `may` accepts. */
  next(may?: (user: UpstreamUser) => boolean): UpstreamUser | undefined {
    return this.#take(this.first(may));
  }

  /** Removes and returns the next user that shares a connection. */
  nextSharing(): UpstreamUser | undefined {
    return this.#take(this.#sharing.first(always, 1));
  }

  /** Removes and returns a user whose deadline has passed. */
  nextExpired(now: number): UpstreamUser | undefined {
    const first = this.#all.first();
    return first !== undefined && first.deadline <= now ? this.#take(first) : undefined;
  }

  /** Empties the queue without a report to the users. */
  clear(): void {
    for (const line of [this.#own, this.#parts, this.#sharing]) line.clear();
    this.#all.clear();
  }

  #take(waiter: Waiter | undefined): UpstreamUser | undefined {
    if (waiter === undefined) return undefined;
    waiter.left = true;
    this.#all.length--;
    waiter.line.turned(waiter.user.clientKey);
    return waiter.user;
  }
}

const earlier = (one: Waiter | undefined, other: Waiter | undefined): Waiter | undefined =>
  other === undefined || (one !== undefined && one.deadline <= other.deadline) ? one : other;
