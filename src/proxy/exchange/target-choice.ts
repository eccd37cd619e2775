/** A request as the balancing sees it, for what is no upstream user itself: tunnels, and offline runs. */
import type { HashKeyEntry } from '../../bundle/service/balance.js';
import type { Decision, Reply } from '../../policies/contract.js';
import { Counter } from '../../telemetry/stats/layout.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import { bounded } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { BalancedRequest } from '../upstream/balance/candidate.js';
import { hashValueOf } from '../upstream/balance/hash-value.js';
import { isBlameless, isUnsent } from '../upstream/retry/rules.js';
import type { Service } from '../upstream/service.js';
import type { Target } from '../upstream/target.js';
import type { Waiting } from '../upstream/waiting-room.js';
import { noteAttempt, refusalOf } from './attempt-notes.js';
import type { GwExchange } from './exchange.js';
import { stickyCookieOf, takeStickyCookie } from './sticky-cookie.js';

/** How the target of an attempt was chosen. */
export const choiceDecision = (service: Service, target: Target, attempt: number): Decision => ({
  step: 'balance',
  use: 'balance',
  outcome: 'pass',
  why: attempt === 1 ? service.why : `attempt ${attempt}: ${service.why}`,
  details: { service: target.service, target: target.url },
});

interface ChoiceHost {
  readonly stats: StatsWriter;
  /** Monotonic milliseconds. */
  monotonic(): number;
}

/** What waits for a target. */
export interface ChoosingOwner {
  readonly over: boolean;
  begin(): void;
  say(reply: Reply, error: string, cause: string | null): void;
}

export class TargetChoice implements BalancedRequest {
  /** Monotonic milliseconds. */
  since = 0;
  readonly stickyValue: string | undefined;
  readonly #exchange: GwExchange;
  readonly #service: Service;
  #attempts = 0;
  #waitUntil = 0;
  #waiting: Waiting | undefined = undefined;
  /** Targets at which attempts have failed. */
  readonly #failedAt: object[] = [];

  constructor(exchange: GwExchange, service: Service) {
    this.#exchange = exchange;
    this.#service = service;
    this.stickyValue = takeStickyCookie(exchange, service);
  }

  /** The value of Set-Cookie for a reply of this target; undefined for none. */
  cookieOf(target: Target | undefined): string | undefined {
    return stickyCookieOf(this.#exchange, this.#service, target, this.stickyValue);
  }

  tried(target: object): boolean {
    return this.#failedAt.includes(target);
  }

  /** The target of an attempt that begins at `now`; undefined if the service has none. */
  pick(now: number): Target | undefined {
    this.since = now;
    const target = this.#service.pick(this);
    if (target === undefined) return undefined;
    this.#attempts++;
    this.#exchange.decisions?.push(choiceDecision(this.#service, target, this.#attempts));
    return target;
  }

  /** There is no target: the owner begins again when there is one, unless stopWaiting() is called before. */
  wait(owner: ChoosingOwner): void {
    const waiting: Waiting = {
      waitUntil: this.#waitUntil,
      arrived: () => {
        try {
          if (!owner.over) owner.begin();
        } catch (error) {
          this.#exchange.downstream!.broke(error);
        }
      },
      gaveUp: (refusal) => {
        if (!owner.over) owner.say(refusalOf(this.#exchange, refusal), refusal.error, refusal.cause);
      },
    };
    this.#waiting = waiting;
    const refusal = this.#service.enterRoom(waiting);
    this.#waitUntil = waiting.waitUntil;
    if (refusal !== undefined) waiting.gaveUp(refusal);
  }

  stopWaiting(): void {
    if (this.#waiting !== undefined) this.#service.leaveRoom(this.#waiting);
  }

  /** An attempt has failed at this target. `begun`: the head of its reply had come. */
  failed(target: Target, error: ErrorSlug, cause: string, begun: boolean): void {
    target.health.failed(error, cause, !isBlameless(error), begun);
    this.#failedAt.push(target);
  }

  /** Whether another attempt follows one that had no connection: nothing was sent. Notes it. */
  repeats(target: Target | undefined, error: ErrorSlug, cause: string, host: ChoiceHost): boolean {
    const { stats } = host;
    const { retry, state } = this.#service;
    if (target === undefined || !isUnsent(error) || !retry.allows('connect', this.#attempts)) return false;
    if (!state.budget.take()) {
      stats.add(target.slot, Counter.RetriesDenied, 1);
      return false;
    }
    stats.add(target.slot, Counter.Repeated, 1);
    const durationMs = host.monotonic() - this.since;
    noteAttempt(this.#exchange, { target: target.url, why: bounded(cause), durationMs }, this.#attempts, 0);
    return true;
  }

  hashValue(key: HashKeyEntry): string | undefined {
    return hashValueOf(this.#exchange, key);
  }
}
