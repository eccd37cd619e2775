/**
 * An attempt that can end on its own, before its request and its connection do: its time until the head of the reply is bounded,
 * or another attempt begins beside it when it takes long. It stands between the request and its connection, so that nothing of an
 * attempt that was given up reaches the request, and of several attempts in progress each has its own state.
 */
import type { Reply } from '../../contract/index.js';
import { timeSpan } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { ResponseHead } from '../http/response-head.js';
import { Alarm, type Alarms, type AlarmUser } from './retry/alarms.js';
import { isBlameless } from './retry/rules.js';
import type { AttemptUser, ShownAttempt } from './shown-attempt.js';
import type { Target } from './target.js';
import type { OwnConnection, RequestFraming, UpstreamUser } from './user.js';

/** The request whose attempt it is. */
export interface TimedRequest extends UpstreamUser, AttemptUser {
  /** Makes `attempt` the current one: something has happened to it. */
  turnTo(attempt: TimedAttempt): void;
  isCurrent(attempt: TimedAttempt): boolean;
  /** `attempt` takes longer than the service lets a request wait without another attempt: `ms`. False: ask again after that time. */
  onSlow(attempt: TimedAttempt, ms: number): boolean;
  broke(error: unknown): void;
}

/** When an attempt is late. */
export interface AttemptTimes {
  /** Milliseconds until the head of the reply; 0: no limit. */
  readonly timeout: number;
  /** Milliseconds until another attempt begins beside it; below 0: none does. */
  readonly slowAfter: number;
  readonly timeouts: Alarms;
  readonly hedges: Alarms;
}

interface AttemptClock {
  /** Monotonic milliseconds. */
  monotonic(): number;
  cachedNow(): number;
}

export class TimedAttempt implements UpstreamUser, OwnConnection, AttemptUser, AlarmUser {
  /** Several requests on one connection cannot end alone. */
  readonly shares = false;
  readonly fresh: boolean;
  readonly since: number;
  readonly target: Target;
  readonly #request: TimedRequest;
  readonly #clock: AttemptClock;
  readonly #times: AttemptTimes;
  readonly #late: Alarm | undefined;
  readonly #slow: Alarm | undefined;
  /** What policies see of it, while it is not the current attempt. */
  shown: ShownAttempt | undefined = undefined;
  /** It was begun beside another one. */
  hedge = false;
  #written = 0;
  #connection: OwnConnection | undefined = undefined;
  /** The last part of the body was written at this time; monotonic milliseconds. */
  #wroteAt = 0;
  #ended = false;
  /** It has ended because its time was over, without a connection. */
  #waited = false;

  constructor(request: TimedRequest, target: Target, clock: AttemptClock, times: AttemptTimes) {
    this.#request = request;
    this.target = target;
    this.#clock = clock;
    this.#times = times;
    this.fresh = request.fresh;
    this.since = request.since;
    const { timeout, timeouts, slowAfter, hedges } = times;
    this.#late = timeout > 0 ? new Alarm(this) : undefined;
    if (this.#late !== undefined) timeouts.set(this.#late, this.since + timeout);
    this.#slow = slowAfter >= 0 ? new Alarm(this) : undefined;
    if (this.#slow !== undefined) hedges.set(this.#slow, this.since + slowAfter);
  }

  /** The head of the reply has come. */
  answered(): void {
    const { timeouts, hedges } = this.#times;
    if (this.#late !== undefined) timeouts.delete(this.#late);
    if (this.#slow !== undefined) hedges.delete(this.#slow);
  }

  /** No event concerns the request any more. Idempotent. */
  end(): void {
    this.#ended = true;
    this.answered();
  }

  /** It has a connection. */
  get connected(): boolean {
    return this.#connection !== undefined;
  }

  /** Bytes of the request's body that were written since the last call. */
  takeWritten(): number {
    const written = this.#written;
    this.#written = 0;
    return written;
  }

  /** A time is over, unless the client still sends the body, or has just done so. */
  onAlarm(alarm: Alarm): void {
    if (this.over) return;
    const { timeout, timeouts, slowAfter, hedges } = this.#times;
    const isLate = alarm === this.#late;
    const ms = isLate ? timeout : slowAfter;
    const now = this.#clock.monotonic();
    const from = this.#request.streams ? now : Math.max(this.since, this.#wroteAt);
    if (from + ms > now) (isLate ? timeouts : hedges).set(alarm, from + ms);
    else if (isLate) this.#giveUp(`attempt timeout (${timeSpan(ms)})`);
    else if (!this.#request.onSlow(this, ms)) hedges.set(alarm, now + ms);
  }

  #giveUp(cause: string): void {
    const request = this.#request;
    request.turnTo(this);
    const connection = this.#connection;
    this.#ended = true;
    connection?.abandon();
    if (connection !== undefined) request.onFailure('upstream/timeout', false, false, cause);
    else {
      this.#waited = true;
      request.onUnavailable('upstream/timeout', false, `${cause} before there was a connection`);
    }
  }

  broke(error: unknown): void {
    this.#request.broke(error);
  }

  // ---------------------------------------------------------------- for the connection

  get over(): boolean {
    return this.#ended || this.#request.over;
  }

  get method(): string {
    return this.#request.method;
  }

  get clientKey(): string {
    return this.#request.clientKey;
  }

  get clientAddress(): string | undefined {
    return this.#request.clientAddress;
  }

  get streams(): boolean {
    return this.#request.streams;
  }

  get replyTimeout(): number | undefined {
    return this.#request.replyTimeout;
  }

  onConnection(connection: OwnConnection): void {
    if (this.over) {
      connection.giveBack();
      return;
    }
    this.#connection = connection;
    this.#request.turnTo(this);
    this.#request.onConnection(this);
  }

  /** False if nothing of it concerns the request any more; otherwise it becomes the current attempt. */
  #turn(): boolean {
    if (this.#ended) return false;
    this.#request.turnTo(this);
    return true;
  }

  /** It does not share. */
  onPlace(): void {}

  onUnavailable(error: ErrorSlug, blame: boolean, cause: string): void {
    if (this.#turn()) this.#request.onUnavailable(error, blame, cause);
    else if (this.#waited) this.target.health.failed(error, cause, blame && !isBlameless(error));
  }

  onInterim(head: ResponseHead): void {
    if (!this.#ended && this.#request.isCurrent(this)) this.#request.onInterim(head);
  }

  onHead(head: ResponseHead): void {
    if (this.#turn()) this.#request.onHead(head);
  }

  onTrailers(lines: string): void {
    this.#request.onTrailers(lines);
  }

  onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    return this.#request.onBody(buffer, start, end, last);
  }

  onWritable(): void {
    if (!this.#ended) this.#request.onWritable();
  }

  onFailure(error: ErrorSlug, untouched: boolean, reused: boolean, cause: string): void {
    if (this.#turn()) this.#request.onFailure(error, untouched, reused, cause);
  }

  onUnprocessed(error: ErrorSlug, cause: string, body: readonly Buffer[] | undefined): void {
    if (this.#turn()) this.#request.onUnprocessed(error, cause, body);
  }

  onReset(code: number): void {
    if (this.#turn()) this.#request.onReset?.(code);
  }

  onMoved(): void {
    if (this.#turn()) this.#request.onMoved();
  }

  // ---------------------------------------------------------------- for the request

  get writable(): boolean {
    return this.#connection?.writable === true;
  }

  get held(): boolean {
    return this.#connection?.held === true;
  }

  begin(_user: UpstreamUser, text: string, framing: RequestFraming): void {
    this.#connection!.begin(this, text, framing);
  }

  trailers(fields: Parameters<OwnConnection['trailers']>[0]): void {
    this.#connection?.trailers(fields);
  }

  write(bytes: Buffer, last: boolean): void {
    this.#wroteAt = this.#clock.cachedNow();
    this.#written += bytes.length;
    this.#connection?.write(bytes, last);
  }

  flush(): void {
    this.#connection?.flush();
  }

  awaitReply(): void {
    this.#connection?.awaitReply();
  }

  pause(): void {
    this.#connection?.pause();
  }

  resume(): void {
    this.#connection?.resume(this);
  }

  giveBack(): void {
    const connection = this.#connection;
    this.end();
    this.#connection = undefined;
    connection?.giveBack();
  }

  abandon(): void {
    const connection = this.#connection;
    this.end();
    this.#connection = undefined;
    connection?.abandon();
  }

  // ---------------------------------------------------------------- for the policies

  onAttemptReady(target: Target): void {
    if (!this.over && this.#turn()) this.#request.onAttemptReady(target);
  }

  onAttemptAnswered(reply: Reply): void {
    if (!this.over && this.#turn()) this.#request.onAttemptAnswered(reply);
  }

  onAttemptFailed(error: unknown): void {
    if (!this.over && this.#turn()) this.#request.onAttemptFailed(error);
  }
}
