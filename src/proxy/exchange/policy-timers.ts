/** The timers of one policy: bounded in number, and cancelled when the policy is closed. */
import type { Logger } from '../../policies/contract.js';
import { messageOf } from '../../reason.js';
import { type After, MAX_DELAY } from '../../state/timers.js';

/** Pending timers of one policy; a further one is a fault of the policy. */
export const MAX_TIMERS = 10_000;

export class PolicyTimers {
  readonly #world: { readonly after: After; readonly logger: Logger };
  readonly #name: string;
  readonly #pending = new Set<() => void>();
  #closed = false;

  constructor(world: { readonly after: After; readonly logger: Logger }, name: string) {
    this.#world = world;
    this.#name = name;
  }

  /**
   * Runs `work` once after `ms` milliseconds; an exception in it is logged. Returns the function that cancels it. Throws
   * RangeError for an invalid time or too many timers. A closed policy gets no timer.
   */
  readonly after: After = (ms, work) => {
    if (!(ms >= 0 && ms <= MAX_DELAY)) throw new RangeError(`a timer of ${ms} milliseconds is not possible`);
    if (this.#pending.size >= MAX_TIMERS) throw new RangeError(`policy ${this.#name} has ${MAX_TIMERS} pending timers`);
    if (this.#closed) return () => {};
    const cancel = this.#world.after(ms, () => {
      this.#pending.delete(cancel);
      this.#run(work);
    });
    this.#pending.add(cancel);
    return () => {
      if (this.#pending.delete(cancel)) cancel();
    };
  };

  #run(work: () => void): void {
    try {
      work();
    } catch (error) {
      const stack = error instanceof Error ? error.stack : undefined;
      this.#world.logger.error('timer of a policy failed', { policy: this.#name, cause: messageOf(error), stack });
    }
  }

  close(): void {
    this.#closed = true;
    for (const cancel of this.#pending) cancel();
    this.#pending.clear();
  }
}
