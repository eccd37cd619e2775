/**
 * Reports custom steps that block a worker: samples the cells in which workers note the step that runs
 * (state/step-cell.ts). Workers read no clock for it.
 */
import type { Program } from '../../bundle/types.js';
import { StepNumbers } from '../../state/step-cell.js';
import type { Log } from '../log.js';

/** Milliseconds that one synchronous step may take before it is reported. */
export const SLOW_STEP_MS = 50;
/** Milliseconds between two samples. */
const SAMPLE_MS = 20;
/** Milliseconds between two reports of one policy or action. */
const REPORT_EVERY_MS = 60_000;

export interface StepWatchOptions {
  /** One cell for each worker. */
  readonly memory: SharedArrayBuffer;
  readonly log: Log;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

export class StepWatch {
  readonly #options: StepWatchOptions;
  readonly #words: Int32Array;
  readonly #numbers = new StepNumbers();
  /** What each cell held when it last changed, and when that was. */
  readonly #seen: Int32Array;
  readonly #since: Float64Array;
  /** Cells whose current step has been reported. */
  readonly #told: Uint8Array;
  readonly #reported = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: StepWatchOptions) {
    this.#options = options;
    this.#words = new Int32Array(options.memory);
    this.#seen = new Int32Array(this.#words.length);
    this.#since = new Float64Array(this.#words.length);
    this.#told = new Uint8Array(this.#words.length);
  }

  /** The numbers of a program's custom steps, for its workers. Sampling begins with the first one. */
  numbersOf({ policies, routes }: Program): ReadonlyMap<string, number> {
    const names = [
      ...policies.filter(({ code }) => code !== undefined).map(({ name }) => name),
      ...routes.filter(({ action }) => action.code !== undefined).map(({ action }) => action.use),
    ];
    if (names.length > 0) this.#timer ??= setInterval(() => this.sample(), SAMPLE_MS).unref();
    return this.#numbers.of(names);
  }

  /** Looks at every cell once. */
  sample(): void {
    const now = this.#options.now();
    for (let worker = 0; worker < this.#words.length; worker++) {
      const word = Atomics.load(this.#words, worker);
      if (word !== this.#seen[worker]) {
        this.#seen[worker] = word;
        this.#since[worker] = now;
        this.#told[worker] = 0;
      } else if (word !== 0 && this.#told[worker] === 0 && now - this.#since[worker]! >= SLOW_STEP_MS) {
        this.#told[worker] = 1;
        this.#report(word, worker, now);
      }
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #report(word: number, worker: number, now: number): void {
    const policy = this.#numbers.nameIn(word);
    if (policy === undefined) return;
    const last = this.#reported.get(policy);
    if (last !== undefined && now - last < REPORT_EVERY_MS) return;
    this.#reported.set(policy, now);
    this.#options.log.warn('custom step blocks its worker', { policy, worker, overMs: SLOW_STEP_MS });
  }
}
