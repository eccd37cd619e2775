/**
 * What all requests to targets have in common: which target is next, whether another attempt follows a failure, and what counts
 * against a target. A base class, so that an exchange needs no further object.
 */
import type { HashKeyEntry } from '../../bundle/service/balance.js';
import type { After } from '../../state/timers.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { ErrorSlug } from '../errors/errors.js';
import { findField } from '../http/fields.js';
import type { ResponseHead } from '../http/response-head.js';
import type { BalancedRequest } from './balance/candidate.js';
import type { GuardRefusal } from './guard.js';
import { isBlameless, isIdempotent, type RetryCause, retryAfterMs } from './retry/rules.js';
import type { Service } from './service.js';
import type { Target } from './target.js';
import type { OwnConnection, ReplyChannel, SharedConnection, UpstreamUser } from './user.js';
import type { Waiting } from './waiting-room.js';

/** After this many moves a request gets its own connection. */
const MAX_MOVES = 2;

/** The part of the data plane that attempts use. */
export interface AttemptHost {
  readonly stats: StatsWriter;
  /** Monotonic milliseconds. Reads the clock. */
  monotonic(): number;
  /** The result of the last monotonic(). */
  cachedNow(): number;
  /** Milliseconds since 1970. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
  readonly after: After;
}

export abstract class RetryingUser implements UpstreamUser, BalancedRequest, Waiting {
  /** It has ended: its reply is complete, or it failed or was cancelled. */
  over = false;
  /** The head of the reply has arrived. */
  replied = false;
  /** A reused connection has closed under the request: retry once, on a new connection. Not a failure of the target. */
  fresh = false;
  /** Monotonic milliseconds at which the current attempt began. */
  since = 0;
  stickyValue: string | undefined = undefined;
  waitUntil = 0;
  protected readonly upstream: Service;
  protected readonly stats: StatsWriter;
  protected target: Target | undefined = undefined;
  /** The connection that delivers the reply; null while no reply is expected. */
  protected replies: ReplyChannel | null = null;
  protected attempts = 0;
  /** A target has answered 401, and a policy asked for a repeat. */
  protected unauthorized = false;
  protected status = 0;
  /** Bytes of bodies in the current attempt. */
  protected bytesFromTarget = 0;
  readonly #clock: AttemptHost;
  #moves = 0;
  /** An attempt is in progress. */
  #running = false;
  /** The target at which an attempt has failed, and those at which earlier ones have. */
  #failedAt: Target | undefined = undefined;
  #failedBefore: Target[] | undefined = undefined;
  /** Ends the wait before the next attempt. */
  #cancelWait: (() => void) | undefined = undefined;
  /** What the guard of the service gave it; below 0: nothing, or it has left. */
  #token = -1;

  constructor(host: AttemptHost, service: Service) {
    this.#clock = host;
    this.stats = host.stats;
    this.upstream = service;
  }

  abstract readonly method: string;
  abstract readonly clientKey: string;
  abstract readonly streams: boolean;
  abstract readonly replyTimeout: number | undefined;
  abstract onConnection(connection: OwnConnection): void;
  abstract onPlace(connection: SharedConnection): void;
  abstract onInterim(head: ResponseHead): void;
  abstract onHead(head: ResponseHead): void;
  abstract onTrailers(lines: string): void;
  abstract onBody(buffer: Buffer, start: number, end: number, last: boolean): boolean;
  abstract onWritable(): void;

  abstract hashValue(key: HashKeyEntry): string | undefined;

  protected abstract readonly hasBody: boolean;
  /** Part of the request's body is gone, and cannot be sent again. */
  protected abstract readonly bodyGone: boolean;

  /** Begins an attempt, with no body sent so far. */
  abstract ask(): void;
  /** Begins an attempt that sends the body again from its start. */
  protected abstract askAgain(): void;
  /** Prepares the body to be sent again, `body` first, which was written; undefined: not all of that is known. False if it is gone. */
  protected abstract rewind(body: readonly Buffer[] | undefined): boolean;
  /** Releases what belongs to the current connection. */
  protected abstract letGo(): void;
  /** Bytes of the request's body that were written in this attempt. Starts again from 0. */
  protected abstract takeWritten(): number;
  /** No attempt is left: the request has failed with this error. */
  protected abstract fail(error: ErrorSlug, cause: string): void;
  /** The rest of a reply will not come. */
  protected abstract cut(error: ErrorSlug, cause: string): void;
  /** An exception that no caller catches. */
  protected abstract broke(error: unknown): void;
  /** Monotonic milliseconds at which the request times out; 0: never. */
  protected abstract readonly endsAt: number;

  get service(): string {
    return this.upstream.entry.name;
  }

  /** Whether what was sent may be sent again, if nothing of a reply came. */
  protected get mayRepeat(): boolean {
    return isIdempotent(this.method);
  }

  /** Whether the service repeats requests like this one, if a target may have got it. */
  protected get mayRetry(): boolean {
    return this.upstream.retry.repeats(this.method);
  }

  get shares(): boolean {
    if (this.hasBody || this.attempts > 1 || this.fresh) return false;
    return this.#moves < MAX_MOVES && this.mayRepeat;
  }

  /** Whether the request may go to the service: asked once, before anything is done for it. Otherwise it is refused. */
  protected enter(): boolean {
    const { guard } = this.upstream;
    if (guard === undefined) return true;
    const token = guard.enter();
    if (token < 0) this.refused(guard.refusal(token));
    else this.#token = token;
    return token >= 0;
  }

  /** The guard of the service lets it not pass. */
  protected abstract refused(refusal: GuardRefusal): void;

  /**
   * The service has answered with this status, which is passed on. Other requests may wait for the result of a probe; those that
   * are none have succeeded when their reply is complete.
   */
  protected answeredWith(status: number): void {
    if (status >= 500 || this.#token > 0) this.#judge(status >= 500, `status ${status}`);
  }

  /** The reply is complete. */
  protected completed(): void {
    this.target!.health.completed(this.status);
    if (this.status < 500 && this.#token === 0) this.#judge(false, '');
  }

  #judge(failed: boolean, cause: string): void {
    if (this.#token >= 0) this.upstream.guard!.result(this.#token, failed, cause);
  }

  /** The request is over. Idempotent. */
  protected leave(): void {
    if (this.#token < 0) return;
    this.upstream.guard!.leave(this.#token);
    this.#token = -1;
  }

  /** No further attempt: the service has failed the request, unless gw is to blame. */
  #giveUp(error: ErrorSlug, cause: string): void {
    this.#noteFailure(error, cause);
    this.fail(error, cause);
  }

  #noteFailure(error: ErrorSlug, cause: string): void {
    if (!isBlameless(error) && this.status < 500) this.#judge(true, cause);
  }

  /** Selects the target of the next attempt, which begins at `now`. Without one, the request waits for it, or fails. */
  protected next(now: number): Target | undefined {
    this.since = now;
    const target = this.upstream.pick(this);
    if (target === undefined) {
      this.#await();
      return undefined;
    }
    if (this.attempts === 0) this.upstream.state.budget.requests++;
    this.attempts++;
    this.target = target;
    target.load.inFlight++;
    this.#running = true;
    this.stats.begin(target.slot);
    return target;
  }

  /** The service has no target: ask() is called again when it has one. */
  #await(): void {
    const refusal = this.upstream.enterRoom(this);
    if (refusal === undefined) this.#cancelWait = () => this.upstream.leaveRoom(this);
    else this.gaveUp(refusal);
  }

  arrived(): void {
    this.#cancelWait = undefined;
    try {
      if (!this.over) this.ask();
    } catch (error) {
      this.broke(error);
    }
  }

  gaveUp(refusal: GuardRefusal): void {
    this.#cancelWait = undefined;
    if (this.over) return;
    this.leave();
    this.refused(refusal);
  }

  tried(target: object): boolean {
    return target === this.#failedAt || this.#failedBefore?.includes(target as Target) === true;
  }

  /** The attempt has failed; a further one goes to another target. `blame`: it was the target's fault. */
  #failed(error: ErrorSlug, cause: string, blame: boolean): void {
    const target = this.target!;
    // Streams may have no other end than a cut, so the head of the next one counts as a good reply.
    target.health.failed(error, cause, blame, this.replied && this.replyTimeout === undefined);
    const now = this.#clock.cachedNow();
    if (blame) target.load.failed(now - this.since, now);
    this.#avoid(target);
  }

  /** A further attempt goes to another target. */
  #avoid(target: Target): void {
    if (this.#failedAt !== undefined) {
      if (this.#failedBefore === undefined) this.#failedBefore = [this.#failedAt];
      else this.#failedBefore.push(this.#failedAt);
    }
    this.#failedAt = target;
  }

  /** Counts the attempt that has ended. */
  protected endAttempt(status: number, failed: boolean, now = this.#clock.monotonic()): void {
    // Between two attempts none is in progress.
    if (!this.#running) return;
    this.target!.load.inFlight--;
    this.#running = false;
    this.stats.end(this.target!.slot, status, this.takeWritten(), this.bytesFromTarget, now - this.since, failed);
    this.bytesFromTarget = 0;
  }

  /** The head of a reply has come; its read has read the clock. */
  protected answered(status: number): void {
    const { health, load } = this.target!;
    const now = this.#clock.cachedNow();
    health.replied(status, now - this.since);
    if (this.upstream.usesLatency) load.observe(now - this.since, now);
  }

  /** Sends the request once more after a 401. */
  protected repeat(status: number): void {
    this.unauthorized = true;
    this.answered(status);
    const { replies } = this;
    this.letGo();
    this.endAttempt(status, false);
    replies?.abandon(this);
    this.askAgain();
  }

  /** If the head of a reply is one for which the service repeats requests: begins the next attempt, and returns true. */
  protected repeatsReply(head: ResponseHead): boolean {
    const { retry } = this.upstream;
    if (!retry.readsReplies) return false;
    const grpcStatus = (retry.readsGrpc ? fieldOf(head, 'grpc-status') : undefined) ?? '';
    if (!retry.isRetryable(head.status, grpcStatus) || this.bodyGone || !this.mayRetry) return false;
    const least = retry.retryAfter(retryAfterMs(fieldOf(head, 'retry-after'), this.#clock.now()));
    const wait = least === undefined ? -1 : this.#mayAgain('status', least);
    if (wait < 0) return false;
    const { status } = head;
    const { replies } = this;
    this.answered(status);
    this.#avoid(this.target!);
    this.letGo();
    this.endAttempt(status, false);
    replies?.abandon(this);
    this.#again(wait, grpcStatus === '' ? `status ${status}` : `status ${status}, grpc-status ${grpcStatus}`);
    return true;
  }

  /** Milliseconds to wait before another attempt, at least `least`; -1 if the service allows none, or its budget is used up. */
  #mayAgain(cause: RetryCause, least: number): number {
    const { retry, state, targets } = this.upstream;
    const { attempts } = this;
    if (!retry.allows(cause, attempts)) return -1;
    // Another target is not affected by what a connection failed for.
    const atOnce = cause === 'connect' && attempts < targets.length;
    const wait = Math.max(least, atOnce ? 0 : retry.delay(attempts, this.#clock.random()));
    if (this.endsAt !== 0 && this.#clock.monotonic() + wait >= this.endsAt) return -1;
    if (state.budget.take()) return wait;
    this.stats.add(this.target!.slot, Counter.RetriesDenied, 1);
    return -1;
  }

  /** Begins another attempt after `wait` milliseconds. `why`: how the last one ended. */
  #again(wait: number, why: string): void {
    this.retrying(why, wait);
    if (wait < 1) {
      this.#repeat();
      return;
    }
    this.#cancelWait = this.#clock.after(wait, () => {
      this.#cancelWait = undefined;
      try {
        if (!this.over) this.#repeat();
      } catch (error) {
        this.broke(error);
      }
    });
  }

  #repeat(): void {
    this.stats.add(this.target!.slot, Counter.Repeated, 1);
    this.askAgain();
  }

  /** Another attempt follows after `waitMs` milliseconds; `why`: how the last one ended, for people. */
  protected retrying(_why: string, _waitMs: number): void {}

  /** The request has ended: no other attempt follows. */
  protected stopWaiting(): void {
    this.#cancelWait?.();
    this.#cancelWait = undefined;
  }

  onUnavailable(error: ErrorSlug, blame: boolean, cause: string): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, true);
    this.#failed(error, cause, blame && !isBlameless(error));
    const pointless = isBlameless(error) && this.upstream.targets.length <= 1;
    const wait = pointless ? -1 : this.#mayAgain('connect', 0);
    if (wait >= 0) this.#again(wait, cause);
    else this.#giveUp(error, cause);
  }

  onMoved(): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, false);
    this.#moves++;
    this.attempts--;
    this.ask();
  }

  onUnprocessed(error: ErrorSlug, cause: string, body: readonly Buffer[] | undefined): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, true);
    const free = this.#moves++ < MAX_MOVES;
    if (free) {
      this.target!.health.failed(error, cause, false);
      this.attempts--;
    } else this.#failed(error, cause, !isBlameless(error));
    const wait = free ? 0 : this.#mayAgain('connect', 0);
    if (wait < 0 || !this.rewind(body)) this.#giveUp(error, cause);
    else if (free) this.askAgain();
    else this.#again(wait, cause);
  }

  onFailure(error: ErrorSlug, untouched: boolean, reused: boolean, cause: string): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, true);
    if (this.replied) {
      this.#failed(error, cause, !isBlameless(error));
      this.#noteFailure(error, cause);
      this.cut(error, cause);
      return;
    }
    const whole = !this.bodyGone;
    if (untouched && whole && this.mayRepeat && reused && !this.fresh) {
      this.fresh = true;
      this.attempts--;
      this.askAgain();
      return;
    }
    this.#failed(error, cause, !((untouched && reused) || isBlameless(error)));
    const kind = untouched ? 'reset' : error === 'upstream/timeout' ? 'timeout' : undefined;
    const wait = kind !== undefined && whole && this.mayRetry ? this.#mayAgain(kind, 0) : -1;
    if (wait >= 0) this.#again(wait, cause);
    else this.#giveUp(error, cause);
  }
}

const fieldOf = (head: ResponseHead, name: string): string | undefined =>
  findField(head.text, head.fieldsAt, head.fieldsEnd, name);
