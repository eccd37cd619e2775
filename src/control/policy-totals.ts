/** What policies have counted since the start, summed over workers and reloads. */
import type { PolicyCount } from '../telemetry/snapshot.js';

/** Policies that counted; the one whose counts are the oldest makes room for another one. */
const MOST_POLICIES = 4096;

export class PolicyTotals {
  readonly #totals = new Map<string, Map<string, number>>();

  note(counts: readonly PolicyCount[]): void {
    for (const { policy, name, count } of counts) {
      const totals = this.#of(policy);
      totals.set(name, (totals.get(name) ?? 0) + count);
    }
  }

  /** A count of a policy. */
  get(policy: string, name: string): number {
    return this.#totals.get(policy)?.get(name) ?? 0;
  }

  #of(policy: string): Map<string, number> {
    const totals = this.#totals.get(policy) ?? new Map<string, number>();
    // The order of the map is that of the last counts.
    this.#totals.delete(policy);
    this.#totals.set(policy, totals);
    const [oldest] = this.#totals.keys();
    if (this.#totals.size > MOST_POLICIES && oldest !== undefined) this.#totals.delete(oldest);
    return totals;
  }
}
