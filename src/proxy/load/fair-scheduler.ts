/**
 * Schedules connections that have more work than fits into one turn of the event loop. They run in rounds, a little work
 * each, and between two rounds the event loop serves all other connections. So a client that pipelines thousands of requests
 * does not delay the others.
 */
import { performance } from 'node:perf_hooks';

/** Milliseconds of one turn of the event loop that all scheduled tasks share. */
const TURN_MS = 2;

export interface ScheduledTask {
  /** Does a little work, and calls wait() again if more is left. Must not throw. */
  takeTurn(): void;
}

export class FairScheduler {
  #waiting: ScheduledTask[] = [];
  #due = false;
  #held = false;

  /** True between hold() and release(). */
  get held(): boolean {
    return this.#held;
  }

  /** Queues `task`, which must not be queued already. */
  wait(task: ScheduledTask): void {
    this.#waiting.push(task);
    this.#schedule();
  }

  /** No task runs until release(). */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    if (this.#waiting.length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#due || this.#held) return;
    this.#due = true;
    setImmediate(this.#round);
  }

  readonly #round = (): void => {
    this.#due = false;
    if (this.#held) return;
    const round = this.#waiting;
    this.#waiting = [];
    const until = performance.now() + TURN_MS;
    let at = 0;
    do round[at++]?.takeTurn();
    while (at < round.length && performance.now() < until);
    if (at === round.length) return;
    // Tasks that did not run in this round go before those that ran and have more to do.
    this.#waiting = [...round.slice(at), ...this.#waiting];
    this.#schedule();
  };
}
