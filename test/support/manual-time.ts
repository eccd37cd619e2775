/** Time that a test moves: a clock, and the timers that depend on it. */
import type { Clock } from '../../src/policies/contract.js';
import type { After } from '../../src/proxy/exchange/questions.js';

export class ManualTime {
  #now: number;
  #timers: { readonly at: number; readonly work: () => void }[] = [];

  constructor(now = 1_000_000) {
    this.#now = now;
  }

  get now(): number {
    return this.#now;
  }

  get timers(): number {
    return this.#timers.length;
  }

  readonly clock: Clock = { now: () => this.#now, monotonic: () => this.#now };

  readonly after: After = (ms, work) => {
    const timer = { at: this.#now + ms, work };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  };

  /** Lets `ms` milliseconds pass. Promises settle before it, after each timer, and after it. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#now = Math.max(this.#now, next.at);
      next.work();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything run that waits for promises only. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
