/**
 * Bursts of new connections. Node accepts one connection per turn of the event loop, and under load a turn serves a hundred
 * requests: the last of 256 connections would wait for 25,000 requests. So while every turn brings a connection, requests
 * wait (see fair-scheduler.ts), turns are short, and connections are accepted as fast as the loop can. A burst takes at most
 * half of the time, not counting its first turn, which finishes the work that was under way.
 *
 *     turns      A . A A A A A A A A A A . R R R R . . .       A: accepts a connection, R: serves requests that waited
 *                    ^ a burst begins    ^ a turn without a connection: the burst ends
 */
import { performance } from 'node:perf_hooks';
import type { FairScheduler } from './fair-scheduler.js';

/** Consecutive turns with a connection each that begin a burst. */
const BURST_AFTER = 3;
/** Longest burst in milliseconds. The pause after a burst is as long as the burst was. */
const BURST_MS = 10;

export class AcceptBursts {
  /** On hold during a burst. */
  readonly #scheduler: Pick<FairScheduler, 'held' | 'hold' | 'release'>;
  readonly #now: () => number;
  /** Consecutive turns so far that brought a connection. */
  #row = 0;
  /** This turn brought a connection. */
  #accepted = false;
  #watching = false;
  #began = 0;
  /** In the first turn of a burst: it handles the replies that were under way, so its time does not count. */
  #settling = false;
  /** No burst begins before this time. Monotonic milliseconds, like #began. */
  #pauseUntil = 0;

  constructor(
    scheduler: Pick<FairScheduler, 'held' | 'hold' | 'release'>,
    now: () => number = () => performance.now(),
  ) {
    this.#scheduler = scheduler;
    this.#now = now;
  }

  /** Call for each connection that was accepted and admitted. */
  accepted(): void {
    this.#accepted = true;
    if (this.#watching) return;
    this.#watching = true;
    setImmediate(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    if (!this.#accepted) {
      this.#watching = false;
      this.#end();
      return;
    }
    this.#accepted = false;
    setImmediate(this.#endTurn);
    if (++this.#row < BURST_AFTER) return;
    const now = this.#now();
    if (this.#scheduler.held) {
      if (this.#settling) this.#began = now;
      this.#settling = false;
      if (now - this.#began >= BURST_MS) this.#end();
    } else if (now >= this.#pauseUntil) {
      this.#settling = true;
      this.#began = now;
      this.#scheduler.hold();
    }
  };

  #end(): void {
    this.#row = 0;
    if (!this.#scheduler.held) return;
    const now = this.#now();
    this.#pauseUntil = now + (now - this.#began);
    this.#scheduler.release();
  }
}
