/** The last failure of each target, and since when it fails, from what the workers report. */
import type { FailureSnapshot, TargetFailure } from '../telemetry/snapshot.js';

/** Targets that are remembered: more than a spec has, fewer than many reloads can bring. */
const MOST = 4096;
/** Milliseconds that the report of one worker may be behind that of another. */
const MOST_BEHIND = 5000;

interface Known extends FailureSnapshot {
  /** When the consecutive failures began; null if a reply has followed. */
  readonly since: number | null;
  /** Replies of the target, over all workers, at the time of the report. */
  readonly replies: number;
}

export class TargetFailures {
  /** By service, URL and address; the one that failed last is the last one. */
  readonly #last = new Map<string, Known>();
  readonly #replies: (service: string, url: string, address?: string) => number;

  /** `replies`: how many attempts a target has answered so far, over all workers. */
  constructor(replies: (service: string, url: string, address?: string) => number) {
    this.#replies = replies;
  }

  note(failures: readonly TargetFailure[]): void {
    for (const { service, url, address, at, error, cause, since } of failures) {
      const key = keyOf(service, url, address);
      const known = this.#last.get(key);
      // Workers report the same target independently. What seems older than that came after the system's time was set back.
      if (known !== undefined && known.at > at && known.at - at < MOST_BEHIND) continue;
      const replies = this.#replies(service, url, address);
      this.#last.delete(key);
      this.#last.set(key, { at, error, cause, since: sinceOf(since, known, replies), replies });
    }
    for (const key of this.#last.keys()) {
      if (this.#last.size <= MOST) return;
      this.#last.delete(key);
    }
  }

  of(
    service: string,
    url: string,
    address?: string,
  ): { readonly lastFailure: FailureSnapshot | null; readonly failingSince: number | null } {
    const known = this.#last.get(keyOf(service, url, address));
    if (known === undefined) return { lastFailure: null, failingSince: null };
    const { at, error, cause, since, replies } = known;
    // A worker sees only its own replies: one to another worker ends the failures as well.
    const failing = since !== null && replies === this.#replies(service, url, address);
    return { lastFailure: { at, error, cause }, failingSince: failing ? since : null };
  }
}

/** When the failures began, over all workers: another one may have seen the first failure, or a reply in between. */
function sinceOf(since: number | null, known: Known | undefined, replies: number): number | null {
  if (since === null || known === undefined) return since;
  if (known.replies !== replies) return Math.max(since, known.at);
  return known.since === null ? since : Math.min(since, known.since);
}

const keyOf = (service: string, url: string, address = ''): string => `${service}|${url}|${address}`;
