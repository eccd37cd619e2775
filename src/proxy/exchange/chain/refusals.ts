/** Which policies have refused requests, and why: counted here, handed to control a few times a second. */
import type { RefusalCount } from '../../../telemetry/snapshot.js';

/** Between two calls of take(); further kinds count as `other`. */
const MOST = 1024;

export class Refusals {
  #counts = new Map<string, Map<string, number>>();
  #size = 0;

  /** `code`: of the reply. */
  note(policy: string, code: string): void {
    let codes = this.#counts.get(policy);
    if (codes === undefined) {
      codes = new Map();
      this.#counts.set(policy, codes);
    }
    const known = codes.get(code);
    if (known === undefined && this.#size >= MOST) {
      codes.set('other', (codes.get('other') ?? 0) + 1);
      return;
    }
    if (known === undefined) this.#size++;
    codes.set(code, (known ?? 0) + 1);
  }

  /** The counts since the last call; undefined for none. */
  take(): readonly RefusalCount[] | undefined {
    if (this.#counts.size === 0) return undefined;
    const counts = this.#counts;
    this.#counts = new Map();
    this.#size = 0;
    return [...counts].flatMap(([policy, codes]) => [...codes].map(([code, count]) => ({ policy, code, count })));
  }
}
