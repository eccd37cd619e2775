/** A connection to a target that serves one exchange at a time. */
import type { HeaderFields } from '../../contract/index.js';
import type { ErrorSlug } from '../errors/errors.js';
import { lastChunk } from '../http/trailers.js';
import type { BatchedWriter, WriteBatcher } from '../load/write-batcher.js';
import { writeBody } from '../load/write-body.js';
import { closeAt } from './age.js';
import { ownerOf } from './proxied.js';
import { ReplyConnection, type ReplyOwner } from './reply-connection.js';
import { type OwnConnection, type RequestFraming, replyDeadline, type UpstreamUser } from './user.js';

/** What a connection uses of its pool. */
export interface ConnectionOwner extends ReplyOwner {
  readonly batcher: WriteBatcher;
  /** The connection is free. */
  release(connection: UpstreamConnection): void;
  /** Its request body is complete. */
  whole(connection: UpstreamConnection): void;
}

export class UpstreamConnection extends ReplyConnection<ConnectionOwner> implements OwnConnection, BatchedWriter {
  /** The whole request is written. */
  #sent = true;
  /** Whose exchanges it takes: see ownerOf(). */
  readonly owner: string;
  readonly #closeAt: number;
  /** The request's head, until it is written. */
  #outHead = '';
  #chunked = false;
  #trailers: HeaderFields | undefined = undefined;
  protected override readonly shared = false;

  constructor(pool: ConnectionOwner, user: UpstreamUser, deadline: number) {
    super(pool, user, deadline);
    this.owner = ownerOf(pool.target.settings, user.clientAddress);
    this.#closeAt = closeAt(pool.target.settings, pool.cachedNow());
    this.socket.on('drain', () => this.user?.onWritable());
  }

  protected override onConnected(): void {
    const { user } = this;
    if (user === null) this.pool.release(this);
    else user.onConnection(this);
  }

  get writable(): boolean {
    return !this.socket.writableNeedDrain;
  }

  begin(user: UpstreamUser, text: string, framing: RequestFraming): void {
    this.expect(user);
    // The read that led here has read the clock, or a sweep has.
    this.deadline = replyDeadline(this.pool.cachedNow(), user, this.pool.target.settings.responseTimeout);
    this.#sent = framing === 'none';
    this.#chunked = framing === 'chunked';
    this.#trailers = undefined;
    this.#outHead = text;
    if (this.#sent) this.pool.batcher.add(this);
  }

  writeNow(): void {
    if (!this.dead) this.flush();
  }

  awaitReply(): void {
    this.deadline = this.pool.responseDeadline(this.user);
  }

  trailers(fields: HeaderFields): void {
    this.#trailers = fields;
  }

  write(bytes: Buffer, last: boolean): void {
    const { length } = bytes;
    let text = this.#outHead;
    let after = '';
    this.#outHead = '';
    if (this.#chunked) {
      if (length > 0) text += `${length.toString(16)}\r\n`;
      after = (length > 0 ? '\r\n' : '') + (last ? lastChunk(this.#trailers) : '');
    }
    if (last) {
      this.#sent = true;
      if (this.claim.partial) this.pool.whole(this);
    }
    writeBody(this.socket, text, bytes, 0, length, after);
  }

  flush(): void {
    if (this.#outHead === '') return;
    this.socket.write(this.#outHead, 'latin1');
    this.#outHead = '';
  }

  protected override expects(): boolean {
    return this.user !== null && this.#outHead === '';
  }

  giveBack(): void {
    this.user = null;
    this.pool.release(this);
  }

  /** Returns to the pool, or closes. */
  protected override ended(surplus: boolean): boolean {
    this.user = null;
    this.deadline = 0;
    this.reused = true;
    // Surplus bytes: target and gateway disagree on the end of the reply, so the connection must close.
    if (!surplus && this.keep && this.#sent && this.socket.writable) this.pool.release(this);
    else this.destroy();
    return false;
  }

  override sweep(now: number): void {
    super.sweep(now);
    if (now < this.#closeAt || !this.connected || this.dead) return;
    // Without a deadline it was given to a user that has not begun yet.
    if (this.user === null && this.deadline > 0) this.abandon();
    else this.keep = false;
  }

  override abandon(): void {
    this.user = null;
    this.destroy();
  }

  override fail(error: ErrorSlug, cause: string): void {
    if (this.dead) return;
    const { user, connected } = this;
    const unsent = this.#outHead !== '';
    this.user = null;
    this.destroy();
    if (user === null) return;
    // It ended while it was idle, and its new user has not written to it yet.
    if (unsent && this.reused) user.onMoved();
    else if (connected) user.onFailure(error, !this.answered && error === 'upstream/reset', this.reused, cause);
    else user.onUnavailable(error, true, cause);
  }
}
