/** The last failure of each target, as the workers told it. */
import type { FailureSnapshot, TargetFailure } from '../telemetry/snapshot.js';

/** Targets that are remembered: more than a spec has, fewer than many reloads can bring. */
const MOST = 4096;

export class TargetFailures {
  /** By service and URL; the one that failed last is the last one. */
  readonly #last = new Map<string, FailureSnapshot>();

  note(failures: readonly TargetFailure[]): void {
    for (const { service, url, at, error, cause } of failures) {
      const key = keyOf(service, url);
      const known = this.#last.get(key);
      // Workers tell of the same target, each in its own time.
      if (known !== undefined && known.at > at) continue;
      this.#last.delete(key);
      this.#last.set(key, { at, error, cause });
    }
    for (const key of this.#last.keys()) {
      if (this.#last.size <= MOST) return;
      this.#last.delete(key);
    }
  }

  of(service: string, url: string): FailureSnapshot | null {
    return this.#last.get(keyOf(service, url)) ?? null;
  }
}

const keyOf = (service: string, url: string): string => `${service}|${url}`;
