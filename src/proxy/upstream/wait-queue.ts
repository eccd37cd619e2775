/**
 * Exchanges that wait for a connection to a target, each for the same time. Client addresses are served in turn, and the
 * exchanges of one in the order in which they came: other clients do not wait for all of a client that has a thousand.
 * Exchanges stand in three lines by what they need: a connection of their own; the same, for a body that has not all come;
 * a place on a shared one.
 */
import type { UpstreamUser } from './user.js';

/** A full queue is looked through for those whose exchanges are over so seldom that each refusal pays for so many. */
const LOOKED_AT = 64;
/** So many that have left before the front of a list is cut off. */
const CUT_AT = 1024;

export interface Waiter {
  readonly user: UpstreamUser;
  readonly line: Line;
  /** Monotonic milliseconds. */
  readonly since: number;
  readonly deadline: number;
  /** Out of the queue: one of its lists has yet to notice. */
  left: boolean;
}

/** A list that is read from the front, at no cost for its length. */
class List {
  /** Those in it that have not left; some of their exchanges may be over. */
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

  /** The first that still waits; drops those before it. */
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

/** Those who need the same, by client address. The address whose turn it is stands first. */
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
   * Whose turn it is, of those that `may` have what they wait for. Looks at no more than `most` addresses that may not; those
   * stand behind all others then, so that each is looked at some time.
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

  /** An address has had its turn: it stands behind all others. */
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

/** Addresses that are passed over in search of one that may have a connection. */
const MOST_REFUSED = 16;

const always = (): boolean => true;

export class WaitQueue {
  readonly #own = new Line();
  readonly #parts = new Line();
  readonly #sharing = new Line();
  /** All of them, for their deadlines. */
  readonly #all = new List();
  /** Since it was looked through. */
  #refusals = 0;

  /** Those whose exchanges are over may be among them for a moment. */
  get length(): number {
    return this.#all.length;
  }

  /** Whether somebody waits who needs a connection of its own. */
  get ownWaits(): boolean {
    return this.#own.first(always, 1) !== undefined || this.#parts.first(always, 1) !== undefined;
  }

  /** False when `most` are waiting already. Times in monotonic milliseconds. */
  push(user: UpstreamUser, now: number, timeout: number, most: number): boolean {
    if (this.length >= most && ++this.#refusals * LOOKED_AT >= this.length) this.#tidy();
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

  /** The next one of those that `may` have a connection; stays in the queue. */
  first(may: (user: UpstreamUser) => boolean = always): Waiter | undefined {
    if (this.#all.length === 0) return undefined;
    const own = this.#own.first(may, MOST_REFUSED);
    const parts = this.#parts.first(may, MOST_REFUSED);
    const sharing = this.#sharing.first(may, MOST_REFUSED);
    return earlier(earlier(own, parts), sharing);
  }

  /** The same, out of the queue. */
  next(may?: (user: UpstreamUser) => boolean): UpstreamUser | undefined {
    return this.#take(this.first(may));
  }

  /** The next one of those that share a connection, taken out of the queue. */
  nextSharing(): UpstreamUser | undefined {
    return this.#take(this.#sharing.first(always, 1));
  }

  /** One whose time is over, out of the queue. */
  nextExpired(now: number): UpstreamUser | undefined {
    const first = this.#all.first();
    return first !== undefined && first.deadline <= now ? this.#take(first) : undefined;
  }

  /** Nobody is told. */
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
