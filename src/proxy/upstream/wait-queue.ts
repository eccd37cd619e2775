/**
 * Exchanges that wait for a connection to a target: first come first served, each for the same time, so that whoever is
 * in front has waited longest. Those that may share a connection stand apart from those that need one of their own.
 */
import type { UpstreamUser } from './user.js';

/** A full queue is looked through for those whose exchanges are over so seldom that each refusal pays for so many. */
const LOOKED_AT = 64;
/** So many that have left before the front of the list is cut off. */
const CUT_AT = 1024;

interface Waiter {
  readonly user: UpstreamUser;
  /** Monotonic milliseconds. */
  readonly deadline: number;
}

/** A list that is read from the front, at no cost for its length. */
class Line {
  #waiters: Waiter[] = [];
  #from = 0;

  get length(): number {
    return this.#waiters.length - this.#from;
  }

  get first(): Waiter | undefined {
    return this.#waiters[this.#from];
  }

  push(waiter: Waiter): void {
    this.#waiters.push(waiter);
  }

  drop(): void {
    this.#from++;
    if (this.#from === this.#waiters.length || this.#from >= CUT_AT) {
      this.#waiters = this.#waiters.slice(this.#from);
      this.#from = 0;
    }
  }

  clear(): void {
    this.#waiters = [];
    this.#from = 0;
  }

  tidy(): void {
    this.#waiters = this.#waiters.slice(this.#from).filter(({ user }) => !user.over);
    this.#from = 0;
  }

  /** Drops those in front whose exchanges are over. */
  live(): Waiter | undefined {
    let first = this.first;
    while (first?.user.over) {
      this.drop();
      first = this.first;
    }
    return first;
  }
}

export class WaitQueue {
  readonly #own = new Line();
  readonly #sharing = new Line();
  /** Since it was looked through. */
  #refusals = 0;

  /** Those whose exchanges are over may be among them for a moment. */
  get length(): number {
    return this.#own.length + this.#sharing.length;
  }

  /** Whether somebody waits who needs a connection of its own. */
  get ownWaits(): boolean {
    return this.#own.live() !== undefined;
  }

  /** False when `most` are waiting already. Times in monotonic milliseconds. */
  push(user: UpstreamUser, now: number, timeout: number, most: number): boolean {
    if (this.length >= most && ++this.#refusals * LOOKED_AT >= this.length) {
      this.#refusals = 0;
      this.#own.tidy();
      this.#sharing.tidy();
    }
    if (this.length >= most) return false;
    (user.shares ? this.#sharing : this.#own).push({ user, deadline: now + timeout });
    return true;
  }

  /** Whoever has waited longest, out of the queue. */
  next(): UpstreamUser | undefined {
    return this.#take(this.#front());
  }

  /** Whoever of those that share a connection has waited longest, out of the queue. */
  nextSharing(): UpstreamUser | undefined {
    return this.#take(this.#sharing);
  }

  /** One whose time is over, out of the queue. */
  nextExpired(now: number): UpstreamUser | undefined {
    const front = this.#front();
    const first = front.first;
    return first !== undefined && first.deadline <= now ? this.#take(front) : undefined;
  }

  /** Nobody is told. */
  clear(): void {
    this.#own.clear();
    this.#sharing.clear();
  }

  #front(): Line {
    const own = this.#own.live();
    const sharing = this.#sharing.live();
    return sharing === undefined || (own !== undefined && own.deadline <= sharing.deadline) ? this.#own : this.#sharing;
  }

  #take(line: Line): UpstreamUser | undefined {
    const first = line.live();
    if (first !== undefined) line.drop();
    return first?.user;
  }
}
