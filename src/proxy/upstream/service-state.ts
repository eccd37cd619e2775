/** What a worker knows of a service. Lives across generations. */
import type { ServiceEntry } from '../../bundle/types.js';
import { ServiceHealth } from './health/service.js';
import type { HealthHost, TargetHealth } from './health/target.js';
import { RetryBudget } from './retry/budget.js';
import { LatencyEstimate } from './retry/latency.js';
import { RetryRules } from './retry/rules.js';

export class ServiceState {
  readonly health: ServiceHealth;
  readonly budget = new RetryBudget();
  readonly latency = new LatencyEstimate();

  constructor(service: string, host: HealthHost) {
    this.health = new ServiceHealth(service, host);
  }

  /** Takes over the targets and settings of the live generation. `sharers`: workers among which bounds are divided. */
  use(members: Iterable<TargetHealth>, entry: ServiceEntry, sharers: number): void {
    this.health.use(members, entry);
    const { budget, budgetMin } = new RetryRules(entry);
    this.budget.configure(budget, budgetMin, sharers);
  }

  /** Called a few times a second with the monotonic time. */
  sweep(now: number): void {
    this.health.sweep(now);
    this.budget.sweep(now);
    this.latency.sweep(now);
  }
}
