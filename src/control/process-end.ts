/**
 * Makes sure that the process exits. process.exit() waits for every thread that is blocked in a system call, such as a name
 * lookup (minutes if name servers do not answer) or a read from a file system that hangs. Then only SIGKILL ends the process.
 */
import type { Worker } from 'node:worker_threads';
import type { Log } from './log.js';

/** Requests that run in libuv's threads, by their names in process.getActiveResourcesInfo(). */
const IN_A_THREAD = /^(?:GetAddrInfo|GetNameInfo|FS)Req/;

/** Why a thread cannot be ended. */
export const BLOCKED_THREAD = 'a thread is blocked in a system call, such as a name lookup without an answer';

export class ProcessEnd {
  readonly #log: Log;
  readonly #threads = new Set<Worker>();
  #deadline: NodeJS.Timeout | undefined;

  /** Counts the threads that start from now on. */
  constructor(log: Log) {
    this.#log = log;
    process.on('worker', this.#started);
  }

  /** Kills the process after `ms` milliseconds unless it has exited. A later call replaces an earlier one. */
  within(ms: number): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#kill('did not end in time'), ms).unref();
  }

  /** All work is done: exits after `ms` milliseconds, or at once on one of `signals`. */
  soon(ms: number, signals: readonly NodeJS.Signals[]): void {
    const end = (): void => this.#now();
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(end, ms).unref();
    for (const signal of signals) process.on(signal, end);
  }

  #now(): void {
    const held = this.#threads.size > 0 || process.getActiveResourcesInfo().some((name) => IN_A_THREAD.test(name));
    if (held) this.#kill(BLOCKED_THREAD);
    else process.exit();
  }

  #kill(cause: string): void {
    this.#log.warn('killing the process', { cause });
    process.kill(process.pid, 'SIGKILL');
  }

  readonly #started = (thread: Worker): void => {
    this.#threads.add(thread);
    thread.once('exit', () => this.#threads.delete(thread));
  };
}
