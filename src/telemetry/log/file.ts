/**
 * Writes log lines to a file that may be rotated at any time, to a pipe, or to a device, without blocking this thread. Before
 * each write it checks that the path still leads to the open file. Lines that cannot be written wait, up to a bound, for
 * disk space, for a reader, or for another file at the path; further lines are dropped and counted.
 */
import { write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { Backoff, Delay } from '../../delay.js';
import { errnoCode } from '../../reason.js';
import { LogQueue } from './queue.js';
import {
  closeTarget,
  descriptorTarget,
  idAt,
  isNamed,
  type LogTarget,
  openTarget,
  openTargetSoon,
  sizeOf,
} from './target.js';

const writeFile = promisify(write);

/** Milliseconds that end() waits for a stalled destination. */
const END_WITHIN = 2000;
/** Milliseconds until a failed attempt is repeated. */
const RETRY_EVERY = 250;
/** Waits until a full pipe is tried again. */
const FULL_PIPE_BACKOFF = { firstMs: 2, maxMs: 64 } as const;
/** PIPE_BUF of Linux: writes up to this size are atomic, also with several threads. */
const ONE_PIECE = 4096;
/** Bytes written to a pipe or a device per event loop turn. */
const TURN = 65_536;
const NEWLINE = Uint8Array.of(0x0a);

export interface LogFileEvents {
  /** Lines that will never be written. */
  lost(lines: number, error: Error): void;
  /** Writing failed; it is tried again. */
  failed(error: Error): void;
  /** Writing failed for good. */
  broke(error: Error): void;
  /** Something was written. */
  wrote(): void;
}

export class LogFile {
  /** Undefined for a descriptor. */
  readonly #path: string | undefined;
  readonly #queue: LogQueue;
  readonly #events: LogFileEvents;
  #target: LogTarget | undefined;
  #running = false;
  #reopen = false;
  #ending = false;
  #over = false;
  /** Why the last attempt failed; undefined after a success. */
  #error: Error | undefined;
  /** Size of the file when a write failed within a line. */
  #tornSize: number | undefined;
  /** Opening the path failed: the open file is used until this time. */
  #openAt = 0;
  readonly #fullPipe = new Backoff(FULL_PIPE_BACKOFF);
  readonly #delay = new Delay();
  /** The last attempt failed, and the next one is not due yet. */
  #backingOff = false;
  #settled: (() => void)[] = [];

  /**
   * Opens a path, or uses a descriptor, which stays open. `maxWaiting`: bytes that may wait. @throws Error if the path cannot
   * be opened; a pipe without a reader is not an error.
   */
  constructor(where: string | number, maxWaiting: number, events: LogFileEvents) {
    this.#path = typeof where === 'string' ? where : undefined;
    this.#queue = new LogQueue(maxWaiting);
    this.#events = events;
    this.#target = typeof where === 'string' ? openTarget(where) : descriptorTarget(where);
    if (this.#target === undefined) this.#fail(noReader());
  }

  /** Whole lines; the bytes are kept until they are written. */
  write(bytes: Uint8Array, lines: number): void {
    if (this.#over) this.#events.lost(lines, this.#error ?? logClosed());
    else if (this.#queue.add(bytes, lines)) this.#run();
    else this.#events.lost(lines, this.#error ?? readerTooSlow());
  }

  /** Reopens the path, even if nothing waits to be written. */
  reopen(): void {
    if (this.#path === undefined || this.#over) return;
    this.#reopen = true;
    this.#openAt = 0;
    this.#delay.interrupt();
    this.#run();
  }

  /** Resolves when all lines so far are written, or cannot be written at the moment. */
  flush(): Promise<void> {
    if (this.#over || this.#backingOff || (this.#queue.isEmpty && !this.#running)) return Promise.resolve();
    return new Promise((resolve) => this.#settled.push(resolve));
  }

  /** Writes the remaining lines if that is possible in time, and closes. */
  async end(): Promise<void> {
    if (this.#over) return;
    this.#ending = true;
    this.#delay.interrupt();
    if (!this.#queue.isEmpty || this.#running) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, END_WITHIN);
        this.#settled.push(() => {
          clearTimeout(timer);
          resolve();
        });
        this.#run();
      });
    }
    this.#close(this.#error ?? readerTooSlow());
  }

  /** Drops waiting lines for this reason. */
  #close(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#delay.interrupt();
    const lines = this.#queue.clear();
    // A running write needs its descriptor: the loop closes it.
    if (!this.#running) this.#closeTarget();
    if (lines > 0) this.#events.lost(lines, error);
    this.#settle();
  }

  #closeTarget(): void {
    if (this.#target !== undefined) closeTarget(this.#target);
    this.#target = undefined;
  }

  #settle(): void {
    for (const resolve of this.#settled.splice(0)) resolve();
  }

  #run(): void {
    if (this.#running || this.#over) return;
    this.#running = true;
    this.#loop()
      .catch((error: unknown) => this.#break(error))
      .finally(() => {
        this.#running = false;
        if (this.#over) this.#closeTarget();
        this.#settle();
        // It may have been requested in the last turn of the loop.
        if (!this.#over && (this.#reopen || !this.#queue.isEmpty) && !(this.#ending && this.#error)) this.#run();
      });
  }

  async #loop(): Promise<void> {
    while (!this.#over && (this.#reopen || !this.#queue.isEmpty)) {
      try {
        await this.#follow();
        if (this.#over) return;
        if (this.#target === undefined) throw this.#error ?? noReader();
        await this.#resumeLine(this.#target);
        await this.#writeNext(this.#target);
      } catch (error) {
        if (!(await this.#mayRetry(error))) return;
      }
    }
  }

  /** Waits after a failure. False: a retry is useless. */
  async #mayRetry(error: unknown): Promise<boolean> {
    if (this.#over) return false;
    const code = errnoCode(error);
    if (code === 'EAGAIN') {
      await this.#pause(this.#fullPipe.next());
      return true;
    }
    if (this.#path === undefined && (code === 'EPIPE' || code === 'EBADF')) {
      this.#break(error);
      return false;
    }
    if (code === 'EPIPE') this.#drop();
    const target = this.#target;
    if (target?.isFile && this.#queue.isWithinLine) this.#tornSize ??= await sizeOf(target.fd).catch(() => -1);
    this.#fail(error instanceof Error ? error : new Error(String(error)));
    this.#settle();
    if (this.#ending) return false;
    this.#backingOff = true;
    await this.#pause(RETRY_EVERY);
    this.#backingOff = false;
    return true;
  }

  /** Reopens the path if it does not lead to the open file any more. */
  async #follow(): Promise<void> {
    const path = this.#path;
    if (path === undefined) return;
    const asked = this.#reopen;
    if (!asked && this.#target !== undefined && (await idAt(path)) === this.#target.id) return;
    if (this.#target !== undefined && performance.now() < this.#openAt) return;
    this.#reopen = false;
    try {
      const next = await openTargetSoon(path);
      this.#drop();
      this.#target = next;
      if (next === undefined) throw noReader();
    } catch (error) {
      this.#openAt = performance.now() + RETRY_EVERY;
      // A moved file still keeps lines; a removed one loses them and uses disk space.
      if (this.#target !== undefined && !(await isNamed(this.#target.fd))) this.#drop();
      if (this.#target === undefined) throw error;
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #drop(): void {
    this.#closeTarget();
    this.#tornSize = undefined;
    this.#queue.rewind();
  }

  /** Continues a line, unless others have appended after its first part: then the line is written again, on its own line. */
  async #resumeLine(target: LogTarget): Promise<void> {
    if (this.#tornSize === undefined) return;
    const size = await sizeOf(target.fd);
    if (size !== this.#tornSize) {
      if (size > 0) await writeFile(target.fd, NEWLINE);
      this.#queue.rewind();
    }
    this.#tornSize = undefined;
  }

  async #writeNext(target: LogTarget): Promise<void> {
    if (target.isFile) {
      const bytes = this.#queue.next();
      if (bytes === undefined) return;
      const { bytesWritten } = await writeFile(target.fd, bytes);
      this.#wrote(bytesWritten);
      return;
    }
    for (let turn = 0; turn < TURN; ) {
      const bytes = this.#queue.next(ONE_PIECE);
      if (bytes === undefined) break;
      const count = writeSync(target.fd, bytes);
      turn += count;
      this.#wrote(count);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }

  #wrote(count: number): void {
    this.#queue.advance(count);
    if (count === 0) return;
    this.#error = undefined;
    this.#fullPipe.reset();
    this.#events.wrote();
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#events.failed(error);
  }

  #break(error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error));
    this.#close(cause);
    this.#events.broke(cause);
  }

  /** Lines that wait do not keep the process: end() does, for as long as it waits. */
  #pause(ms: number): Promise<void> {
    return this.#delay.wait(ms, { unref: true });
  }
}

const noReader = (): Error => new Error('it is a pipe without a reader');
export const readerTooSlow = (): Error => new Error('reader too slow');
const logClosed = (): Error => new Error('access log closed');
