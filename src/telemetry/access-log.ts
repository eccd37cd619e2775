/**
 * One line for each finished exchange, as JSON or for people. Lines are gathered and handed over a few times a second,
 * so that a line costs its text and no system call. A destination that is full, slow or gone costs lines, which are
 * counted, and never an exchange.
 */
import { openSync } from 'node:fs';
import sonicBoom, { type SonicBoom } from 'sonic-boom';
import { type LineFormat, lineWriter } from './access-line.js';
import type { LineWriter } from './json-line.js';
import type { RequestRecord } from './snapshot.js';

export interface AccessLogOptions {
  /** `-` is standard output; otherwise a file, appended to. */
  readonly path: string;
  readonly format: LineFormat;
  /** Only for `pretty`. */
  readonly color?: boolean;
  /** Takes lines for standard output in place of this log, in whole lines; what it is given is its own. */
  readonly take?: ((lines: Uint8Array, count: number) => void) | undefined;
  /** Told at most once a minute. */
  readonly onError?: (error: Error, dropped: number) => void;
  /** Bytes that may wait for a slow destination; further lines are dropped. */
  readonly maxWaiting?: number;
}

/** Bytes gathered before they are handed over at once. */
const GATHER = 64 * 1024;
/** Milliseconds until what is gathered is handed over anyhow. */
const HAND_OVER_AFTER = 50;
const MAX_WAITING = 16 * 1024 ** 2;
const TELL_EVERY = 60_000;
/** Milliseconds that close() waits for a destination that takes nothing. */
const CLOSE_WITHIN = 2000;
const STDOUT = 1;
const NEWLINE = 0x0a;

declare module 'sonic-boom' {
  interface SonicBoom {
    /** What a stream in buffer mode takes; the package's own types know of text alone. */
    write(data: Uint8Array): boolean;
  }
}

/** Errors after which nothing will ever be written there again. */
const FATAL = new Set(['EPIPE', 'EBADF', 'ERR_STREAM_DESTROYED']);

export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #writeLine: LineWriter;
  #stream: SonicBoom | undefined;
  #take: AccessLogOptions['take'];
  /** Lines are laid as bytes as they come: text that waits would be text that the garbage collector moves about. */
  #gathered = Buffer.allocUnsafeSlow(GATHER);
  #length = 0;
  #gatheredLines = 0;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  /** Throws where the file cannot be opened for writing: better when a spec is loaded than line by line. */
  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#writeLine = lineWriter(options.format, options.color ?? false);
    if (options.path === '-') this.#take = options.take;
    if (this.#take === undefined) this.#stream = this.#open();
  }

  /** Lines that were lost. */
  get dropped(): number {
    return this.#dropped;
  }

  write(record: RequestRecord): void {
    if (this.#stream === undefined && this.#take === undefined) {
      this.#dropped++;
      return;
    }
    let end = this.#writeLine(record, this.#gathered, this.#length);
    if (end < 0) {
      this.#handOver();
      end = this.#writeFirst(record);
    }
    this.#length = end;
    this.#gatheredLines++;
    this.#timer ??= setTimeout(() => this.#handOver(), HAND_OVER_AFTER);
  }

  /** Lays a line into the empty buffer, and makes room where one line alone is too long for it. */
  #writeFirst(record: RequestRecord): number {
    let end = this.#writeLine(record, this.#gathered, 0);
    while (end < 0) {
      this.#gathered = Buffer.allocUnsafeSlow(this.#gathered.length * 2);
      end = this.#writeLine(record, this.#gathered, 0);
    }
    return end;
  }

  /** Resolves when all lines so far are written; also when they cannot be. */
  flush(): Promise<void> {
    this.#handOver();
    const stream = this.#stream;
    if (stream === undefined) return Promise.resolve();
    return new Promise((resolve) => stream.flush(() => resolve()));
  }

  /** Opens the file anew, after it was moved away. Throws where it cannot be; the old one is then kept. */
  reopen(): void {
    if (this.#take !== undefined) return;
    const fresh = this.#open();
    this.#handOver();
    const old = this.#stream;
    this.#stream = fresh;
    old?.end();
  }

  /** Writes what is left, as far as it can be, and lets go of the file. */
  async close(): Promise<void> {
    this.#handOver();
    const stream = this.#stream;
    this.#stream = undefined;
    this.#take = undefined;
    if (stream === undefined) return;
    await new Promise<void>((resolve) => {
      const giveUp = (): void => {
        stream.destroy();
        done();
      };
      const timer = setTimeout(giveUp, CLOSE_WITHIN);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      stream.once('close', done);
      stream.once('error', giveUp);
      stream.end();
    });
  }

  #open(): SonicBoom {
    const { path, maxWaiting = MAX_WAITING } = this.#options;
    const fd = path === '-' ? STDOUT : openSync(path, 'a', 0o640);
    const stream = new sonicBoom.SonicBoom({ fd, sync: false, maxLength: maxWaiting, contentMode: 'buffer' });
    stream.on('error', (error: NodeJS.ErrnoException) => this.#failed(stream, error));
    stream.on('drop', (lines: Uint8Array) => this.#lost(countLines(lines), new Error('The access log is too slow.')));
    return stream;
  }

  #handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const lines = this.#gathered.subarray(0, this.#length);
    const count = this.#gatheredLines;
    if (count === 0) return;
    this.#gathered = Buffer.allocUnsafeSlow(GATHER);
    this.#length = 0;
    this.#gatheredLines = 0;
    if (this.#take !== undefined) this.#take(lines, count);
    else if (this.#stream === undefined) this.#dropped += count;
    else this.#stream.write(lines);
  }

  #failed(stream: SonicBoom, error: NodeJS.ErrnoException): void {
    if (FATAL.has(error.code ?? '') && this.#stream === stream) {
      this.#stream = undefined;
      stream.destroy();
    }
    this.#lost(0, error);
  }

  #lost(lines: number, error: Error): void {
    this.#dropped += lines;
    const now = performance.now();
    if (now - this.#toldAt < TELL_EVERY) return;
    this.#toldAt = now;
    this.#options.onError?.(error, this.#dropped);
  }
}

function countLines(text: Uint8Array): number {
  let lines = 0;
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
