/**
 * Replies whose client has left while a stage still wants their body: a cache that fills an entry for which other clients wait.
 * The source and the stages go on, and the output of the last one is dropped.
 */
import type { ReplyReceiver } from '../body/types.js';
import type { GwExchange } from '../exchange.js';

/** Replies that a worker reads on at the same time. */
export const MOST_REMAINDERS = 256;
/** Milliseconds for a reply whose exchange has no deadline. */
const LONGEST_MS = 60_000;

export interface RemainderHost {
  monotonic(): number;
  /** Work without a client begins: it holds the generation of the exchange, and a drain waits for it. */
  detach(exchange: GwExchange): boolean;
  /** It has ended. */
  detached(exchange: GwExchange): void;
}

export class Remainders {
  readonly #host: RemainderHost;
  readonly #active = new Set<Remainder>();

  constructor(host: RemainderHost) {
    this.#host = host;
  }

  /** The client of `exchange` has left. Returns false if too many replies are read on. */
  take(exchange: GwExchange): boolean {
    if (this.#active.size >= MOST_REMAINDERS || !this.#host.detach(exchange)) return false;
    if (exchange.deadline === 0) exchange.deadline = this.#host.monotonic() + LONGEST_MS;
    const remainder = new Remainder(exchange, () => {
      this.#active.delete(remainder);
      this.#host.detached(exchange);
    });
    this.#active.add(remainder);
    exchange.remainder = remainder;
    exchange.bodies!.divertReply(remainder);
    return true;
  }

  get count(): number {
    return this.#active.size;
  }

  /** Ends those whose time is up. `now`: monotonic milliseconds. */
  sweep(now: number): void {
    for (const remainder of this.#active) if (remainder.deadline <= now) remainder.fail('exchange timeout');
  }

  /** Ends all of them. */
  close(): void {
    for (const remainder of this.#active) remainder.fail('the gateway has stopped');
  }
}

class Remainder implements ReplyReceiver {
  readonly #exchange: GwExchange;
  readonly #ended: () => void;
  #over = false;

  constructor(exchange: GwExchange, ended: () => void) {
    this.#exchange = exchange;
    this.#ended = ended;
  }

  get deadline(): number {
    return this.#exchange.deadline;
  }

  body(_buffer: Buffer, _start: number, _end: number, last: boolean): boolean {
    if (last) this.#end('sent');
    return true;
  }

  trailers(): void {}

  /** The body cannot be completed. Idempotent. */
  fail(cause: string): void {
    this.#end(cause);
  }

  #end(cause: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#exchange.remainder = undefined;
    this.#exchange.source?.cancel();
    this.#exchange.bodies?.end(cause);
    this.#ended();
  }
}
