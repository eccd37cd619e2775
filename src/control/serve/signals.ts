/** The signals of a process that serves a gateway, and errors in it that nothing caught. */
import { inspect } from 'node:util';
import type { Log } from '../log.js';

/** Signals that end a gateway: the first one in order, a second one at once. */
export type EndSignal = 'SIGTERM' | 'SIGQUIT' | 'SIGINT';
/** Signals that ask a gateway for something while it serves. */
export type AskSignal = 'SIGHUP' | 'SIGUSR1';

/** The log message for a rejected promise that no code handles. */
export const UNHANDLED_REJECTION = 'unhandled promise rejection (a bug in gw)';

/** All of them. */
export const END_SIGNALS: readonly EndSignal[] = ['SIGTERM', 'SIGQUIT', 'SIGINT'];
const ASK: readonly AskSignal[] = ['SIGHUP', 'SIGUSR1'];

/** Heard from its construction until close(). What comes before there is a gateway is kept. */
export class Signals {
  readonly first: Promise<EndSignal>;
  readonly second: Promise<EndSignal>;
  /** Resolves with an error that nothing caught: the state of the process cannot be trusted any more. */
  readonly failure: Promise<Error>;
  readonly #log: Log;
  readonly #starting = new AbortController();
  readonly #killing = new AbortController();
  readonly #asked = new Map<AskSignal, () => void>();
  /** Asked for when there was no gateway yet. */
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

  /** Aborted by the first signal that ends: what is starting need not go on. */
  get abort(): AbortSignal {
    return this.#starting.signal;
  }

  /** Aborted by the second one. */
  get kill(): AbortSignal {
    return this.#killing.signal;
  }

  /** The second signal that ends, once it has come. */
  get forced(): EndSignal | undefined {
    return this.#forced;
  }

  /** Does `what` on each such signal; at once when one came before. */
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
  /** A promise that nothing awaited: worth a report, but no reason to drop traffic. */
  readonly #rejected = (reason: unknown): void => {
    this.#log.error(UNHANDLED_REJECTION, { error: inspect(reason) });
  };
}
