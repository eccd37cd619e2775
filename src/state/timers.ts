/** One-shot timers: of the system, or virtual for offline runs and tests. */
import type { Clock } from './clock.js';

/** Runs `work` once after `ms` milliseconds. Returns the function that cancels it. */
export type After = (ms: number, work: () => void) => () => void;

/** The longest delay of setTimeout(). */
export const MAX_DELAY = 0x7fff_ffff;

/** Timers of the system. They do not keep the process alive. */
export const systemAfter: After = (ms, work) => {
  const timer = setTimeout(work, Math.min(ms, MAX_DELAY)).unref();
  return () => clearTimeout(timer);
};

interface Due {
  readonly at: number;
  readonly work: () => void;
}

/** A clock whose waits cost no time: step() sets it forward to the next timer and runs that. */
export class VirtualTime implements Clock {
  readonly #base: Clock;
  readonly #added: (() => void) | undefined;
  readonly #due: Due[] = [];
  /** Milliseconds ahead of the base. */
  #ahead = 0;

  /** `added`: called for each new timer. */
  constructor(base: Clock, added?: () => void) {
    this.#base = base;
    this.#added = added;
  }

  /** Whether a timer is pending. */
  get waits(): boolean {
    return this.#due.length > 0;
  }

  now(): number {
    return this.#base.now() + this.#ahead;
  }

  monotonic(): number {
    return this.#base.monotonic() + this.#ahead;
  }

  readonly after: After = (ms, work) => {
    const due: Due = { at: this.monotonic() + ms, work };
    const later = this.#due.findIndex(({ at }) => at > due.at);
    this.#due.splice(later < 0 ? this.#due.length : later, 0, due);
    this.#added?.();
    return () => {
      const index = this.#due.indexOf(due);
      if (index >= 0) this.#due.splice(index, 1);
    };
  };

  /** Runs the next timer, at its time. False if there is none. */
  step(): boolean {
    const due = this.#due.shift();
    if (due === undefined) return false;
    this.#ahead += Math.max(0, due.at - this.monotonic());
    due.work();
    return true;
  }
}
