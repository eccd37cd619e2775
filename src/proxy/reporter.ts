/** Hands over to control what a worker counts apart from shared memory. */
import type { Engine } from './engine.js';
import type { PolicyInstances } from './exchange/generation.js';
import type { DataPlaneEvents } from './types.js';

/** Milliseconds between two reports of what callers and policies did. */
const COUNT_EVERY = 1000;

export class Reporter {
  readonly #engine: Engine;
  readonly #instances: PolicyInstances;
  readonly #events: DataPlaneEvents;
  #countedAt = 0;

  constructor(engine: Engine, instances: PolicyInstances, events: DataPlaneEvents) {
    this.#engine = engine;
    this.#instances = instances;
    this.#events = events;
  }

  /** `now`: of the monotonic clock. */
  sweep(now: number): void {
    this.#report(now - this.#countedAt >= COUNT_EVERY, now);
  }

  reportAll(now: number): void {
    this.#report(true, now);
  }

  /** `counts`: also what callers did, what policies refused, and what they count of themselves. */
  #report(counts: boolean, now: number): void {
    const failures = this.#engine.failures.take();
    const callers = counts ? this.#engine.takeCallers() : undefined;
    const refusals = counts ? this.#instances.refusals.take() : undefined;
    const policies = counts ? this.#instances.counts.take() : undefined;
    if (counts) this.#countedAt = now;
    if ([failures, callers, refusals, policies].every((report) => report === undefined)) return;
    this.#events.reports?.({
      ...(failures === undefined ? {} : { failures }),
      ...(callers === undefined ? {} : { callers }),
      ...(refusals === undefined ? {} : { refusals }),
      ...(policies === undefined ? {} : { counts: policies }),
    });
  }
}
