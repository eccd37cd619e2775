/**
 * Standard output of the access logs of all workers. One writer keeps lines whole: a pipe takes no more than 4 KiB in one
 * piece, and several threads that write to it at once would write into each other's lines.
 */
import type { Log } from './log.js';

/** `process.stdout`, or what stands in for it in a test. */
export interface LineStream {
  write(lines: Uint8Array): unknown;
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
  /** Heard from the first line on. */
  #failed: ((error: Error) => void) | undefined;

  constructor(stream: LineStream, log: Log) {
    this.#stream = stream;
    this.#log = log;
  }

  write(lines: Uint8Array, count: number): void {
    if (!this.#failed) {
      this.#failed = (error) => this.#tell(error.message);
      this.#stream.on('error', this.#failed);
    }
    if (this.#stream.writableLength > MAX_WAITING) {
      this.#dropped += count;
      this.#tell('the reader of standard output is too slow');
    } else this.#stream.write(lines);
  }

  close(): void {
    if (this.#failed) this.#stream.off('error', this.#failed);
    this.#failed = undefined;
  }

  #tell(why: string): void {
    const now = performance.now();
    if (now - this.#toldAt < TELL_EVERY_MS) return;
    this.#toldAt = now;
    this.#log.warn(`access log lines were lost: ${why}`, { path: '-', dropped: this.#dropped });
  }
}
