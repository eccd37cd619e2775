/**
 * A request that a policy or an action sends itself: an upstream user without a client. It follows the rules of exchanges for
 * balancing, retries, health and counters.
 */
import type { HashKeyEntry } from '../../../bundle/service/balance.js';
import type { Reply } from '../../../contract/index.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { HeadFields } from '../../http/fields.js';
import { forwardedFields } from '../../http/reply-fields.js';
import type { ResponseHead } from '../../http/response-head.js';
import { replyTrailers } from '../../http/trailers.js';
import { fieldValueOf, type HashedRequest, hashValueOf } from '../balance/hash-value.js';
import type { GuardRefusal } from '../guard.js';
import { type AttemptHost, RetryingUser } from '../retrying-user.js';
import type { Service } from '../service.js';
import type { AttemptUser } from '../shown-attempt.js';
import type { Target } from '../target.js';
import type { OwnConnection, SharedConnection } from '../user.js';
import { CallAttempt, type CallSigning, failedBy, refusedBy } from './attempt.js';
import type { OutgoingCall } from './request.js';

/** Takes the reply of a call. */
export interface ReplyTaker {
  /** Takes the body as it arrives; otherwise the target is paused until resume(). */
  readonly flowing: boolean;
  /** The head is here. `length` of the body in bytes; -1 if unknown. May cancel the call. */
  onHead(status: number, headers: HeadFields, length: number): void;
  /** A part of the body, valid until this returns. Returns false if it takes no more for now. May cancel the call. */
  onBody(bytes: Buffer): boolean;
  onEnd(trailers: HeadFields | undefined): void;
  /** There is no reply, or the rest of it will not come. */
  onFailure(error: ErrorSlug, cause: string): void;
}

export class Call extends RetryingUser implements AttemptUser {
  /** Monotonic milliseconds at which it times out; 0 for no limit. */
  deadline = 0;
  /** The exchange that it belongs to; set before start(). */
  parent: HashedRequest | undefined = undefined;
  readonly streams = false;
  readonly replyTimeout = undefined;
  readonly clientKey: string;
  readonly #host: AttemptHost;
  readonly #request: OutgoingCall;
  readonly #taker: ReplyTaker;
  readonly #ended: (call: Call) => void;
  #written = 0;
  #trailers: HeadFields | undefined = undefined;
  /** What policies see of the present attempt; undefined if none wants to. */
  #attempt: CallAttempt | undefined = undefined;
  /** Policies see an attempt, which is not sent yet. */
  #pending = false;
  /** How its attempts are signed; set before start(). */
  signing: CallSigning | undefined = undefined;

  /** `clientKey`: whose share of the connections it uses. `ended` is called once. */
  constructor(
    host: AttemptHost,
    service: Service,
    request: OutgoingCall,
    clientKey: string,
    taker: ReplyTaker,
    ended: (call: Call) => void,
  ) {
    super(host, service);
    this.#host = host;
    this.#request = request;
    this.clientKey = clientKey;
    this.#taker = taker;
    this.#ended = ended;
  }

  get method(): string {
    return this.#request.method;
  }

  protected get hasBody(): boolean {
    return this.#request.body.length > 0;
  }

  /** The whole body is in memory. */
  protected get bodyGone(): boolean {
    return false;
  }

  /** Fields and cookies are its own, all else is of the exchange that it belongs to. */
  hashValue(key: HashKeyEntry): string | undefined {
    const { from, name } = key;
    if (from === 'header' || from === 'cookie') return fieldValueOf(this.#request.fields(), from, name);
    return this.parent && hashValueOf(this.parent, key);
  }

  start(): void {
    if (this.enter()) this.ask();
  }

  protected refused({ error, cause }: GuardRefusal): void {
    this.fail(error, cause);
  }

  ask(): void {
    const target = this.next(this.#host.monotonic());
    if (target === undefined) return;
    const { signing } = this;
    if (signing === undefined) {
      this.connect(target);
      return;
    }
    const facts = { number: this.attempts, unauthorized: this.unauthorized };
    this.#attempt = new CallAttempt(this.#request, target, facts, signing, (error) => this.onAttemptFailed(error));
    this.#pending = true;
    this.#attempt.show(this.attemptUser);
  }

  protected askAgain(): void {
    this.ask();
  }

  /** The whole body is in memory. */
  protected rewind(): boolean {
    return true;
  }

  onAttemptReady(target: Target): void {
    this.#pending = false;
    this.connect(target);
  }

  onAttemptAnswered(reply: Reply): void {
    this.cancel('policy/failed', refusedBy(reply));
  }

  /** Policies fail closed. */
  onAttemptFailed(error: unknown): void {
    this.cancel('policy/failed', failedBy(error));
  }

  protected get endsAt(): number {
    return this.deadline;
  }

  broke(error: unknown): void {
    this.onAttemptFailed(error);
  }

  /** The target that was asked last; undefined for none. */
  get targetUrl(): string | undefined {
    return this.target?.url;
  }

  /** Names of the fields that policies have set, which may be credentials. */
  get added(): readonly string[] {
    return [...(this.#attempt?.added ?? [])];
  }

  /** The time of the call is over. */
  timeOut(): void {
    const where = this.#pending
      ? 'while a policy signs the request'
      : this.replied
        ? 'within the reply'
        : 'before the reply';
    this.cancel('upstream/timeout', `call timeout ${where}`);
  }

  get #head(): string {
    return this.#attempt?.head ?? this.#request.head(this.target!);
  }

  onConnection(connection: OwnConnection): void {
    if (this.over) {
      connection.giveBack();
      return;
    }
    const { body } = this.#request;
    this.replies = connection;
    connection.begin(this, this.#head, body.length > 0 ? 'length' : 'none');
    if (body.length === 0) return;
    this.#written += body.length;
    connection.write(body, true);
  }

  onPlace(connection: SharedConnection): void {
    this.replies = connection;
    connection.begin(this, this.#head);
  }

  /** The whole body was written at once. */
  onWritable(): void {}

  onInterim(): void {}

  onHead(head: ResponseHead): void {
    if (head.status === 401 && this.#attempt?.repeats === true) {
      this.repeat(head.status);
      return;
    }
    if (this.repeatsReply(head)) return;
    this.answeredWith(head.status);
    this.replied = true;
    this.status = head.status;
    this.answered(head.status);
    this.#taker.onHead(head.status, forwardedFields(head), head.contentLength);
    if (!this.over && !this.#taker.flowing) this.replies?.pause();
  }

  onTrailers(lines: string): void {
    this.#trailers = replyTrailers(lines);
  }

  onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    if (this.over) return true;
    this.bytesFromTarget += end - start;
    const more = start === end || this.#taker.onBody(buffer.subarray(start, end));
    if (!last || this.over) return more;
    this.letGo();
    this.endAttempt(this.status, false, this.#host.cachedNow());
    this.completed();
    this.#end();
    this.#taker.onEnd(this.#trailers);
    return true;
  }

  /** The taker takes the body, or more of it. */
  resume(): void {
    this.replies?.resume(this);
  }

  /** Ends it and releases its connection. The taker gets the error if there is one. Idempotent. */
  cancel(error?: ErrorSlug, cause = ''): void {
    if (this.over) return;
    const replies = this.replies;
    const waiting = this.target !== undefined;
    this.stopWaiting();
    this.letGo();
    if (waiting) this.endAttempt(this.status, error !== undefined && !this.#pending && isOfTarget(error));
    // Before the connection is abandoned, so that its end is not reported to this call.
    this.#end();
    replies?.abandon(this);
    if (error !== undefined) this.#taker.onFailure(error, cause);
  }

  protected fail(error: ErrorSlug, cause: string): void {
    this.#end();
    this.#taker.onFailure(error, cause);
  }

  protected cut(error: ErrorSlug, cause: string): void {
    this.fail(error === 'upstream/reset' ? 'upstream/aborted' : error, cause);
  }

  #end(): void {
    this.over = true;
    this.leave();
    this.#ended(this);
  }

  protected letGo(): void {
    this.replies = null;
  }

  protected takeWritten(): number {
    const written = this.#written;
    this.#written = 0;
    return written;
  }
}

/** Whether a call that ends with this error counts as a failed request of its target. */
const isOfTarget = (error: ErrorSlug): boolean => error === 'upstream/timeout' || error === 'upstream/too-large';
