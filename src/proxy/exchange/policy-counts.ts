/** What policies count of themselves, as growth since the last report: control adds it up over workers and reloads. */
import type { PolicyInstance } from '../../policies/contract.js';
import type { PolicyCount } from '../../telemetry/snapshot.js';

interface Counting {
  readonly policy: string;
  /** The counts of the last report. */
  reported: { readonly [name: string]: number };
}

export class PolicyCounts {
  readonly #counting = new Map<PolicyInstance, Counting>();
  /** Of instances that have ended since the last report. */
  #ended: PolicyCount[] = [];

  add(policy: string, instance: PolicyInstance): void {
    if (instance.counts !== undefined) this.#counting.set(instance, { policy, reported: {} });
  }

  remove(instance: PolicyInstance): void {
    const counting = this.#counting.get(instance);
    if (counting === undefined) return;
    this.#counting.delete(instance);
    grown(instance, counting, this.#ended);
  }

  /** The growth since the last call; undefined for none. */
  take(): readonly PolicyCount[] | undefined {
    const counts = this.#ended;
    this.#ended = [];
    for (const [instance, counting] of this.#counting) grown(instance, counting, counts);
    return counts.length === 0 ? undefined : counts;
  }
}

function grown(instance: PolicyInstance, counting: Counting, into: PolicyCount[]): void {
  const counts = instance.counts?.() ?? {};
  for (const [name, value] of Object.entries(counts)) {
    const count = value - (counting.reported[name] ?? 0);
    if (count > 0) into.push({ policy: counting.policy, name, count });
  }
  counting.reported = counts;
}
