/**
 * An attempt that can end on its own, before its request and its connection do: its time until the head of the reply is bounded.
 * It stands between the request and its connection, so that nothing of an attempt that was given up reaches the request.
 */
import type { Reply } from '../../../contract/index.js';
import { timeSpan } from '../../errors/cause.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { ResponseHead } from '../../http/response-head.js';
import type { AttemptUser } from '../shown-attempt.js';
import type { Target } from '../target.js';
import type { OwnConnection, RequestFraming, UpstreamUser } from '../user.js';
import { Alarm, type Alarms, type AlarmUser } from './alarms.js';
import { isBlameless } from './rules.js';

/** The request whose attempt it is. */
export interface TimedRequest extends UpstreamUser, AttemptUser {
  broke(error: unknown): void;
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
  readonly #alarms: Alarms;
  readonly #timeout: number;
  readonly #alarm = new Alarm(this);
  #connection: OwnConnection | undefined = undefined;
  /** The last part of the body was written at this time; monotonic milliseconds. */
  #wroteAt = 0;
  #ended = false;
  /** It has ended because its time was over, without a connection. */
  #waited = false;

  /** `timeout`: milliseconds until the head of the reply. */
  constructor(request: TimedRequest, target: Target, clock: AttemptClock, alarms: Alarms, timeout: number) {
    this.#request = request;
    this.target = target;
    this.#clock = clock;
    this.#alarms = alarms;
    this.#timeout = timeout;
    this.fresh = request.fresh;
    this.since = request.since;
    alarms.set(this.#alarm, this.since + timeout);
  }

  /** The head of the reply has come. */
  answered(): void {
    this.#alarms.delete(this.#alarm);
  }

  /** No event concerns the request any more. Idempotent. */
  end(): void {
    this.#ended = true;
    this.#alarms.delete(this.#alarm);
  }

  /** The time is over, unless the client still sends the body, or has just done so. */
  onAlarm(): void {
    const request = this.#request;
    if (this.over) return;
    const now = this.#clock.monotonic();
    const from = request.streams ? now : Math.max(this.since, this.#wroteAt);
    if (from + this.#timeout > now) {
      this.#alarms.set(this.#alarm, from + this.#timeout);
      return;
    }
    const connection = this.#connection;
    this.#ended = true;
    this.#connection = undefined;
    const cause = `attempt timeout (${timeSpan(this.#timeout)})`;
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
    this.#request.onConnection(this);
  }

  /** It does not share. */
  onPlace(): void {}

  onUnavailable(error: ErrorSlug, blame: boolean, cause: string): void {
    if (!this.#ended) this.#request.onUnavailable(error, blame, cause);
    else if (this.#waited) this.target.health.failed(error, cause, blame && !isBlameless(error));
  }

  onInterim(head: ResponseHead): void {
    if (!this.#ended) this.#request.onInterim(head);
  }

  onHead(head: ResponseHead): void {
    if (!this.#ended) this.#request.onHead(head);
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
    if (!this.#ended) this.#request.onFailure(error, untouched, reused, cause);
  }

  onUnprocessed(error: ErrorSlug, cause: string, body: readonly Buffer[] | undefined): void {
    if (!this.#ended) this.#request.onUnprocessed(error, cause, body);
  }

  onMoved(): void {
    if (!this.#ended) this.#request.onMoved();
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
    if (!this.over) this.#request.onAttemptReady(target);
  }

  onAttemptAnswered(reply: Reply): void {
    if (!this.over) this.#request.onAttemptAnswered(reply);
  }

  onAttemptFailed(error: unknown): void {
    if (!this.over) this.#request.onAttemptFailed(error);
  }
}
