/** The time limit of one step after another. */
interface StepClock {
  /** Monotonic milliseconds. */
  monotonic(): number;
}

export class StepTimer {
  readonly #clock: StepClock;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: StepClock) {
    this.#clock = clock;
  }

  /** Calls `late` in `ms` milliseconds, in place of what was set before. */
  set(ms: number, late: () => void): void {
    const deadline = this.#clock.monotonic() + ms;
    const look = (): void => {
      const left = deadline - this.#clock.monotonic();
      if (left > 0) this.#timer = setTimeout(look, Math.ceil(left));
      else late();
    };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(look, ms);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
