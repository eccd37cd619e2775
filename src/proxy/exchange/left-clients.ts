/**
 * Exchanges that go on although their client has left, because a policy (`lasting`) or the service (`on_client_close`) asked for
 * it: the reply of the target is read to its end, through the steps of the chain, and goes nowhere.
 */
import type { Reply } from '../../policies/contract.js';
import { BUG_CAUSE, timeSpan } from '../errors/cause.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { Downstream } from './downstream.js';
import type { Driver } from './driver.js';
import type { GwExchange } from './exchange.js';

/** Of a worker at the same time; further ones end with their clients. */
export const MOST_LEFT = 1024;
/** Milliseconds for the rest of an exchange whose route has no `timeout`. */
const LEFT_MS = 60_000;

export interface LeftHost {
  readonly driver: Driver;
  /** Monotonic milliseconds. */
  monotonic(): number;
  end(exchange: GwExchange, status: number, bytesIn: number, bytesOut: number, cut: boolean, now: number): void;
  bug(error: unknown, request: string): void;
}

/** What the client's connection knows of its exchange. */
export interface LeftFacts {
  /** Of the reply that it has begun to send; 0 for none. */
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export class LeftClients {
  readonly #host: LeftHost;
  readonly #active = new Set<LeftClient>();

  constructor(host: LeftHost) {
    this.#host = host;
  }

  get count(): number {
    return this.#active.size;
  }

  /**
   * Takes the place of the client's connection. `error`, `cause`: how the client left, for the log. Returns false if the exchange
   * ends with its client: neither a policy nor the service asked otherwise, or too many go on.
   */
  adopt(exchange: GwExchange, error: ErrorSlug, cause: string, facts: LeftFacts): boolean {
    const lasts = exchange.lasting || exchange.source?.lasts === true;
    if (!lasts || exchange.over || this.#active.size >= MOST_LEFT) return false;
    const left = new LeftClient(this.#host, exchange, facts, () => this.#active.delete(left));
    this.#active.add(left);
    if (exchange.deadline === 0) exchange.deadline = this.#host.monotonic() + LEFT_MS;
    exchange.error = error;
    exchange.cause = cause;
    redirect(exchange, left);
    return true;
  }

  *exchanges(): Generator<GwExchange> {
    for (const { exchange } of this.#active) yield exchange;
  }

  /** Ends all of them. */
  close(): void {
    for (const { exchange } of this.#active)
      this.#host.driver.fail(exchange, 'gateway/drained', 'the gateway has stopped');
  }

  /** Checks all deadlines; called a few times a second with the monotonic time. */
  sweep(now: number): void {
    for (const { exchange } of this.#active) {
      if (exchange.deadline > now) continue;
      const took = timeSpan(exchange.deadline - exchange.startMs);
      this.#host.driver.fail(exchange, 'exchange/timeout', `exchange timeout (${took})`);
    }
  }
}

/** `downstream` takes the place of the client's connection, also within the reply. */
function redirect(exchange: GwExchange, downstream: Downstream): void {
  const before = exchange.downstream!;
  exchange.downstream = downstream;
  exchange.bodies?.redirect(before, downstream);
  if (exchange.receiver === before) exchange.receiver = downstream;
  if (exchange.sending) exchange.drained();
}

class LeftClient implements Downstream {
  readonly taken = 0;
  readonly exchange: GwExchange;
  readonly #host: LeftHost;
  readonly #facts: LeftFacts;
  readonly #ended: () => void;
  #status: number;

  constructor(host: LeftHost, exchange: GwExchange, facts: LeftFacts, ended: () => void) {
    this.#host = host;
    this.exchange = exchange;
    this.#facts = facts;
    this.#ended = ended;
    this.#status = facts.status;
  }

  send(reply: Reply): void {
    this.#status = reply.status;
    const { source } = this.exchange;
    if (source !== undefined && reply.body === source) source.flow();
    else this.#end();
  }

  body(_buffer: Buffer, _start: number, _end: number, last: boolean): boolean {
    if (last) this.#end();
    return true;
  }

  cut(): void {
    this.#end();
  }

  #end(): void {
    const { exchange } = this;
    if (exchange.over) return;
    exchange.end(true);
    this.#ended();
    const { bytesIn, bytesOut } = this.#facts;
    this.#host.end(exchange, this.#status, bytesIn, bytesOut, true, this.#host.monotonic());
  }

  broke(error: unknown): void {
    this.#host.bug(error, this.exchange.id);
    this.#host.driver.fail(this.exchange, 'gateway/failed', BUG_CAUSE);
  }

  /** A reply that has left the chain goes on: what would take its place is not read either. */
  takeBack(): boolean {
    return false;
  }

  // The request is here as a whole, and there is no client for the rest.
  pull(): void {}
  dropBody(): void {}
  trailers(): void {}
  interim(): void {}
  tunnel(): void {}
  tunnelWrite(): void {}
  tunnelWantsMore(): void {}
  tunnelHalfEnded(): void {}
  tunnelEnded(): void {}
}
