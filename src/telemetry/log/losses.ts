/** Lines of an access log that could not be written: counted, and reported at most once a minute. */
import { reasonOf } from '../../reason.js';

export interface LossEvents {
  /** The log cannot be written; `dropped` lines are lost so far. */
  readonly onError?: (error: Error, dropped: number) => void;
  /** It was written again, after onError(). */
  readonly onRecovered?: (dropped: number) => void;
}

const REPORT_EVERY_MS = 60_000;

export class Losses {
  readonly #events: LossEvents;
  #dropped = 0;
  #failing = false;
  #reportedAt = Number.NEGATIVE_INFINITY;
  /** Why lines were lost last, and how many of them have been reported. */
  #cause: Error | undefined;
  #reported = 0;

  constructor(events: LossEvents) {
    this.#events = events;
  }

  get dropped(): number {
    return this.#dropped;
  }

  /** Lines after the log has closed or broken, which has been reported. */
  count(lines: number): void {
    this.#dropped += lines;
  }

  /** `lines` more are lost; 0: writing failed, and the lines wait. */
  add(lines: number, error: Error): void {
    this.#dropped += lines;
    this.#cause = error;
    const now = performance.now();
    if (now - this.#reportedAt < REPORT_EVERY_MS) return;
    this.#reportedAt = now;
    this.#failing = true;
    this.#report(error);
  }

  /** A line was written. */
  recovered(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#reported = this.#dropped;
    this.#events.onRecovered?.(this.#dropped);
  }

  /** The log is closed: reports losses that have not been reported. */
  close(): void {
    if (this.#cause !== undefined && this.#dropped > this.#reported) this.#report(this.#cause);
  }

  #report(error: Error): void {
    this.#reported = this.#dropped;
    this.#events.onError?.(error, this.#dropped);
  }
}

/** Writes losses of the access log at `path` (`-`: standard output) to the operational log. */
export function logLosses(
  log: {
    warn(message: string, fields: { readonly [key: string]: unknown }): void;
    info(message: string, fields: { readonly [key: string]: unknown }): void;
  },
  path: string,
): LossEvents {
  return {
    onError: (error, dropped) =>
      log.warn('cannot write the access log', { path, cause: reasonOf(error, 'write'), dropped }),
    onRecovered: (dropped) => log.info('access log recovered', { path, dropped }),
  };
}
