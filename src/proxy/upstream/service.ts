/** A service of one generation: chooses the target of the next attempt. */
import { resolvedText } from '../../bundle/references.js';
import type { ServiceEntry } from '../../bundle/types.js';
import { type BalancedRequest, fits } from './balance/candidate.js';
import { Selection } from './balance/selection.js';
import type { Sticky } from './balance/sticky.js';
import type { GuardRefusal, ServiceGuard } from './guard.js';
import { RetryRules } from './retry/rules.js';
import type { ServiceState } from './service-state.js';
import type { Target } from './target.js';
import type { Waiting } from './waiting-room.js';

export class Service {
  readonly entry: ServiceEntry;
  /** As the data plane knows them now; another list after each change. */
  targets: readonly Target[] = [];
  /** The same in all generations. */
  readonly state: ServiceState;
  readonly retry: RetryRules;
  /** Undefined: requests pass without being counted. */
  readonly guard: ServiceGuard | undefined;
  /** Why there are none, if that is known. */
  #cause: string | undefined;
  /** Called when its generation has ended. */
  readonly release: () => void;

  /** Its balancing depends on the latency of its targets. */
  readonly usesLatency: boolean;
  /** Undefined: clients do not keep their targets. */
  readonly sticky: Sticky<Target> | undefined;
  /** The last target was chosen by the cookie. */
  #stuck = false;
  readonly #random: () => number;
  #selection: Selection<Target>;

  constructor(
    entry: ServiceEntry,
    state: ServiceState,
    random: () => number = Math.random,
    release: () => void = () => {},
    sticky?: Sticky<Target>,
  ) {
    this.entry = entry;
    this.state = state;
    this.retry = new RetryRules(entry);
    this.guard = state.guard(entry);
    this.release = release;
    this.usesLatency = entry.balance?.kind === 'ewma';
    this.sticky = sticky;
    this.#random = random;
    this.#selection = this.#select();
  }

  #select(): Selection<Target> {
    const { balance, slowStart = 0, zone = '' } = this.entry;
    return new Selection(this.targets, { balance, slowStart, zone: resolvedText(zone) }, this.#random);
  }

  /** Its endpoints have changed. `cause`: why there are none. */
  use(targets: readonly Target[], cause: string | undefined): void {
    this.targets = targets;
    this.sticky?.use(targets);
    this.#selection = this.#select();
    this.#cause = cause;
  }

  /** Why pick() returns undefined. */
  get noTargetCause(): string {
    if (this.#cause !== undefined) return this.#cause;
    return this.entry.run === undefined ? 'the service has no target' : 'the managed target is not ready';
  }

  /** Requests wait while it has no target. */
  get waits(): boolean {
    return this.entry.waitForTargets !== undefined;
  }

  /** The request waits for a target, or the result says why it cannot. */
  enterRoom(waiting: Waiting): GuardRefusal | undefined {
    return this.state.room.enter(waiting, this.entry, this.noTargetCause);
  }

  leaveRoom(waiting: Waiting): void {
    this.state.room.leave(waiting);
  }

  /** The target of a request's next attempt; undefined without targets. */
  pick(request: BalancedRequest): Target | undefined {
    const { targets } = this;
    if (this.sticky !== undefined) {
      const kept = this.#kept(request, this.sticky);
      this.#stuck = kept !== undefined;
      if (kept !== undefined) return kept;
    }
    return targets.length <= 1 ? targets[0] : this.#selection.pick(request);
  }

  /** How the last target was chosen, for people. */
  get why(): string {
    return this.#stuck ? `sticky cookie, targets: ${this.targets.length}` : this.#selection.why;
  }

  /** The target that the client has had, also one with weight 0. */
  #kept(request: BalancedRequest, sticky: Sticky<Target>): Target | undefined {
    if (request.stickyValue === undefined) return undefined;
    const target = sticky.target(request.stickyValue);
    return target !== undefined && fits(target, request, true) ? target : undefined;
  }

  /** Whether some target has a connection for a request with an incomplete body. */
  get takesParts(): boolean {
    return this.targets.some((target) => target.pool.takesParts);
  }

  /** Whether some target has connections to spare. Requests that wait for a target tell control that one is needed. */
  get hasSpare(): boolean {
    if (this.targets.length === 0) return this.waits;
    return this.targets.some((target) => target.pool.hasSpare);
  }
}
