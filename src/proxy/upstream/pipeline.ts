/**
 * A connection to a target that several exchanges share (RFC 9112 section 9.3.2). Their requests are written together, once
 * per turn of the event loop, and their replies come in the order of the requests. Only requests that may be sent twice are
 * pipelined: if the connection ends before their turn, they move to another one.
 */
import type { ErrorSlug } from '../errors/errors.js';
import { closeAt } from './age.js';
import { ReplyConnection, type ReplyOwner } from './reply-connection.js';
import type { SharedConnection, UpstreamUser } from './user.js';

/** The spec's bound of `pipelining`. */
const RING = 256;
const MASK = RING - 1;
/** Milliseconds of an unfinished reply after which no request is added after it. */
const STALLED_MS = 100;
/** Milliseconds of an unfinished or unread body after which the requests after it move to another connection. */
const BLOCKED_MS = 1000;
/** Bytes of an abandoned reply up to which reading them is cheaper than a new connection. */
const DISCARD_BYTES = 64 * 1024;
const ABANDONED = 'connection closed: the clients of its requests have left';

/** What a pipeline uses of its pool. */
export interface PipelineOwner extends ReplyOwner {
  /** There may be room for another request. */
  vacated(pipeline: Pipeline): void;
}

export class Pipeline extends ReplyConnection<PipelineOwner> implements SharedConnection {
  protected override readonly shared = true;
  /** A ring of users: the first one's reply is being read, the requests of the last `#unsent` are not written yet. */
  readonly #line = new Array<UpstreamUser | undefined>(RING).fill(undefined);
  #first = 0;
  #length = 0;
  #unsent = 0;
  /** Heads of the unsent requests. */
  #texts: string[] = [];
  /** Users in line whose exchanges have ended. */
  #unwanted = 0;
  #flushing = false;
  /** When the turn of the first user began, or its client stopped reading. */
  #since = 0;
  /** Takes no further requests, and closes when the line is empty. */
  leaving = false;
  readonly #closeAt: number;

  constructor(pool: PipelineOwner, deadline: number) {
    super(pool, null, deadline);
    this.#closeAt = closeAt(pool.target.settings, pool.cachedNow());
  }

  get idle(): boolean {
    return this.#length === 0;
  }

  /** Whether it takes one more request, for a bound of `most`. `now`: monotonic milliseconds, roughly. */
  hasRoom(most: number, now: number): boolean {
    if (this.leaving || this.#length >= most || (this.connected && !this.usable)) return false;
    return !this.stalled(now);
  }

  /** Whether the first reply takes long, or its client does not read it. */
  stalled(now: number): boolean {
    if (this.#length === 0 || !this.connected) return false;
    return this.paused || now - this.#since >= STALLED_MS;
  }

  begin(user: UpstreamUser, text: string): void {
    this.#line[(this.#first + this.#length) & MASK] = user;
    this.#texts.push(text);
    this.#unsent++;
    if (++this.#length === 1) {
      this.pool.readClock();
      this.#turn(user);
    }
    if (this.#flushing || !this.connected) return;
    this.#flushing = true;
    // After all reads of this turn: the requests that they bring are written together.
    setImmediate(flush, this);
  }

  flush(): void {
    this.#flushing = false;
    if (this.#unsent === 0 || this.dead) return;
    const texts = this.#texts;
    this.socket.write(texts.length === 1 ? texts[0]! : texts.join(''), 'latin1');
    texts.length = 0;
    this.#unsent = 0;
  }

  /** The user is first in line now: its response timeout begins. */
  #turn(user: UpstreamUser): void {
    this.expect(user);
    this.#since = this.pool.cachedNow();
    if (this.connected) this.deadline = this.#since + this.pool.target.settings.responseTimeout;
  }

  #becomeIdle(): void {
    this.user = null;
    this.deadline = this.pool.cachedNow() + this.pool.target.settings.idleTimeout;
  }

  protected override onConnected(): void {
    if (this.#length === 0) {
      this.#becomeIdle();
      this.pool.vacated(this);
      return;
    }
    this.deadline = this.pool.responseDeadline(this.user);
    this.flush();
  }

  protected override expects(): boolean {
    return this.#length > this.#unsent;
  }

  protected override ended(surplus: boolean): boolean {
    this.reused = true;
    this.#shift();
    const length = this.#length;
    // Bytes that belong to no written request: target and gateway disagree on the ends of replies.
    if (!this.keep || (surplus && length === this.#unsent) || (this.leaving && length === 0)) {
      this.fail('upstream/invalid', 'invalid reply: bytes after the last reply of the connection');
      return false;
    }
    if (length === 0) this.#becomeIdle();
    else {
      this.#turn(this.#line[this.#first]!);
      this.answered = surplus;
    }
    this.pool.vacated(this);
    return surplus;
  }

  #shift(): void {
    const at = this.#first;
    if (this.#unwanted > 0 && this.#line[at] instanceof Unwanted) this.#unwanted--;
    this.#line[at] = undefined;
    this.#first = (at + 1) & MASK;
    this.#length--;
  }

  /** Removes the users from index `from` on, and returns those whose exchanges have not ended. */
  #take(from: number): UpstreamUser[] {
    const taken: UpstreamUser[] = [];
    for (let i = from; i < this.#length; i++) {
      const at = (this.#first + i) & MASK;
      const user = this.#line[at]!;
      this.#line[at] = undefined;
      if (user instanceof Unwanted) this.#unwanted--;
      else taken.push(user);
    }
    const sent = this.#length - this.#unsent;
    this.#length = Math.min(this.#length, from);
    this.#unsent = Math.max(0, this.#length - sent);
    this.#texts.length = this.#unsent;
    return taken;
  }

  /** The first user stays, as the connection's last; the others ask for another connection. */
  #moveOthers(): void {
    this.leaving = true;
    this.keep = false;
    const behind = this.#take(1);
    if (this.#unwanted > 0) this.fail('upstream/reset', ABANDONED);
    for (const user of behind) user.onMoved();
  }

  protected override onLast(): void {
    this.#moveOthers();
  }

  override pause(): void {
    if (this.paused) return;
    super.pause();
    this.#since = this.pool.cachedNow();
  }

  override abandon(user: UpstreamUser): void {
    let i = 0;
    while (i < this.#length && this.#line[(this.#first + i) & MASK] !== user) i++;
    if (i === this.#length) return;
    if (i < this.#length - this.#unsent) this.#discard(i);
    else this.#withdraw(i);
  }

  /** Its request was sent: the reply is read and dropped, if other users wait after it. */
  #discard(i: number): void {
    const at = (this.#first + i) & MASK;
    const unwanted = new Unwanted(this, this.#line[at]!);
    this.#line[at] = unwanted;
    if (++this.#unwanted === this.#length || !this.keep) {
      this.fail('upstream/reset', ABANDONED);
      return;
    }
    if (i > 0) return;
    this.user = unwanted;
    this.resume(unwanted);
  }

  /** Its request was not sent: removes it. */
  #withdraw(i: number): void {
    this.#texts.splice(i - (this.#length - this.#unsent), 1);
    for (let at = i; at < this.#length - 1; at++)
      this.#line[(this.#first + at) & MASK] = this.#line[(this.#first + at + 1) & MASK];
    this.#line[(this.#first + this.#length - 1) & MASK] = undefined;
    this.#length--;
    this.#unsent--;
    if (this.#length === 0 && this.leaving) {
      this.destroy();
      return;
    }
    if (i === 0) {
      if (this.#length > 0) this.#turn(this.#line[this.#first]!);
      else if (this.connected) this.#becomeIdle();
      else this.user = null;
    }
    this.pool.vacated(this);
  }

  /** Takes no further requests; those in line finish. */
  leave(): void {
    this.leaving = true;
    if (this.#length === 0) this.destroy();
  }

  override fail(error: ErrorSlug, cause: string): void {
    if (this.dead) return;
    const { connected, answered, reused } = this;
    // A user whose request was not written yet only lost its place.
    const first = this.expects() ? this.#line[this.#first] : undefined;
    const users = this.#take(0);
    this.user = null;
    this.destroy();
    for (const [at, user] of users.entries()) {
      if (!connected) user.onUnavailable(error, at === 0, cause);
      else if (user === first) user.onFailure(error, !answered && error === 'upstream/reset', reused, cause);
      else user.onMoved();
    }
  }

  override sweep(now: number): void {
    super.sweep(now);
    if (now >= this.#closeAt && this.connected && !this.dead && !this.leaving) this.leave();
    if (this.#length < 2 || !this.connected) return;
    const behind = this.#line[(this.#first + 1) & MASK]!;
    const { responseTimeout } = this.pool.target.settings;
    // A body may take any time, on either side; a head must come within the response timeout.
    const blocked = (this.paused || this.inBody) && now - this.#since >= BLOCKED_MS;
    if (blocked || now - behind.since >= responseTimeout) this.#moveOthers();
  }
}

const flush = (pipeline: Pipeline): void => pipeline.flush();

/** Replaces a user whose exchange has ended: its reply is read and dropped. */
class Unwanted implements UpstreamUser {
  readonly over = true;
  readonly method: string;
  readonly shares = false;
  readonly streams = false;
  readonly clientKey = '';
  readonly fresh = false;
  readonly since: number;
  readonly #pipeline: Pipeline;
  #left = DISCARD_BYTES;

  constructor(pipeline: Pipeline, { method, since }: UpstreamUser) {
    this.#pipeline = pipeline;
    this.method = method;
    this.since = since;
  }

  onConnection(): void {}

  onPlace(): void {}

  onUnavailable(): void {}

  onInterim(): void {}

  onHead(): void {}
  onTrailers(): void {}

  onBody(_buffer: Buffer, start: number, end: number, last: boolean): boolean {
    this.#left -= end - start;
    if (this.#left < 0 && !last) this.#pipeline.fail('upstream/reset', ABANDONED);
    return true;
  }

  onFailure(): void {}

  onUnprocessed(): void {}

  onMoved(): void {}

  onWritable(): void {}
}
