/**
 * Standard output of the access logs of all workers. One writer keeps lines whole: a pipe takes no more than 4 KiB in one
 * piece, and several threads that write to it at once would write into each other's lines.
 */

import { reasonOf } from '../reason.js';
import type { Log } from './log.js';

/** `process.stdout`, or what stands in for it in a test. */
export interface LineStream {
  write(lines: Uint8Array): unknown;
  /** False once its reader is gone. */
  readonly writable: boolean;
  /** Bytes that wait for the reader. */
  readonly writableLength: number;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** Bytes that may wait for a slow reader; further lines are dropped. */
const MAX_WAITING = 16 * 1024 ** 2;
const TELL_EVERY_MS = 60_000;

export class AccessLines {
  readonly #stream: LineStream;
  readonly #log: Log;
  #dropped = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  #failing = false;
  /** Why it can be written no more. */
  #cause = 'its reader is gone';
  /** Heard from the first line on. */
  #failed: ((error: Error) => void) | undefined;

  constructor(stream: LineStream, log: Log) {
    this.#stream = stream;
    this.#log = log;
  }

  write(lines: Uint8Array, count: number): void {
    const stream = this.#stream;
    if (!this.#failed) {
      this.#failed = (error) => {
        this.#cause = reasonOf(error);
        this.#lost(0, this.#cause);
      };
      stream.on('error', this.#failed);
    }
    if (!stream.writable) this.#lost(count, this.#cause);
    else if (stream.writableLength > MAX_WAITING) this.#lost(count, 'its reader is too slow');
    else {
      stream.write(lines);
      this.#recovered();
    }
  }

  close(): void {
    if (this.#failed) this.#stream.off('error', this.#failed);
    this.#failed = undefined;
  }

  #lost(count: number, why: string): void {
    this.#dropped += count;
    const now = performance.now();
    if (now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    this.#failing = true;
    this.#log.warn(`The access log cannot be written: ${why}`, { path: '-', dropped: this.#dropped });
  }

  #recovered(): void {
    if (!this.#failing) return;
    this.#failing = false;
    this.#log.info('The access log is written again.', { path: '-', dropped: this.#dropped });
  }
}
