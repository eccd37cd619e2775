/** Whether another attempt follows one that has failed, and when. */
import { Counter } from '../../telemetry/stats/layout.js';
import type { ErrorSlug } from '../errors/errors.js';
import { findField } from '../http/fields.js';
import type { ResponseHead } from '../http/response-head.js';
import { AttemptingUser, MAX_MOVES } from './attempting-user.js';
import type { GuardRefusal } from './guard.js';
import { isBlameless, pushbackMs, type RetryCause, retryAfterMs } from './retry/rules.js';

export type { AttemptHost } from './attempting-user.js';

export abstract class RetryingUser extends AttemptingUser {
  /** Ends the wait before the next attempt. */
  #cancelWait: (() => void) | undefined = undefined;

  /** Part of the request's body is gone, and cannot be sent again. */
  protected abstract readonly bodyGone: boolean;

  /** Begins an attempt, with no body sent so far. */
  abstract ask(): void;
  /** Prepares the body to be sent again, `body` first, which was written; undefined: not all of that is known. False if it is gone. */
  protected abstract rewind(body: readonly Buffer[] | undefined): boolean;
  /** Releases what belongs to the current connection. */
  protected abstract letGo(): void;
  /** The rest of a reply will not come. */
  protected abstract cut(error: ErrorSlug, cause: string): void;
  /** Monotonic milliseconds at which the request times out; 0: never. */
  protected abstract readonly endsAt: number;

  /** Whether the service repeats requests like this one, if a target may have got it. */
  protected get mayRetry(): boolean {
    return this.upstream.retry.repeats(this.method);
  }

  /** No further attempt: the service has failed the request, unless gw is to blame. */
  #giveUp(error: ErrorSlug, cause: string): void {
    this.noteFailure(error, cause);
    this.fail(error, cause);
  }

  /** Sends the request once more after a 401. */
  protected repeat(status: number): void {
    this.unauthorized = true;
    this.endOthers();
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
    const { status } = head;
    const why = grpcStatus === '' ? `status ${status}` : `status ${status}, grpc-status ${grpcStatus}`;
    if (this.hasOthers) {
      this.#drop(status);
      return this.#goneOn(why);
    }
    const asked = grpcStatus === '' ? undefined : pushbackMs(fieldOf(head, 'grpc-retry-pushback-ms'));
    const least = retry.retryAfter(asked ?? retryAfterMs(fieldOf(head, 'retry-after'), this.clock.now()));
    const wait = least === undefined ? -1 : this.#mayAgain('status', least);
    if (wait < 0) return false;
    this.#drop(status);
    this.#again(wait, why);
    return true;
  }

  /** The reply is not passed on. */
  #drop(status: number): void {
    const { replies } = this;
    this.answered(this.counts(status));
    this.avoid(this.target!);
    this.letGo();
    this.endAttempt(status, false);
    replies?.abandon(this);
  }

  /** The attempt has failed, and one beside it goes on. */
  #goneOn(cause: string): boolean {
    if (!this.hasOthers) return false;
    this.retrying(cause, 0);
    return this.goOn();
  }

  /** Milliseconds to wait before another attempt, at least `least`; -1 if the service allows none, or its budget is used up. */
  #mayAgain(cause: RetryCause, least: number): number {
    const { retry, state, targets } = this.upstream;
    // Attempts beside others are bounded on their own.
    const attempts = this.attempts - this.hedges;
    if (!retry.allows(cause, attempts)) return -1;
    // Another target is not affected by what a connection failed for.
    const atOnce = cause === 'connect' && attempts < targets.length;
    const wait = Math.max(least, atOnce ? 0 : retry.delay(attempts, this.clock.random()));
    if (this.endsAt !== 0 && this.clock.monotonic() + wait >= this.endsAt) return -1;
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
    this.#cancelWait = this.clock.after(wait, () => {
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

  /** ask() is called again when the service has a target. */
  protected awaitTarget(): void {
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
    this.failed(error, cause, blame && !isBlameless(error));
    if (this.#goneOn(cause)) return;
    const pointless = isBlameless(error) && this.upstream.targets.length <= 1;
    const wait = pointless ? -1 : this.#mayAgain('connect', 0);
    if (wait >= 0) this.#again(wait, cause);
    else this.#giveUp(error, cause);
  }

  onMoved(): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, false);
    this.moves++;
    this.attempts--;
    this.ask();
  }

  onUnprocessed(error: ErrorSlug, cause: string, body: readonly Buffer[] | undefined): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, true);
    const free = this.moves++ < MAX_MOVES;
    if (free) {
      this.target!.health.failed(error, cause, false);
      this.attempts--;
    } else this.failed(error, cause, !isBlameless(error));
    if (!free && this.#goneOn(cause)) return;
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
      this.failed(error, cause, !isBlameless(error));
      this.noteFailure(error, cause);
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
    this.failed(error, cause, !((untouched && reused) || isBlameless(error)));
    if (this.#goneOn(cause)) return;
    const kind = untouched ? 'reset' : error === 'upstream/timeout' ? 'timeout' : undefined;
    const wait = kind !== undefined && whole && this.mayRetry ? this.#mayAgain(kind, 0) : -1;
    if (wait >= 0) this.#again(wait, cause);
    else this.#giveUp(error, cause);
  }
}

const fieldOf = (head: ResponseHead, name: string): string | undefined =>
  findField(head.text, head.fieldsAt, head.fieldsEnd, name);
