/**
 * The access log: one line per finished exchange, as JSON or in readable form. Lines are buffered and written a few times a
 * second, so that a line needs no system call. If the destination is full, slow or closed, lines are dropped and counted;
 * exchanges are not affected.
 */
import { destinationOf } from '../../output-file.js';
import { reasonOf } from '../../reason.js';
import type { RequestRecord } from '../snapshot.js';
import { type LineFormat, lineWriter } from './access-line.js';
import { LogFile } from './file.js';
import type { LineWriter } from './json-line.js';
import { type LossEvents, Losses } from './losses.js';

export interface AccessLogOptions extends LossEvents {
  /** `-`: standard output; otherwise a file to append to. */
  readonly path: string;
  readonly format: LineFormat;
  /** Only for `pretty`. */
  readonly color?: boolean;
  /** Receives whole lines for standard output instead of this log writing them. It owns the bytes. */
  readonly take?: ((lines: Uint8Array, count: number) => void) | undefined;
  /** Bytes that may wait for a slow destination; further lines are dropped. */
  readonly maxWaiting?: number;
}

/** Buffer size; a full buffer is written at once. */
const GATHER = 64 * 1024;
/** Milliseconds until the buffer is written anyway. */
const HAND_OVER_AFTER = 50;
const MAX_WAITING = 16 * 1024 ** 2;
const STDOUT = 1;

export class AccessLog {
  readonly #options: AccessLogOptions;
  readonly #writeLine: LineWriter;
  #file: LogFile | undefined;
  /** Closed, or broken for good: nothing more is written. */
  #over = false;
  #closed = false;
  #take: AccessLogOptions['take'];
  /** Lines are encoded at once: waiting strings would be moved by the garbage collector. */
  #gathered = Buffer.allocUnsafeSlow(GATHER);
  #length = 0;
  #gatheredLines = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #losses: Losses;

  /** @throws Error if the file cannot be opened for writing, so that the load fails and not each line. */
  constructor(options: AccessLogOptions) {
    this.#options = options;
    this.#losses = new Losses(options);
    this.#writeLine = lineWriter(options.format, options.color ?? false);
    const toOutput = isStandardOutput(options.path);
    if (toOutput) this.#take = options.take;
    if (this.#take === undefined) this.#file = this.#fileOf(toOutput ? STDOUT : options.path);
  }

  /** Number of dropped lines. */
  get dropped(): number {
    return this.#losses.dropped;
  }

  write(record: RequestRecord): void {
    if (this.#over) {
      this.#losses.count(1);
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

  /** Writes a line into the empty buffer, and enlarges the buffer if the line is too long for it. */
  #writeFirst(record: RequestRecord): number {
    let end = this.#writeLine(record, this.#gathered, 0);
    while (end < 0) {
      this.#gathered = Buffer.allocUnsafeSlow(this.#gathered.length * 2);
      end = this.#writeLine(record, this.#gathered, 0);
    }
    return end;
  }

  /** Resolves when all lines so far are written, or cannot be written. */
  flush(): Promise<void> {
    this.#handOver();
    return this.#file?.flush() ?? Promise.resolve();
  }

  /** Reopens the file: the next line goes to the file that is at the path now. */
  reopen(): void {
    this.#handOver();
    this.#file?.reopen();
  }

  /** Writes the remaining lines if possible, and closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#handOver();
    this.#closed = true;
    this.#over = true;
    await this.#file?.end();
    this.#losses.close();
  }

  #fileOf(where: string | number): LogFile {
    return new LogFile(where, this.#options.maxWaiting ?? MAX_WAITING, {
      lost: (lines, error) => this.#losses.add(lines, error),
      failed: (error) => this.#losses.add(0, error),
      broke: (error) => {
        // The reader of standard output has closed it.
        this.#over = true;
        this.#losses.add(0, error);
      },
      wrote: () => this.#losses.recovered(),
    });
  }

  #handOver(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const count = this.#gatheredLines;
    if (count === 0) return;
    const lines = this.#takeGathered();
    if (this.#take !== undefined) {
      this.#take(lines, count);
      return;
    }
    this.#file?.write(lines, count);
  }

  /** The buffered bytes, in memory of about their size: they may wait long, and the bound counts their length. */
  #takeGathered(): Buffer {
    const length = this.#length;
    this.#length = 0;
    this.#gatheredLines = 0;
    const lines = this.#gathered.subarray(0, length);
    if (this.#gathered.length === GATHER && length < GATHER / 2) {
      const copy = Buffer.allocUnsafeSlow(length);
      lines.copy(copy);
      return copy;
    }
    this.#gathered = Buffer.allocUnsafeSlow(GATHER);
    return lines;
  }
}

/** Opens an access log. @throws Error whose message says in words why the file cannot be opened. */
export function openAccessLog(options: AccessLogOptions): AccessLog {
  try {
    return new AccessLog(options);
  } catch (error) {
    const reason = reasonOf(error, 'write');
    throw new Error(`the access log \`${options.path}\` cannot be opened: ${reason}`, { cause: error });
  }
}

/** True for `-` and for other names of standard output, which must have one writer. */
function isStandardOutput(path: string): boolean {
  if (path === '-') return true;
  try {
    const to = destinationOf(path);
    return to.kind === 'descriptor' && to.fd === STDOUT;
  } catch {
    // Opening it reports the error.
    return false;
  }
}
