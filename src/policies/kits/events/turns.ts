/** Long bodies in slices: work without I/O would otherwise hold the worker until the last unit. */
import type { Clock } from '../../contract.js';

/** Milliseconds of work before others get a turn. */
const SLICE = 10;

export class Turns {
  readonly #clock: Clock;
  readonly #began: number;
  /** When the slice began; undefined: no work is done. */
  #since: number | undefined;
  #before = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#began = clock.monotonic();
  }

  /** Work begins, unless it has. */
  begin(): void {
    this.#since ??= this.#clock.monotonic();
  }

  /** Work waits for something else. */
  stop(): void {
    this.#before = this.used;
    this.#since = undefined;
  }

  /** Milliseconds of work so far. */
  get used(): number {
    return this.#before + (this.#since === undefined ? 0 : this.#clock.monotonic() - this.#since);
  }

  /** Milliseconds since the body began. */
  get elapsed(): number {
    return this.#clock.monotonic() - this.#began;
  }

  /** Undefined while the slice is not used up; else it resolves when others have had their turn. */
  next(): Promise<undefined> | undefined {
    if (this.#since === undefined || this.#clock.monotonic() - this.#since < SLICE) return undefined;
    this.stop();
    return new Promise((resolve) => {
      setImmediate(() => {
        this.begin();
        resolve(undefined);
      });
    });
  }
}
