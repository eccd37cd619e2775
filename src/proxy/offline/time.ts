/** The time of offline runs: the timers of policies come due without waiting. */
import type { Clock } from '../../state/clock.js';
import { VirtualTime } from '../../state/timers.js';

/** Timers that come due in one run: a policy that sets one after another ends nothing. */
const MAX_STEPS = 10_000;

export class OfflineTime extends VirtualTime {
  readonly #pending: () => boolean;
  #stepping = false;
  /** Timers that may still come due. */
  #steps = 0;

  /** `pending`: whether a run has no result yet. */
  constructor(base: Clock, pending: () => boolean) {
    super(base, () => this.#pass());
    this.#pending = pending;
  }

  /** A run has begun. */
  begin(): void {
    this.#steps = MAX_STEPS;
    this.#pass();
  }

  /**
   * While a run is pending, its timers run one after another, and the clock goes forward. What takes no virtual time, such as
   * a hash in a thread of Node's pool, gets a millisecond before each of them.
   */
  #pass(): void {
    if (this.#stepping || !this.#pending() || this.#steps === 0 || !this.waits) return;
    this.#stepping = true;
    setTimeout(() => {
      this.#stepping = false;
      this.#steps--;
      if (this.#pending()) this.step();
      this.#pass();
    }, 1);
  }
}
