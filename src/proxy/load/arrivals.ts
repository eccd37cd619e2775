/**
 * New connections that come many at once. Node accepts one a turn of the event loop, and under load a turn serves a hundred
 * requests: the last of 256 would wait for 25,000. So while connections come turn after turn, requests wait (see turns.ts),
 * turns are short, and connections come in as fast as they can be made. That takes half of the time at most, not counting
 * the turn in which what is under way comes to its end.
 *
 *     turns      A . A A A A A A A A A A . R R R R . . .       A: accepts one, R: serves requests that waited
 *                    ^ a burst begins    ^ nobody came in this one: the burst is over
 */
import { performance } from 'node:perf_hooks';
import type { Turns } from './turns.js';

/** Turns in a row that each bring a connection, after which it is a burst. */
const BURST_AFTER = 3;
/** Milliseconds that one may last, and after it as many for requests. */
const BURST_MS = 10;

export class Arrivals {
  /** Held during a burst. */
  readonly #turns: Pick<Turns, 'held' | 'hold' | 'release'>;
  readonly #now: () => number;
  /** Turns up to this one that brought a connection each. */
  #row = 0;
  #came = false;
  #looking = false;
  #began = 0;
  /** In the first turn of a burst, which has the replies to all that was under way: its time is theirs. */
  #settling = false;
  /** Before that no burst begins. Monotonic milliseconds, as those of #began. */
  #restUntil = 0;

  constructor(turns: Pick<Turns, 'held' | 'hold' | 'release'>, now: () => number = () => performance.now()) {
    this.#turns = turns;
    this.#now = now;
  }

  /** A connection was accepted and may stay. */
  came(): void {
    this.#came = true;
    if (this.#looking) return;
    this.#looking = true;
    setImmediate(this.#look);
  }

  /** At the end of a turn. */
  readonly #look = (): void => {
    if (!this.#came) {
      this.#looking = false;
      this.#end();
      return;
    }
    this.#came = false;
    setImmediate(this.#look);
    if (++this.#row < BURST_AFTER) return;
    const now = this.#now();
    if (this.#turns.held) {
      if (this.#settling) this.#began = now;
      this.#settling = false;
      if (now - this.#began >= BURST_MS) this.#end();
    } else if (now >= this.#restUntil) {
      this.#settling = true;
      this.#began = now;
      this.#turns.hold();
    }
  };

  #end(): void {
    this.#row = 0;
    if (!this.#turns.held) return;
    const now = this.#now();
    this.#restUntil = now + (now - this.#began);
    this.#turns.release();
  }
}
