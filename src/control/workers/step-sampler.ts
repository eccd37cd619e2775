/** Finds custom steps that take long, in the cells in which workers note the step that runs (state/step-cell.ts). */

/** Milliseconds that one synchronous step may take before it is reported. */
export const SLOW_STEP_MS = 50;
/** Milliseconds between two samples. */
export const SAMPLE_MS = 20;

/** What a cell held too long, and the number of its worker. */
export interface SlowStep {
  readonly word: number;
  readonly worker: number;
}

/** Workers read no clock for it. Its thread must not be one that runs steps: a blocked thread takes no samples. */
export class StepSampler {
  readonly #words: Int32Array;
  readonly #now: () => number;
  readonly #report: (slow: SlowStep) => void;
  /** What each cell held when it last changed, and when that was. */
  readonly #seen: Int32Array;
  readonly #since: Float64Array;
  /** Cells whose current step has been reported. */
  readonly #told: Uint8Array;

  /** @param now milliseconds that never go back */
  constructor(memory: SharedArrayBuffer, now: () => number, report: (slow: SlowStep) => void) {
    this.#words = new Int32Array(memory);
    this.#now = now;
    this.#report = report;
    this.#seen = new Int32Array(this.#words.length);
    this.#since = new Float64Array(this.#words.length);
    this.#told = new Uint8Array(this.#words.length);
  }

  /** Looks at every cell once. */
  sample(): void {
    const now = this.#now();
    for (let worker = 0; worker < this.#words.length; worker++) {
      const word = Atomics.load(this.#words, worker);
      if (word !== this.#seen[worker]) {
        this.#seen[worker] = word;
        this.#since[worker] = now;
        this.#told[worker] = 0;
      } else if (word !== 0 && this.#told[worker] === 0 && now - this.#since[worker]! >= SLOW_STEP_MS) {
        this.#told[worker] = 1;
        this.#report({ word, worker });
      }
    }
  }
}
