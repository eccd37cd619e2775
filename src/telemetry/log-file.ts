/** An open destination of log lines. What waits for it is bounded, and everything that it does not take is counted. */
import { close } from 'node:fs';
import sonicBoom, { type SonicBoom } from 'sonic-boom';

declare module 'sonic-boom' {
  interface SonicBoom {
    /** What a stream in buffer mode takes; the package's own types know of text alone. */
    write(data: Uint8Array): boolean;
    readonly destroyed: boolean;
  }
}

/** Milliseconds that end() waits for a destination that takes nothing. */
const END_WITHIN = 2000;
/** Errors after which nothing will ever be written there again. */
const FATAL = new Set(['EPIPE', 'EBADF', 'ERR_STREAM_DESTROYED']);
/** Entries that are written are let go of when there are so many. */
const COMPACT_AFTER = 1024;

export interface LogFileEvents {
  /** Lines that will never be written. */
  lost(lines: number, error: Error): void;
  /** Writing failed; it is tried again with the next lines. */
  failed(error: Error): void;
  /** Writing failed for good. */
  broke(error: Error): void;
  /** Something was written. */
  wrote(): void;
}

interface Handed {
  bytes: number;
  readonly lines: number;
}

export class LogFile {
  readonly fd: number;
  readonly #stream: SonicBoom;
  readonly #events: LogFileEvents;
  /** What waits to be written, in order, from #at on. */
  #handed: Handed[] = [];
  #at = 0;
  #error: Error | undefined;

  /** Takes over `fd`. `maxWaiting`: bytes that may wait for it. */
  constructor(fd: number, maxWaiting: number, events: LogFileEvents) {
    this.fd = fd;
    this.#events = events;
    this.#stream = new sonicBoom.SonicBoom({ fd, sync: false, maxLength: maxWaiting, contentMode: 'buffer' });
    this.#stream.on('error', (error: NodeJS.ErrnoException) => this.#onError(error));
    this.#stream.on('write', (bytes: number) => this.#onWrite(bytes));
    this.#stream.on('drop', () => this.#onDrop());
  }

  /** Whole lines; the bytes are kept until they are written. */
  write(bytes: Uint8Array, lines: number): void {
    if (this.#stream.destroyed) {
      this.#events.lost(lines, new Error('The access log is closed.'));
      return;
    }
    this.#handed.push({ bytes: bytes.length, lines });
    this.#stream.write(bytes);
  }

  #onWrite(bytes: number): void {
    let left = bytes;
    for (let entry = this.#handed[this.#at]; entry !== undefined && left > 0; entry = this.#handed[this.#at]) {
      const part = Math.min(left, entry.bytes);
      entry.bytes -= part;
      left -= part;
      if (entry.bytes === 0) this.#at++;
    }
    if (this.#at >= COMPACT_AFTER) {
      this.#handed = this.#handed.slice(this.#at);
      this.#at = 0;
    }
    if (bytes === 0) return;
    this.#error = undefined;
    this.#events.wrote();
  }

  /** There is no room for what was handed over last. */
  #onDrop(): void {
    const { lines } = this.#handed.pop() ?? { lines: 0 };
    this.#events.lost(lines, this.#error ?? new Error('its reader is too slow'));
  }

  #onError(error: NodeJS.ErrnoException): void {
    this.#error = error;
    if (FATAL.has(error.code ?? '')) {
      this.destroy(error);
      this.#events.broke(error);
    } else this.#events.failed(error);
  }

  /** Resolves when all lines so far are written; also when they cannot be. */
  flush(): Promise<void> {
    if (this.#stream.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#stream.flush(() => resolve()));
  }

  /** Writes what is left, as far as that can be done in time, and closes. */
  async end(): Promise<void> {
    const stream = this.#stream;
    if (stream.destroyed) return;
    await new Promise<void>((resolve) => {
      const giveUp = (): void => {
        this.destroy(this.#error ?? new Error('its reader is too slow'));
        done();
      };
      const timer = setTimeout(giveUp, END_WITHIN);
      const done = (): void => {
        clearTimeout(timer);
        resolve();
      };
      stream.once('close', done);
      stream.once('error', giveUp);
      stream.end();
    });
  }

  /** Closes at once; what waits is lost for the reason given. */
  destroy(error: Error): void {
    if (this.#stream.destroyed) return;
    let lines = 0;
    for (let at = this.#at; at < this.#handed.length; at++) lines += this.#handed[at]!.lines;
    this.#handed = [];
    this.#at = 0;
    this.#stream.destroy();
    if (lines > 0) this.#events.lost(lines, error);
  }
}

/** Closes what was opened in vain. */
export function letGo(fd: number): void {
  close(fd, () => {});
}
