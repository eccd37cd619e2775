/** The last failure of each target, as the workers told it. */
import type { FailureSnapshot, TargetFailure } from '../telemetry/snapshot.js';

/** Targets that are remembered: more than a spec has, fewer than many reloads can bring. */
const MOST = 4096;
/** Milliseconds that the report of one worker may be behind that of another. */
const MOST_BEHIND = 5000;

export class TargetFailures {
  /** By service and URL; the one that failed last is the last one. */
  readonly #last = new Map<string, FailureSnapshot>();

  note(failures: readonly TargetFailure[]): void {
    for (const { service, url, at, error, cause } of failures) {
      const key = keyOf(service, url);
      const known = this.#last.get(key);
      // Workers report the same target independently. What seems older than that came after the system's time was set back.
      if (known !== undefined && known.at > at && known.at - at < MOST_BEHIND) continue;
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
