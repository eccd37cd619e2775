/** The counters of one gateway: slots for its generations, and queries of control. */
import type { Program } from '../bundle/types.js';
import type { Clock } from '../policies/contract.js';
import type { StatsSlots, WorkerReports } from '../proxy/types.js';
import { Counter } from '../telemetry/stats/layout.js';
import { StatsRegistry, targetName } from '../telemetry/stats/registry.js';
import { Callers } from './callers.js';
import { PolicyTotals } from './policy-totals.js';
import { RefusalCounts } from './refusal-counts.js';
import { TargetFailures } from './target-failures.js';

export class GatewayStats {
  readonly registry: StatsRegistry;
  readonly failures = new TargetFailures((...target) => this.#replies(...target));
  readonly callers = new Callers();
  readonly refusals = new RefusalCounts();
  /** What policies count of themselves. */
  readonly totals = new PolicyTotals();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.registry = new StatsRegistry({ workers: 1, now: clock.monotonic() });
  }

  /** Takes what a worker has counted apart from shared memory. */
  note({ failures, callers, refusals, counts }: WorkerReports): void {
    if (failures !== undefined) this.failures.note(failures);
    if (callers !== undefined) this.callers.note(callers);
    if (refusals !== undefined) this.refusals.note(refusals);
    if (counts !== undefined) this.totals.note(counts);
  }

  /** Slots with the memory of worker 0; chunks() gives that of each worker. */
  slotsFor(program: Program): StatsSlots {
    const assignment = this.registry.assign(program, this.#clock.monotonic());
    return { ...assignment, chunks: this.chunks(0) };
  }

  /** Slots for the endpoints of a service; none of them: it is gone. */
  slotsOfTargets(service: string, endpoints: Parameters<StatsRegistry['assignTargets']>[1]): readonly number[] {
    return this.registry.assignTargets(service, endpoints, this.#clock.monotonic());
  }

  /** The counter memory of a worker. */
  chunks(worker: number): readonly SharedArrayBuffer[] {
    return this.registry.chunks(worker);
  }

  /** A worker has ended: resets its gauges and returns its number of exchanges in flight. */
  forgetWorker(worker: number): number {
    return this.registry.forgetWorker(worker);
  }

  #replies(service: string, url: string, address?: string): number {
    const slot = this.registry.slot('target', targetName(service, url, address));
    return slot === undefined ? 0 : this.registry.sums(slot).status.reduce((sum, count) => sum + count, 0);
  }

  /** Requests to a target, also to one that its service does not have any more. */
  ofTarget(service: string, url: string): { readonly inFlight: number; readonly requests: number } {
    const slot = this.registry.slot('target', targetName(service, url));
    return slot === undefined ? { inFlight: 0, requests: 0 } : this.registry.sums(slot);
  }

  /** Requests that wait because the service has no target. */
  waiting(service: string): number {
    const slot = this.registry.slot('service', service);
    return slot === undefined ? 0 : this.registry.sum(slot, Counter.Waiting);
  }
}
