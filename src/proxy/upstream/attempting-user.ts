/**
 * The attempts of a request to a service: which target is asked, and what counts for it. A base class, so that an exchange needs no
 * further object.
 */
import type { HashKeyEntry } from '../../bundle/service/balance.js';
import type { After } from '../../state/timers.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { ResponseHead } from '../http/response-head.js';
import type { BalancedRequest } from './balance/candidate.js';
import type { GuardRefusal } from './guard.js';
import { GuardedUser } from './guarded-user.js';
import { isIdempotent } from './retry/rules.js';
import type { Service } from './service.js';
import type { AttemptUser, ShownAttempt } from './shown-attempt.js';
import type { Target } from './target.js';
import { TimedAttempt } from './timed-attempt.js';
import type { OwnConnection, ReplyChannel, SharedConnection, UpstreamUser } from './user.js';
import type { Waiting } from './waiting-room.js';

/** After this many moves a request gets its own connection. */
export const MAX_MOVES = 2;

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

export abstract class AttemptingUser extends GuardedUser implements UpstreamUser, BalancedRequest, Waiting {
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
  protected readonly stats: StatsWriter;
  protected readonly clock: AttemptHost;
  protected target: Target | undefined = undefined;
  /** The connection that delivers the reply; null while no reply is expected. */
  protected replies: ReplyChannel | null = null;
  protected attempts = 0;
  protected moves = 0;
  /** A target has answered 401, and a policy asked for a repeat. */
  protected unauthorized = false;
  /** Bytes of bodies in the current attempt. */
  protected bytesFromTarget = 0;
  /** The current attempt, if it may end on its own; undefined: it ends with the request or its connection. */
  #timed: TimedAttempt | undefined = undefined;
  /** Attempts in progress beside the current one: the first that is answered becomes the current one, and the others end. */
  #others: TimedAttempt[] | undefined = undefined;
  /** Attempts that were begun beside others. */
  protected hedges = 0;
  /** The target of an attempt that begins beside another one; undefined: it is not chosen yet. */
  #chosen: Target | undefined = undefined;
  /** An attempt is in progress. */
  #running = false;
  /** The target at which an attempt has failed, and those at which earlier ones have. */
  #failedAt: Target | undefined = undefined;
  #failedBefore: Target[] | undefined = undefined;

  constructor(host: AttemptHost, service: Service) {
    super(service);
    this.clock = host;
    this.stats = host.stats;
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
  abstract onUnavailable(error: ErrorSlug, blame: boolean, cause: string): void;
  abstract onFailure(error: ErrorSlug, untouched: boolean, reused: boolean, cause: string): void;
  abstract onUnprocessed(error: ErrorSlug, cause: string, body: readonly Buffer[] | undefined): void;
  abstract onMoved(): void;
  abstract onAttemptReady(target: Target): void;
  abstract onAttemptAnswered(reply: Parameters<AttemptUser['onAttemptAnswered']>[0]): void;
  abstract onAttemptFailed(error: unknown): void;

  abstract arrived(): void;
  abstract gaveUp(refusal: GuardRefusal): void;
  /** The service has no target. */
  protected abstract awaitTarget(): void;

  abstract hashValue(key: HashKeyEntry): string | undefined;

  protected abstract readonly hasBody: boolean;
  /** Bytes of the request's body that were written in this attempt. Starts again from 0. */
  protected abstract takeWritten(): number;
  /** Begins an attempt that sends the body again from its start. */
  protected abstract askAgain(): void;
  /** No attempt is left: the request has failed with this error. */
  protected abstract fail(error: ErrorSlug, cause: string): void;
  /** An exception that no caller catches. */
  abstract broke(error: unknown): void;

  /** Whether what was sent may be sent again, if nothing of a reply came. */
  protected get mayRepeat(): boolean {
    return isIdempotent(this.method);
  }

  get shares(): boolean {
    if (this.hasBody || this.attempts > 1 || this.fresh) return false;
    return this.moves < MAX_MOVES && this.mayRepeat;
  }

  /** Selects the target of the next attempt, which begins at `now`. Without one, the request waits for it, or fails. */
  protected next(now: number): Target | undefined {
    this.since = now;
    const chosen = this.#chosen;
    this.#chosen = undefined;
    const target = chosen ?? this.upstream.pick(this);
    if (target === undefined) {
      this.awaitTarget();
      return undefined;
    }
    if (this.attempts === 0) this.upstream.state.budget.requests++;
    this.attempts++;
    this.target = target;
    target.begin();
    this.#running = true;
    this.stats.begin(target.slot);
    if (this.upstream.retry.times) this.#time(target, chosen !== undefined);
    return target;
  }

  /** `beside`: another attempt is in progress. */
  #time(target: Target, beside: boolean): void {
    const { retry, state } = this.upstream;
    const { attemptTimeout: timeout, hedge } = retry;
    const hedged = hedge !== undefined && this.hedges < hedge.attempts && this.mayHedge;
    const slowAfter = hedged ? state.hedgeAfter(hedge) : -1;
    if (timeout === 0 && slowAfter < 0 && !beside && !this.hasOthers) return;
    const { hedges, timeouts } = state;
    this.#timed = new TimedAttempt(this, target, this.clock, { timeout, slowAfter, timeouts, hedges });
    this.#timed.hedge = beside;
  }

  /** Whether another attempt may begin beside one that takes long: nothing of the request does harm if it is done twice. */
  protected get mayHedge(): boolean {
    return false;
  }

  /** The body, if there is one, is written, and can be written again. */
  protected get isSent(): boolean {
    return false;
  }

  /** The current attempt goes on, and another one begins beside it after `ms` milliseconds. */
  protected hedging(_ms: number): void {}

  /** The current attempt goes on beside another one: what it holds of its target is released. */
  protected aside(): void {}

  /** An attempt has become the current one, in place of another one. */
  protected turned(_target: Target): void {}

  /** What policies see of the current attempt is `next`. Returns what they saw before. */
  protected show(next: ShownAttempt | undefined): ShownAttempt | undefined {
    return next;
  }

  /** An attempt beside the current one has ended: it was not the first. */
  protected lost(_attempt: TimedAttempt, _durationMs: number): void {}

  isCurrent(attempt: TimedAttempt): boolean {
    return attempt === this.#timed;
  }

  onSlow(attempt: TimedAttempt, ms: number): boolean {
    if (this.over || this.replied || attempt !== this.#timed) return true;
    if (!this.isSent) return !this.mayHedge;
    this.#hedge(attempt, ms);
    return true;
  }

  #hedge(attempt: TimedAttempt, ms: number): void {
    this.avoid(attempt.target);
    const other = this.upstream.pick(this);
    if (other === undefined || this.tried(other) || !other.health.available || this.#isAsked(other)) return;
    if (!this.upstream.state.budget.take()) {
      this.stats.add(attempt.target.slot, Counter.RetriesDenied, 1);
      return;
    }
    this.stats.add(attempt.target.slot, Counter.Hedged, 1);
    this.hedging(ms);
    this.hedges++;
    this.#setAside(attempt);
    this.#others ??= [];
    this.#others.push(attempt);
    this.#timed = undefined;
    this.#running = false;
    this.#chosen = other;
    this.askAgain();
    this.#chosen = undefined;
  }

  #isAsked(target: Target): boolean {
    return this.#others?.some((other) => other.target === target) === true;
  }

  #setAside(attempt: TimedAttempt): void {
    this.aside();
    this.replies = null;
    attempt.shown = this.show(undefined);
  }

  turnTo(attempt: TimedAttempt): void {
    const current = this.#timed;
    if (attempt === current) return;
    const others = this.#others ?? [];
    const at = others.indexOf(attempt);
    if (current === undefined) others.splice(at, 1);
    else {
      this.#setAside(current);
      others[at] = current;
    }
    this.#timed = attempt;
    this.#running = true;
    this.target = attempt.target;
    this.since = attempt.since;
    this.fresh = attempt.fresh;
    this.replies = attempt.connected ? attempt : null;
    this.show(attempt.shown);
    this.turned(attempt.target);
  }

  /** Another attempt is in progress. */
  protected get hasOthers(): boolean {
    return this.#others !== undefined && this.#others.length > 0;
  }

  /** The current attempt has ended. False if there is no other one, which the request waits for now. */
  protected goOn(): boolean {
    const other = this.#others?.at(-1);
    if (other === undefined) return false;
    this.turnTo(other);
    return true;
  }

  /** Only the current attempt goes on. The others are neither successes nor failures of their targets. */
  protected endOthers(): void {
    const others = this.#others;
    if (others === undefined) return;
    this.#others = undefined;
    const now = this.clock.monotonic();
    for (const attempt of others) {
      const { target, since } = attempt;
      target.end();
      this.stats.end(target.slot, 0, attempt.takeWritten(), 0, now - since, false);
      // A reply would have taken even longer. Without these, the estimate would be that of fast replies.
      if (this.upstream.retry.estimates) this.upstream.state.latency.add(now - since);
      this.lost(attempt, now - since);
      attempt.abandon();
    }
  }

  protected override leave(): void {
    this.endOthers();
    super.leave();
  }

  /** What policies show the current attempt to. */
  protected get attemptUser(): AttemptUser {
    return this.#timed ?? this;
  }

  /** Gets a connection for the current attempt. */
  protected connect(target: Target): void {
    target.acquire(this.#timed ?? this);
  }

  tried(target: object): boolean {
    return target === this.#failedAt || this.#failedBefore?.includes(target as Target) === true;
  }

  /** The attempt has failed; a further one goes to another target. `blame`: it was the target's fault. */
  protected failed(error: ErrorSlug, cause: string, blame: boolean): void {
    const target = this.target!;
    // Streams may have no other end than a cut, so the head of the next one counts as a good reply.
    target.health.failed(error, cause, blame, this.replied && this.replyTimeout === undefined);
    const now = this.clock.cachedNow();
    if (blame) target.load.failed(now - this.since, now);
    this.avoid(target);
  }

  /** A further attempt goes to another target. */
  protected avoid(target: Target): void {
    if (this.tried(target)) return;
    const before = this.#failedAt === undefined ? 0 : 1 + (this.#failedBefore?.length ?? 0);
    // All others were tried: they come again before this one.
    if (before + 1 >= this.upstream.targets.length) this.#failedBefore = undefined;
    else if (this.#failedAt !== undefined) {
      if (this.#failedBefore === undefined) this.#failedBefore = [this.#failedAt];
      else this.#failedBefore.push(this.#failedAt);
    }
    this.#failedAt = target;
  }

  /** Counts the attempt that has ended. */
  protected endAttempt(status: number, failed: boolean, now = this.clock.monotonic()): void {
    // Between two attempts none is in progress.
    if (!this.#running) return;
    this.target!.end();
    this.#running = false;
    const timed = this.#timed;
    const all = this.takeWritten();
    const written = timed === undefined ? all : timed.takeWritten();
    timed?.end();
    this.#timed = undefined;
    this.stats.end(this.target!.slot, status, written, this.bytesFromTarget, now - this.since, failed);
    this.bytesFromTarget = 0;
  }

  protected override completed(): void {
    const { counted } = this;
    this.target!.health.completed(counted || this.counts(this.status), counted === 0);
    super.completed();
  }

  protected override answeredWith(status: number): void {
    super.answeredWith(status);
    const timed = this.#timed;
    if (timed === undefined) return;
    timed.answered();
    if (timed.hedge && this.hasOthers) this.stats.add(timed.target.slot, Counter.HedgesWon, 1);
    this.endOthers();
  }

  /** The head of a reply has come; its read has read the clock. */
  protected answered(status: number): void {
    const { health, load } = this.target!;
    const now = this.clock.cachedNow();
    health.replied(status, now - this.since);
    if (this.upstream.retry.estimates) this.upstream.state.latency.add(now - this.since);
    if (this.upstream.usesLatency) load.observe(now - this.since, now);
  }
}
