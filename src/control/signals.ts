/** The signals of a process that serves a gateway, and its uncaught errors. */
import { inspect } from 'node:util';
import type { Log } from './log.js';

/** Signals that stop a gateway: the first one drains, a second one stops at once. */
export type EndSignal = 'SIGTERM' | 'SIGQUIT' | 'SIGINT';
/** Signals that request an action while the gateway serves. */
export type AskSignal = 'SIGHUP' | 'SIGUSR1';

/** The log message for a rejected promise that no code handles. */
export const UNHANDLED_REJECTION = 'unhandled promise rejection (a bug in gw)';

/** All of them. */
export const END_SIGNALS: readonly EndSignal[] = ['SIGTERM', 'SIGQUIT', 'SIGINT'];
const ASK: readonly AskSignal[] = ['SIGHUP', 'SIGUSR1'];

/** Handles signals from its construction until close(). Those that arrive before the gateway exists are kept. */
export class Signals {
  readonly first: Promise<EndSignal>;
  readonly second: Promise<EndSignal>;
  /** Resolves with an uncaught error: the state of the process cannot be trusted any more. */
  readonly failure: Promise<Error>;
  readonly #log: Log;
  readonly #starting = new AbortController();
  readonly #killing = new AbortController();
  readonly #asked = new Map<AskSignal, () => void>();
  /** Received before a handler was set. */
  readonly #early = new Set<AskSignal>();
  #resolveFirst: (signal: EndSignal) => void = () => {};
  #resolveSecond: (signal: EndSignal) => void = () => {};
  #resolveFailure: (error: Error) => void = () => {};
  #count = 0;
  #forced: EndSignal | undefined;

  constructor(log: Log) {
    this.#log = log;
    this.first = new Promise((resolve) => {
      this.#resolveFirst = resolve;
    });
    this.second = new Promise((resolve) => {
      this.#resolveSecond = resolve;
    });
    this.failure = new Promise((resolve) => {
      this.#resolveFailure = resolve;
    });
    for (const signal of END_SIGNALS) process.on(signal, this.#end);
    for (const signal of ASK) process.on(signal, this.#ask);
    process.on('SIGUSR2', this.#ignore);
    process.on('uncaughtException', this.#caught);
    process.on('unhandledRejection', this.#rejected);
  }

  /** Aborted by the first signal that stops: cancels a start. */
  get abort(): AbortSignal {
    return this.#starting.signal;
  }

  /** Aborted by the second one. */
  get kill(): AbortSignal {
    return this.#killing.signal;
  }

  /** The second signal that stops, once received. */
  get forced(): EndSignal | undefined {
    return this.#forced;
  }

  /** Calls `what` on each such signal; at once if one was received before. */
  handle(signal: AskSignal, what: () => void): void {
    this.#asked.set(signal, what);
    if (this.#early.delete(signal)) what();
  }

  close(): void {
    for (const signal of END_SIGNALS) process.off(signal, this.#end);
    for (const signal of ASK) process.off(signal, this.#ask);
    process.off('SIGUSR2', this.#ignore);
    process.off('uncaughtException', this.#caught);
    process.off('unhandledRejection', this.#rejected);
  }

  readonly #end = (signal: EndSignal): void => {
    this.#count++;
    this.#starting.abort();
    if (this.#count === 1) {
      this.#resolveFirst(signal);
      return;
    }
    this.#forced ??= signal;
    this.#killing.abort();
    this.#resolveSecond(signal);
  };
  readonly #ask = (signal: AskSignal): void => {
    const what = this.#asked.get(signal);
    if (what === undefined) this.#early.add(signal);
    else what();
  };
  readonly #ignore = (): void => {};
  readonly #caught = (error: Error): void => this.#resolveFailure(error);
  /** A bug to report, but no reason to drop traffic. */
  readonly #rejected = (reason: unknown): void => {
    this.#log.error(UNHANDLED_REJECTION, { error: inspect(reason) });
  };
}
