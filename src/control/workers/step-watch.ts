/** Logs custom steps that block the thread of a worker, at most once a minute for each policy or action. */
import { Worker } from 'node:worker_threads';
import type { Program } from '../../bundle/types.js';
import { reasonOf } from '../../reason.js';
import { StepNumbers } from '../../state/step-cell.js';
import type { Log } from '../log.js';
import { SAMPLE_MS, SLOW_STEP_MS, type SlowStep, StepSampler } from './step-sampler.js';

/** Milliseconds between two log lines of one policy or action. */
const REPORT_EVERY_MS = 60_000;

export interface StepWatchOptions {
  /** One cell for each worker. */
  readonly memory: SharedArrayBuffer;
  /** Steps run in this thread, which takes no samples while one blocks it: a thread of its own takes them. */
  readonly inline: boolean;
  readonly log: Log;
  /** Milliseconds that never go back. */
  readonly now: () => number;
}

export class StepWatch {
  readonly #options: StepWatchOptions;
  readonly #numbers = new StepNumbers();
  readonly #reported = new Map<string, number>();
  /** Ends the samples; undefined before the first custom step. */
  #end: (() => void) | undefined;

  constructor(options: StepWatchOptions) {
    this.#options = options;
  }

  /** The numbers of a program's custom steps, for its workers. Sampling begins with the first one. */
  numbersOf({ policies, routes }: Program): ReadonlyMap<string, number> {
    const names = [
      ...policies.filter(({ code }) => code !== undefined).map(({ name }) => name),
      ...routes.filter(({ action }) => action.code !== undefined).map(({ action }) => action.use),
    ];
    if (names.length > 0) this.#end ??= this.#options.inline ? this.#sampleInThread() : this.#sampleHere();
    return this.#numbers.of(names);
  }

  close(): void {
    this.#end?.();
  }

  #sampleHere(): () => void {
    const { memory, now } = this.#options;
    const sampler = new StepSampler(memory, now, (slow) => this.#report(slow));
    const timer = setInterval(() => sampler.sample(), SAMPLE_MS).unref();
    return () => clearInterval(timer);
  }

  /** A step is reported when it has ended and this thread is free. */
  #sampleInThread(): () => void {
    const worker = new Worker(new URL('./step-thread.js', import.meta.url), {
      workerData: this.#options.memory,
      resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    });
    worker.unref();
    worker.on('message', (slow: SlowStep) => this.#report(slow));
    worker.on('error', (error) =>
      this.#options.log.warn('slow custom steps are not watched', { cause: reasonOf(error) }),
    );
    return () => void worker.terminate();
  }

  #report({ word, worker }: SlowStep): void {
    const policy = this.#numbers.nameIn(word);
    if (policy === undefined) return;
    const now = this.#options.now();
    const last = this.#reported.get(policy);
    if (last !== undefined && now - last < REPORT_EVERY_MS) return;
    this.#reported.set(policy, now);
    this.#options.log.warn('custom step blocks its worker', { policy, worker, overMs: SLOW_STEP_MS });
  }
}
