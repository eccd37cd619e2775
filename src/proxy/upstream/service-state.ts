/** What a worker knows of a service. Lives across generations. */
import type { HedgeEntry } from '../../bundle/service/retry.js';
import type { ServiceEntry } from '../../bundle/types.js';
import type { Breaker } from '../../state/breaker/breaker.js';
import type { BreakerTable } from '../../state/breaker/table.js';
import { ServiceGuard } from './guard.js';
import { ServiceHealth } from './health/service.js';
import type { HealthHost, TargetHealth } from './health/target.js';
import { type AlarmHost, Alarms } from './retry/alarms.js';
import { RetryBudget } from './retry/budget.js';
import { LatencyEstimate } from './retry/latency.js';
import { RetryRules } from './retry/rules.js';
import { type RoomHost, WaitingRoom } from './waiting-room.js';

export interface StateHost extends HealthHost, AlarmHost, RoomHost {
  readonly breakers: BreakerTable;
}

export class ServiceState {
  readonly health: ServiceHealth;
  readonly budget = new RetryBudget();
  /** Attempts whose time is bounded. */
  readonly timeouts: Alarms;
  /** Attempts beside which others may begin. */
  readonly hedges: Alarms;
  readonly latency = new LatencyEstimate();
  /** Requests that wait for a target. */
  readonly room: WaitingRoom;
  readonly #service: string;
  readonly #host: StateHost;
  #breaker: Breaker | undefined = undefined;

  constructor(service: string, host: StateHost) {
    this.#service = service;
    this.#host = host;
    this.timeouts = new Alarms(host);
    this.hedges = new Alarms(host);
    this.health = new ServiceHealth(service, host);
    this.room = new WaitingRoom(service, host);
  }

  /** What protects it with these settings; undefined for nothing. */
  guard(entry: ServiceEntry): ServiceGuard | undefined {
    if (entry.breaker === undefined && entry.maxRequests === undefined) return undefined;
    this.#breaker ??= this.#host.breakers.breaker(this.#service);
    return new ServiceGuard(entry, this.#breaker, (...line) => this.#host.log(...line));
  }

  /** Takes over the targets and settings of the live generation. `sharers`: workers among which bounds are divided. */
  use(members: Iterable<TargetHealth>, entry: ServiceEntry, sharers: number): void {
    this.health.use(members, entry);
    const { budget, budgetMin } = new RetryRules(entry);
    this.budget.configure(budget, budgetMin, sharers);
  }

  /** Milliseconds after which an attempt takes so long that another one may begin beside it; -1: that is not known yet. */
  hedgeAfter({ percentile, after }: HedgeEntry): number {
    if (percentile === undefined) return after;
    const ms = this.latency.percentile(percentile);
    return ms === undefined ? -1 : Math.max(after, ms);
  }

  /** Called a few times a second with the monotonic time. */
  sweep(now: number): void {
    this.health.sweep(now);
    this.budget.sweep(now);
    this.latency.sweep(now);
    this.room.sweep(now);
  }
}
