/** How often each policy has refused requests, by the code of the reply, from what the workers report. */
import type { RefusalCount } from '../telemetry/snapshot.js';

/** Pairs of policy and code: each is a series of a metric. Further codes count as `other`. */
const MOST = 4096;
const OTHER = 'other';

export class RefusalCounts {
  readonly #counts = new Map<string, Map<string, number>>();
  #size = 0;

  note(counts: readonly RefusalCount[]): void {
    for (const { policy, code, count } of counts) this.#add(policy, code, count);
  }

  /** Of the policies with these names, since the start. */
  of(policies: ReadonlySet<string>): readonly RefusalCount[] {
    return [...this.#counts]
      .filter(([policy]) => policies.has(policy))
      .flatMap(([policy, codes]) => [...codes].map(([code, count]) => ({ policy, code, count })));
  }

  #add(policy: string, code: string, count: number): void {
    let codes = this.#counts.get(policy);
    if (codes === undefined) {
      codes = new Map();
      this.#counts.set(policy, codes);
    }
    const known = codes.get(code);
    if (known === undefined && this.#size >= MOST && code !== OTHER) {
      this.#add(policy, OTHER, count);
      return;
    }
    if (known === undefined) this.#size++;
    codes.set(code, (known ?? 0) + count);
  }
}
