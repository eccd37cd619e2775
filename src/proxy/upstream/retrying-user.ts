/**
 * What all requests to targets have in common: which target is next, whether another attempt follows a failure, and what counts
 * against a target. A base class, so that an exchange needs no further object.
 */
import type { HashKeyEntry } from '../../bundle/service/balance.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { ResponseHead } from '../http/response-head.js';
import type { BalancedRequest } from './balance/candidate.js';
import { attemptsLeft, isBlameless, isIdempotent, mayTryElsewhere } from './retry.js';
import type { Service } from './service.js';
import type { Target } from './target.js';
import type { OwnConnection, ReplyChannel, SharedConnection, UpstreamUser } from './user.js';

/** After this many moves a request gets its own connection. */
const MAX_MOVES = 2;

/** The part of the data plane that attempts use. */
export interface AttemptHost {
  readonly stats: StatsWriter;
  /** Monotonic milliseconds. Reads the clock. */
  monotonic(): number;
  /** The result of the last monotonic(). */
  cachedNow(): number;
}

export abstract class RetryingUser implements UpstreamUser, BalancedRequest {
  /** It has ended: its reply is complete, or it failed or was cancelled. */
  over = false;
  /** The head of the reply has arrived. */
  replied = false;
  /** A reused connection has closed under the request: retry once, on a new connection. Not a failure of the target. */
  fresh = false;
  /** Monotonic milliseconds at which the current attempt began. */
  since = 0;
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

  constructor(host: AttemptHost, service: Service) {
    this.#clock = host;
    this.stats = host.stats;
    this.upstream = service;
  }

  abstract readonly method: string;
  abstract readonly clientKey: string;
  abstract readonly streams: boolean;
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
  /** Releases what belongs to the current connection. */
  protected abstract letGo(): void;
  /** Bytes of the request's body that were written in this attempt. Starts again from 0. */
  protected abstract takeWritten(): number;
  /** No attempt is left: the request has failed with this error. */
  protected abstract fail(error: ErrorSlug, cause: string): void;
  /** The rest of a reply will not come. */
  protected abstract cut(error: ErrorSlug, cause: string): void;

  get service(): string {
    return this.upstream.entry.name;
  }

  /** Whether what was sent may be sent again, if nothing of a reply came. */
  protected get mayRepeat(): boolean {
    return isIdempotent(this.method);
  }

  get shares(): boolean {
    if (this.hasBody || this.attempts > 1 || this.fresh) return false;
    return this.#moves < MAX_MOVES && this.mayRepeat;
  }

  /** Selects the target of the next attempt, which begins at `now`. Fails the request if the service has none. */
  protected next(now: number): Target | undefined {
    this.since = now;
    const target = this.upstream.pick(this);
    if (target === undefined) {
      this.fail('upstream/none', this.upstream.noTargetCause);
      return undefined;
    }
    this.attempts++;
    this.target = target;
    target.load.inFlight++;
    this.#running = true;
    this.stats.begin(target.slot);
    return target;
  }

  tried(target: object): boolean {
    return target === this.#failedAt || this.#failedBefore?.includes(target as Target) === true;
  }

  /** The attempt has failed; a further one goes to another target. `blame`: it was the target's fault. */
  #failed(error: ErrorSlug, cause: string, blame: boolean): void {
    const target = this.target!;
    target.health.failed(error, cause, blame);
    const now = this.#clock.cachedNow();
    if (blame) target.load.failed(now - this.since, now);
    if (this.#failedAt !== undefined) {
      if (this.#failedBefore === undefined) this.#failedBefore = [this.#failedAt];
      else this.#failedBefore.push(this.#failedAt);
    }
    this.#failedAt = target;
  }

  /** Counts the attempt that has ended. */
  protected endAttempt(status: number, failed: boolean, now = this.#clock.monotonic()): void {
    if (this.#running) this.target!.load.inFlight--;
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

  onUnavailable(error: ErrorSlug, blame: boolean, cause: string): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, true);
    this.#failed(error, cause, blame && !isBlameless(error));
    if (mayTryElsewhere(error, this.upstream, this.attempts)) this.ask();
    else this.fail(error, cause);
  }

  onMoved(): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, false);
    this.#moves++;
    this.attempts--;
    this.ask();
  }

  onFailure(error: ErrorSlug, untouched: boolean, reused: boolean, cause: string): void {
    this.letGo();
    if (this.over) return;
    this.endAttempt(0, true);
    if (this.replied) {
      this.#failed(error, cause, !isBlameless(error));
      this.cut(error, cause);
      return;
    }
    const repeatable = untouched && !this.bodyGone && this.mayRepeat;
    if (repeatable && reused && !this.fresh) {
      this.fresh = true;
      this.attempts--;
      this.askAgain();
      return;
    }
    this.#failed(error, cause, !((untouched && reused) || isBlameless(error)));
    if (repeatable && attemptsLeft(this.upstream, this.attempts)) this.askAgain();
    else this.fail(error, cause);
  }
}
