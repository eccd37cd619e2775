/**
 * Connections with more to do than one turn of the event loop gives to each. They are served in rounds, a little of each at a
 * time, and between two rounds the loop looks after all the others: who sends thousands of requests at once makes nobody
 * wait for all of them.
 */
import { performance } from 'node:perf_hooks';

/** Milliseconds that a turn of the loop gives to all of them together. */
const TURN_MS = 2;

export interface InTurn {
  /** Does a little; calls wait() again where more is left. Does not throw. */
  takeTurn(): void;
}

export class Turns {
  #waiting: InTurn[] = [];
  #due = false;
  #held = false;

  /** Between hold() and release(). */
  get held(): boolean {
    return this.#held;
  }

  /** `one`, which does not wait already, gets a turn when those before it had theirs. */
  wait(one: InTurn): void {
    this.#waiting.push(one);
    this.#schedule();
  }

  /** Nobody has a turn until release(). */
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
    // Those that had a turn and have more to do stand behind those that had none.
    this.#waiting = [...round.slice(at), ...this.#waiting];
    this.#schedule();
  };
}
