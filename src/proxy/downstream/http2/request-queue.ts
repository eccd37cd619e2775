/** Requests of a connection that wait for its turn: a client with many streams must not delay the others. */
import type { ServerHttp2Stream } from 'node:http2';
import type { FairScheduler, ScheduledTask } from '../../load/fair-scheduler.js';

/** Requests that are begun before other connections get a turn. */
const MOST_AT_ONCE = 16;

const ignore = (): void => {};

/** A stream whose request has come. */
export interface NewStream {
  readonly stream: ServerHttp2Stream;
  /** Of its HEADERS frame. */
  readonly flags: number;
  /** Name and value by turns. */
  readonly fields: readonly string[];
}

export class RequestQueue implements ScheduledTask {
  readonly #scheduler: Pick<FairScheduler, 'held' | 'wait'>;
  readonly #begin: (one: NewStream) => void;
  #waiting: NewStream[] = [];
  /** Requests that were begun in this turn. */
  #begun = 0;

  constructor(scheduler: Pick<FairScheduler, 'held' | 'wait'>, begin: (one: NewStream) => void) {
    this.#scheduler = scheduler;
    this.#begin = begin;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** The client's bytes of this turn of the event loop begin. */
  onRead(): void {
    this.#begun = 0;
  }

  /** Begins the request now, or in a later turn. Their number is bounded by that of the streams. */
  add(one: NewStream): void {
    // An error without a listener would end the process. The close of the stream follows.
    one.stream.on('error', ignore);
    if (this.#begun < MOST_AT_ONCE && this.#waiting.length === 0 && !this.#scheduler.held) {
      this.#begun++;
      this.#begin(one);
      return;
    }
    this.#waiting.push(one);
    if (this.#waiting.length === 1) this.#scheduler.wait(this);
  }

  takeTurn(): void {
    const turn = this.#waiting.splice(0, MOST_AT_ONCE);
    for (const one of turn) if (!one.stream.destroyed) this.#begin(one);
    if (this.#waiting.length > 0) this.#scheduler.wait(this);
  }

  /** The connection is closed. */
  clear(): void {
    this.#waiting = [];
  }
}
