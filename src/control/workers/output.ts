/** What workers hand over to control: access log lines for standard output, and records of finished requests. */
import { readerTooSlow } from '../../telemetry/log/file.js';
import { Losses, logLosses } from '../../telemetry/log/losses.js';
import type { RequestRecord } from '../../telemetry/snapshot.js';
import type { Log } from '../log.js';

/** `process.stdout`, or a replacement in a test. */
export interface LineStream {
  write(lines: Uint8Array): unknown;
  /** False once the reader has closed its end. */
  readonly writable: boolean;
  /** Bytes that wait for the reader. */
  readonly writableLength: number;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'error', listener: (error: Error) => void): unknown;
}

/** Bytes that may wait for a slow reader; further lines are dropped. */
const MAX_WAITING = 16 * 1024 ** 2;

/**
 * The access log of all workers on standard output. A pipe accepts at most 4 KiB atomically, so threads that write to it
 * directly would interleave their lines: only this class writes.
 */
export class StdoutAccessLog {
  readonly #stream: LineStream;
  readonly #losses: Losses;
  /** Why the stream is not writable. */
  #cause: Error = new Error('reader closed the pipe');
  /** Registered with the first line. */
  #onError: ((error: Error) => void) | undefined;

  constructor(stream: LineStream, log: Log) {
    this.#stream = stream;
    this.#losses = new Losses(logLosses(log, '-'));
  }

  /** Writes `count` whole lines, or drops them when the reader is too slow or has closed the pipe. */
  write(lines: Uint8Array, count: number): void {
    const stream = this.#stream;
    if (!this.#onError) {
      this.#onError = (error) => {
        this.#cause = error;
        this.#losses.add(0, error);
      };
      stream.on('error', this.#onError);
    }
    if (!stream.writable) this.#losses.add(count, this.#cause);
    else if (stream.writableLength > MAX_WAITING) this.#losses.add(count, readerTooSlow());
    else {
      stream.write(lines);
      this.#losses.recovered();
    }
  }

  close(): void {
    if (this.#onError) this.#stream.off('error', this.#onError);
    this.#onError = undefined;
  }
}

/** Milliseconds that a batch of records waits for batches of other workers: the interval at which workers send theirs. */
const MERGE_MS = 100;

/** Merges the records of several workers into one order, by the time at which each request ended. */
export class RecordMerger {
  readonly #emit: (records: readonly RequestRecord[], dropped: number) => void;
  #records: RequestRecord[] = [];
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(emit: (records: readonly RequestRecord[], dropped: number) => void) {
    this.#emit = emit;
  }

  add(records: readonly RequestRecord[], dropped: number): void {
    this.#records.push(...records);
    this.#dropped += dropped;
    this.#timer ??= setTimeout(() => this.flush(), MERGE_MS).unref();
  }

  /** Emits all records received so far. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const records = this.#records.sort((a, b) => a.at + a.durationMs - (b.at + b.durationMs));
    const dropped = this.#dropped;
    this.#records = [];
    this.#dropped = 0;
    if (records.length > 0) this.#emit(records, dropped);
  }
}
