/**
 * The exchange with a target: selects the target, gets a connection, sends the request, retries if that is safe, and
 * passes the reply's head to the chain and its body to the client.
 */
import type { Reply } from '../../policies/contract.js';
import { problem } from '../../policies/run-kit.js';
import { messageOf } from '../../reason.js';
import { Counter } from '../../telemetry/stats/layout.js';
import { BAD_REWRITE, BUG_CAUSE } from '../errors/cause.js';
import { ERRORS, type ErrorSlug } from '../errors/errors.js';
import { findField } from '../http/fields.js';
import { forwardedFields } from '../http/reply-fields.js';
import type { ResponseHead } from '../http/response-head.js';
import { isStreamType } from '../http/stream-types.js';
import { replyTrailers } from '../http/trailers.js';
import type { GuardRefusal } from '../upstream/guard.js';
import type { Service } from '../upstream/service.js';
import type { AttemptUser, ShownAttempt } from '../upstream/shown-attempt.js';
import type { HoldingUser } from '../upstream/slow-clients.js';
import type { Target } from '../upstream/target.js';
import type { TimedAttempt } from '../upstream/timed-attempt.js';
import type { OwnConnection, SharedConnection } from '../upstream/user.js';
import { TargetAttempt } from './attempt.js';
import { refusalOf } from './attempt-notes.js';
import type { ReplySource } from './downstream.js';
import type { GwExchange } from './exchange.js';
import { ForwardedRequest } from './forwarded-request.js';
import type { RelayHost } from './relay-host.js';
import { stickyCookieOf } from './sticky-cookie.js';
import { isStream } from './streams.js';
import { choiceDecision } from './target-choice.js';
import { requestHead, trailersLine } from './target-head.js';
import { rewriteFault } from './target-path.js';
import { isBodiless, TargetReply } from './target-reply.js';
import { Upload, type Uploader } from './upload.js';

export class Relay extends ForwardedRequest implements ReplySource, Uploader, HoldingUser, AttemptUser {
  contentLength = -1;
  readonly readsRequest = true;
  /** The request's body, if it has one. */
  #upload: Upload | undefined;
  /** What policies see of the current attempt; undefined if none wants to. */
  #attempt: TargetAttempt | undefined = undefined;
  /** Its fields say whether it is a stream; that is looked up only if the reply lasts. */
  #answer: TargetReply | undefined = undefined;
  #lasts: boolean | undefined = undefined;
  /** The client's connection accepts the reply's body. */
  #flowing = false;
  /** The target's pool accounts for the pace of its client. */
  #watched = false;

  constructor(host: RelayHost, exchange: GwExchange, service: Service) {
    super(host, exchange, service);
    this.#upload = this.#newUpload();
  }

  get isStream(): boolean {
    return isStreamType(this.#answer?.headers.get('content-type'));
  }

  get replyTimeout(): number | undefined {
    const { route } = this.exchange;
    if (this.replied) this.#lasts ??= isStream(this.exchange);
    const known = this.#lasts ?? route.stream ?? (this.exchange.hasBody && isStream(this.exchange));
    return known ? (route.streamIdleTimeout ?? this.upstream.entry.tunnelIdleTimeout) : undefined;
  }

  #newUpload(): Upload | undefined {
    const { exchange } = this;
    if (!exchange.hasBody) return undefined;
    const { maxBody } = this.upstream.retry;
    const keeps = maxBody > 0 && exchange.contentLength <= maxBody && this.mayRetry ? maxBody : 0;
    return new Upload(this, exchange.bodies?.request ?? this.downstream, this.host.uploads, keeps);
  }

  get bodiless(): boolean {
    return isBodiless(this.status);
  }

  get setCookie(): string | undefined {
    return stickyCookieOf(this.exchange, this.upstream, this.target, this.stickyValue);
  }

  start(): void {
    if (this.enter()) this.#begin();
  }

  protected refused(refusal: GuardRefusal): void {
    this.over = true;
    this.#reply(refusalOf(this.exchange, refusal));
  }

  #begin(): void {
    if (this.#upload === undefined) this.ask();
    else this.#upload.start();
  }

  get lasts(): boolean {
    const { onClientClose } = this.upstream.entry;
    return onClientClose === 'finish' && !this.isStream && this.#upload?.whole !== false;
  }

  get awaitsClient(): boolean {
    const upload = this.#upload;
    return (this.#flowing && this.replies?.held === true) || upload?.awaitsClient === true;
  }

  get clientBytes(): number {
    return this.downstream.taken + (this.#upload?.came ?? 0);
  }

  shed(cause: string): void {
    this.stats.add(this.target!.slot, Counter.Shed, 1);
    this.host.driver.fail(this.exchange, this.exchange.sending ? 'downstream/shed' : 'request/shed', cause);
  }

  /** The pace of the client is accounted while the exchange has a connection. */
  #watch(): void {
    this.#watched = true;
    this.target?.pool.slow.watch(this, this.host.cachedNow());
  }

  get streams(): boolean {
    return this.#upload !== undefined && !this.#upload.whole;
  }

  ask(): void {
    // If the clock was not read since the exchange began, no time has passed.
    const { startMs } = this.exchange;
    const target = this.next(this.host.cachedNow() === startMs ? startMs : this.host.monotonic());
    if (target === undefined) return;
    this.exchange.target = target.url;
    this.exchange.decisions?.push(choiceDecision(this.upstream, target, this.attempts));
    if (!this.exchange.compiled!.chain.seesAttempts) {
      this.connect(target);
      return;
    }
    this.#attempt = new TargetAttempt(this.exchange, target, this.attempts, this.unauthorized);
    this.#attempt.show(this.attemptUser);
  }

  onAttemptReady(target: Target): void {
    this.connect(target);
  }

  onAttemptAnswered(reply: Reply): void {
    this.endAttempt(0, false);
    this.#end();
    this.exchange.error = reply.code ?? 'policy/answered';
    this.exchange.cause = reply.cause ?? null;
    this.#reply(reply);
  }

  /** Policies fail closed. */
  onAttemptFailed(error: unknown): void {
    this.endAttempt(0, false);
    this.fail('policy/failed', `a policy failed before an attempt: ${messageOf(error)}`);
  }

  /** One more attempt. A body that is in memory is sent again from its start. */
  protected askAgain(): void {
    if (this.#upload?.begun !== true || this.#upload.again(undefined)) {
      this.ask();
      return;
    }
    this.#upload.release();
    this.#upload = this.#newUpload();
    this.#begin();
  }

  protected rewind(body: readonly Buffer[] | undefined): boolean {
    return this.#upload?.begun !== true || this.#upload.again(body) || !this.bodyGone;
  }

  /** Part of the body is gone, and cannot be sent again. */
  protected get bodyGone(): boolean {
    const upload = this.#upload;
    return upload?.begun === true && !upload.rewindable && this.exchange.bodies?.requestBytes === undefined;
  }

  onConnection(connection: OwnConnection): void {
    const target = this.target!;
    const text = this.over ? undefined : this.#head(target);
    if (text === undefined) {
      connection.giveBack();
      if (!this.over) this.#refuse();
      return;
    }
    this.replies = connection;
    this.exchange.sent = true;
    const upload = this.#upload;
    connection.begin(this, text, upload === undefined ? 'none' : upload.chunked ? 'chunked' : 'length');
    upload?.flow(connection);
    if (upload !== undefined && !upload.whole && this.replies !== null) this.#watch();
  }

  onPlace(pipeline: SharedConnection): void {
    const text = this.#head(this.target!);
    if (text === undefined) {
      this.#refuse();
      return;
    }
    this.replies = pipeline;
    this.exchange.sent = true;
    pipeline.begin(this, text);
  }

  /** Catches exceptions, because the caller may be the connection of another exchange that has become free. */
  #head(target: Target): string | undefined {
    try {
      this.exchange.grpc?.forward(this.exchange, this.host.monotonic());
      const extra = target.settings.http2 === undefined ? '' : trailersLine(this.exchange);
      if (this.#attempt === undefined) return requestHead(this.exchange, target, extra);
      return this.#attempt.withFields(() => requestHead(this.exchange, target, extra));
    } catch (error) {
      this.host.bug(error, this.exchange.id);
      this.exchange.error = 'gateway/failed';
      return undefined;
    }
  }

  #refuse(): void {
    this.endAttempt(0, false);
    const failed = this.exchange.error === 'gateway/failed';
    this.fail(failed ? 'gateway/failed' : rewriteFault(this.exchange), failed ? BUG_CAUSE : BAD_REWRITE);
  }

  onWritable(): void {
    this.#upload?.onWritable();
  }

  onInterim(head: ResponseHead): void {
    // Drop 100 Continue if the client sent no Expect.
    if (head.status === 100 && !this.exchange.expectsContinue) return;
    if (head.status === 100) this.#upload?.onContinue();
    this.downstream.interim(head.status, forwardedFields(head));
  }

  onHead(head: ResponseHead): void {
    const { exchange } = this;
    // The connection read the clock at this read.
    exchange.upstreamMs = this.host.cachedNow() - exchange.startMs;
    exchange.grpc?.ended(findField(head.text, head.fieldsAt, head.fieldsEnd, 'grpc-status'));
    if (head.status === 401 && this.#attempt?.repeats === true && !this.bodyGone) {
      this.repeat(head.status);
      return;
    }
    if (this.repeatsReply(head)) return;
    const counts = this.counts(head.status);
    this.answeredWith(counts);
    this.replied = true;
    this.#upload?.dropKept();
    this.status = head.status;
    this.contentLength = head.contentLength;
    this.answered(counts);
    const reply = new TargetReply(head, this);
    this.#answer = reply;
    this.host.driver.replied(exchange, reply);
    // The downstream does not accept the body yet: pause the target.
    if (!this.#flowing) this.replies?.pause();
  }

  flow(): void {
    this.#flowing = true;
    this.replies?.resume(this);
  }

  resume(): void {
    if (this.#flowing) this.replies?.resume(this);
  }

  onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    this.bytesFromTarget += end - start;
    if (last) this.#finish();
    const more = this.exchange.receiver!.body(buffer, start, end, last);
    if (!more && !this.#watched && !this.over) this.#watch();
    return more;
  }

  onTrailers(lines: string): void {
    const fields = replyTrailers(lines);
    this.exchange.grpc?.ended(fields.get('grpc-status'));
    this.exchange.receiver!.trailers(fields);
  }

  protected letGo(): void {
    const { replies } = this;
    this.aside();
    this.replies = null;
    this.#upload?.detach(replies);
  }

  protected override aside(): void {
    if (this.#watched) this.target?.pool.slow.forget(this);
    this.#watched = false;
  }

  /** The first answer ends the need for the body. */
  protected override lost(attempt: TimedAttempt, durationMs: number): void {
    super.lost(attempt, durationMs);
    if (this.#upload?.goesTo(attempt) === true) this.#upload.release();
  }

  protected override get mayHedge(): boolean {
    const upload = this.#upload;
    return super.mayHedge && (upload === undefined || this.#isKept(upload));
  }

  #isKept(upload: Upload): boolean {
    return upload.rewindable || this.exchange.bodies?.requestBytes !== undefined;
  }

  protected override get isSent(): boolean {
    const upload = this.#upload;
    if (upload === undefined) return true;
    return upload.sent && this.#isKept(upload);
  }

  protected override show(next: ShownAttempt | undefined): ShownAttempt | undefined {
    const before = this.#attempt;
    this.#attempt = next as TargetAttempt | undefined;
    return before;
  }

  #finish(): void {
    this.letGo();
    this.completed();
    this.#end();
    this.endAttempt(this.status, false, this.host.cachedNow());
  }

  /** No event of a target concerns it any more. */
  #end(): void {
    this.over = true;
    this.leave();
  }

  protected cut(error: ErrorSlug, cause: string): void {
    this.#end();
    // While a policy reads the body, the client can still get an error.
    const aborted = error === 'upstream/reset' && this.exchange.sending;
    this.host.driver.fail(this.exchange, aborted ? 'upstream/aborted' : error, cause);
  }

  protected takeWritten(): number {
    return this.#upload?.takeWritten() ?? 0;
  }

  protected fail(error: ErrorSlug, cause: string): void {
    this.#end();
    const { exchange } = this;
    exchange.error = error;
    exchange.cause = cause;
    this.#reply(problem(exchange, { code: error, ...ERRORS[error] }));
  }

  /** The exchange is answered without a target. */
  #reply(reply: Reply): void {
    try {
      this.host.driver.replied(this.exchange, reply);
    } catch (bug) {
      // This may be an event of the target's socket, where no caller catches exceptions.
      this.downstream.broke(bug);
    }
  }

  cancel(): void {
    this.#upload?.release();
    if (this.over) return;
    this.#end();
    this.stopWaiting();
    const waiting = this.target !== undefined;
    const replies = this.replies;
    this.letGo();
    if (waiting) this.endAttempt(this.status, false);
    replies?.abandon(this);
  }

  discard(): void {
    this.cancel();
  }
}
