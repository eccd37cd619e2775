/** A connection to a target that serves one exchange at a time. */
import type { ErrorSlug } from '../errors/errors.js';
import type { BatchedWriter } from '../load/write-batcher.js';
import { writeBody } from '../load/write-body.js';
import { ReplyConnection } from './reply-connection.js';
import type { Target } from './target.js';
import type { UpstreamUser } from './user.js';

export class UpstreamConnection extends ReplyConnection implements BatchedWriter {
  /** The whole request is written. */
  #sent = true;
  /** A request's head that is not written yet. */
  #outHead = '';
  protected override readonly shared = false;

  constructor(target: Target, user: UpstreamUser, deadline: number) {
    super(target, user, deadline);
    this.socket.on('drain', () => this.user?.onWritable());
  }

  protected override onConnected(): void {
    const { user } = this;
    if (user === null) this.target.release(this);
    else user.onConnection(this);
  }

  get writable(): boolean {
    return !this.socket.writableNeedDrain;
  }

  /**
   * Begins a request: `text` is its head with the empty line. The head waits for the first bytes of the body to be
   * written together with them; without a body, for its turn. The target must reply within its time.
   */
  begin(user: UpstreamUser, text: string, hasBody: boolean): void {
    this.expect(user);
    // The read that brought this about has looked at the clock; where it was none, a sweep has.
    this.deadline = this.target.cachedNow() + this.target.settings.responseTimeout;
    this.#sent = !hasBody;
    this.#outHead = text;
    if (!hasBody) this.target.batcher.add(this);
  }

  writeNow(): void {
    if (!this.dead) this.flush();
  }

  /** The time for the reply's head begins anew: some of the request's body was sent. */
  awaitReply(): void {
    this.deadline = this.target.responseDeadline();
  }

  /** Payload of the request's body, already framed by `before` and `after`. The bytes are valid until this returns. */
  write(before: string, bytes: Buffer, after: string, last: boolean): void {
    const text = this.#outHead + before;
    this.#outHead = '';
    if (last) {
      this.#sent = true;
      if (this.claim.partial) this.target.whole(this);
    }
    writeBody(this.socket, text, bytes, 0, bytes.length, after);
  }

  /** Writes the head if it still waits for the first bytes of a body that do not come at once. */
  flush(): void {
    if (this.#outHead === '') return;
    this.socket.write(this.#outHead, 'latin1');
    this.#outHead = '';
  }

  protected override expects(): boolean {
    return this.user !== null && this.#outHead === '';
  }

  /** Back to the pool, or away. */
  protected override ended(surplus: boolean): boolean {
    this.user = null;
    this.deadline = 0;
    this.reused = true;
    // Surplus bytes: the target and we disagree on where its reply ends, so this was the connection's last.
    if (!surplus && this.keep && this.#sent && this.socket.writable) this.target.release(this);
    else this.destroy();
    return false;
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
    // It ended while nobody used it, and its user did not even write to it.
    if (unsent && this.reused) user.onMoved();
    else if (connected) user.onFailure(error, !this.answered && error === 'upstream/reset', this.reused, cause);
    else user.onUnavailable(error, true, cause);
  }
}
