/** Long bodies in slices: programs end without I/O, so that without a pause the worker would do nothing else until the last line. */
import type { Clock } from '../../contract.js';

/** Milliseconds of work before others get a turn. */
const SLICE = 10;

export class Turns {
  readonly #clock: Clock;
  #since: number;
  #before = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.monotonic();
  }

  /** Work begins after a wait for something else. */
  begin(): void {
    this.#since = this.#clock.monotonic();
  }

  /** Milliseconds of work in all slices so far. */
  get used(): number {
    return this.#before + this.#clock.monotonic() - this.#since;
  }

  /** Undefined while the slice is not used up; else it resolves when others have had their turn. */
  next(): Promise<void> | undefined {
    const slice = this.#clock.monotonic() - this.#since;
    if (slice < SLICE) return undefined;
    this.#before += slice;
    return new Promise((resolve) => {
      setImmediate(() => {
        this.begin();
        resolve();
      });
    });
  }
}
