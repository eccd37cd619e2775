/**
 * A connection to a target that several exchanges share (RFC 9112 section 9.3.2): their requests are gathered and written
 * once a turn of the event loop, and their replies come in the order of the requests. Only requests that may be sent
 * twice stand in line: whatever ends the line before their turn has them moved to another connection.
 */
import type { ErrorSlug } from '../errors/errors.js';
import { ReplyConnection } from './reply-connection.js';
import type { Target } from './target.js';
import type { UpstreamUser } from './user.js';

/** As many as the spec allows in line. */
const RING = 256;
const MASK = RING - 1;
/** Milliseconds after which nobody more is put behind a reply that does not end. */
const STALLED_MS = 100;
/** Milliseconds that those behind wait for a body which does not end, or a client that does not read it. */
const BLOCKED_MS = 1000;
/** Bytes of a reply that nobody wants any more: up to here reading them is cheaper than a new connection. */
const DISCARD_BYTES = 64 * 1024;
const ABANDONED = 'connection closed: the clients of its requests have left';

export class Pipeline extends ReplyConnection {
  protected override readonly shared = true;
  /** In line, in a ring: the first one's reply is read, the last `#unsent` ones' requests are not written yet. */
  readonly #line = new Array<UpstreamUser | undefined>(RING).fill(undefined);
  #first = 0;
  #length = 0;
  #unsent = 0;
  /** Heads of the unsent ones. */
  #texts: string[] = [];
  /** Of those in line, exchanges that are over. */
  #unwanted = 0;
  #flushing = false;
  /** When the first in line became it, or the client of its reply stopped reading. */
  #since = 0;
  /** Takes nobody more, and closes when the line is empty. */
  leaving = false;

  constructor(target: Target, deadline: number) {
    super(target, null, deadline);
  }

  get idle(): boolean {
    return this.#length === 0;
  }

  /** Whether one more may stand in a line of at most `most`. `now`: monotonic milliseconds, roughly. */
  hasRoom(most: number, now: number): boolean {
    if (this.leaving || this.#length >= most || (this.connected && !this.usable)) return false;
    return !this.stalled(now);
  }

  /** Whether its line does not move: the first in it has been that for long, or its client does not read. */
  stalled(now: number): boolean {
    if (this.#length === 0 || !this.connected) return false;
    return this.paused || now - this.#since >= STALLED_MS;
  }

  /** The user's request, a head with the empty line, goes to the end of the line. */
  begin(user: UpstreamUser, text: string): void {
    this.#line[(this.#first + this.#length) & MASK] = user;
    this.#texts.push(text);
    this.#unsent++;
    if (++this.#length === 1) {
      this.target.look();
      this.#turn(user);
    }
    if (this.#flushing || !this.connected) return;
    this.#flushing = true;
    // Behind all reads of this turn: what they bring is written at once.
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

  /** It is the first in line now: its time for a reply begins. */
  #turn(user: UpstreamUser): void {
    this.expect(user);
    this.#since = this.target.cachedNow();
    if (this.connected) this.deadline = this.#since + this.target.settings.responseTimeout;
  }

  #rest(): void {
    this.user = null;
    this.deadline = this.target.cachedNow() + this.target.settings.idleTimeout;
  }

  protected override onConnected(): void {
    if (this.#length === 0) {
      this.#rest();
      this.target.vacated(this);
      return;
    }
    this.deadline = this.target.responseDeadline();
    this.flush();
  }

  protected override expects(): boolean {
    return this.#length > this.#unsent;
  }

  protected override ended(surplus: boolean): boolean {
    this.reused = true;
    this.#shift();
    const length = this.#length;
    // Bytes for nobody, or before the request was written: the target and we disagree on where its replies end.
    if (!this.keep || (surplus && length === this.#unsent) || (this.leaving && length === 0)) {
      this.fail('upstream/invalid', 'invalid reply: bytes behind the last reply of the connection');
      return false;
    }
    if (length === 0) this.#rest();
    else {
      this.#turn(this.#line[this.#first]!);
      this.answered = surplus;
    }
    this.target.vacated(this);
    return surplus;
  }

  #shift(): void {
    const at = this.#first;
    if (this.#unwanted > 0 && this.#line[at] instanceof Unwanted) this.#unwanted--;
    this.#line[at] = undefined;
    this.#first = (at + 1) & MASK;
    this.#length--;
  }

  /** Takes all from the `from`th on out of the line; those whose exchanges are over are forgotten. */
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

  /** The first in line keeps the connection to itself, as its last exchange; the others ask anew. */
  #moveBehind(): void {
    this.leaving = true;
    this.keep = false;
    const behind = this.#take(1);
    if (this.#unwanted > 0) this.fail('upstream/reset', ABANDONED);
    for (const user of behind) user.onMoved();
  }

  protected override onLast(): void {
    this.#moveBehind();
  }

  override pause(): void {
    if (this.paused) return;
    super.pause();
    this.#since = this.target.cachedNow();
  }

  override abandon(user: UpstreamUser): void {
    let i = 0;
    while (i < this.#length && this.#line[(this.#first + i) & MASK] !== user) i++;
    if (i === this.#length) return;
    if (i < this.#length - this.#unsent) this.#discard(i);
    else this.#withdraw(i);
  }

  /** Its request was sent: the reply is read all the same, as long as somebody waits behind it. */
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

  /** Its request was not sent, and will not be. */
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
      else if (this.connected) this.#rest();
      else this.user = null;
    }
    this.target.vacated(this);
  }

  /** Whoever is in line keeps its place; nobody more comes. */
  leave(): void {
    this.leaving = true;
    if (this.#length === 0) this.destroy();
  }

  override fail(error: ErrorSlug, cause: string): void {
    if (this.dead) return;
    const { connected, answered, reused } = this;
    // One whose request was not even written lost nothing but its place.
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
    if (this.#length < 2 || !this.connected) return;
    const behind = this.#line[(this.#first + 1) & MASK]!;
    const { responseTimeout } = this.target.settings;
    // A body that takes its time, on whichever side, may take any time; a head must come within the target's.
    const blocked = (this.paused || this.inBody) && now - this.#since >= BLOCKED_MS;
    if (blocked || now - behind.since >= responseTimeout) this.#moveBehind();
  }
}

const flush = (pipeline: Pipeline): void => pipeline.flush();

/** Stands in line for an exchange that is over: its reply is read and thrown away. */
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

  onBody(_buffer: Buffer, start: number, end: number, last: boolean): boolean {
    this.#left -= end - start;
    if (this.#left < 0 && !last) this.#pipeline.fail('upstream/reset', ABANDONED);
    return true;
  }

  onFailure(): void {}

  onMoved(): void {}

  onWritable(): void {}
}
