/**
 * The one driver of exchanges, for every downstream and for offline runs:
 *
 *     begin -> route -> bounds -> chain.enter -> action --\
 *                 \        \           \                   >-- #exit -> chain.leave -> downstream.send
 *     fail -------------------------------------------------/
 *
 * Every reply goes out by #exit, whether it comes from a policy, the action, or the engine, and passes there the after() of
 * the policies that are due to see it.
 */
import type { Reply } from '../../policies/contract.js';
import { BUG_CAUSE } from '../errors/cause.js';
import { ERRORS, type ErrorSlug } from '../errors/errors.js';
import type { Service } from '../upstream/service.js';
import { discard } from './chain.js';
import type { Downstream, ReplySource } from './downstream.js';
import type { GwExchange } from './exchange.js';
import { markMiss } from './preflight.js';
import { refuse, routeRequest } from './route-request.js';
import { streamLength } from './target-reply.js';

/** What differs between the data plane and an offline run. */
export interface DriverHost {
  /** The exchange's route is known, or that it has none. Nothing has been sent. */
  routed(exchange: GwExchange): void;
  /** What asks a target of `service` and brings the reply to replied() once it is started. */
  ask(exchange: GwExchange, service: Service): ReplySource;
  /** A bug in gw: logs it. */
  bug(error: unknown, request: string): void;
}

export class Driver {
  readonly #host: DriverHost;

  constructor(host: DriverHost) {
    this.#host = host;
  }

  /** Sends an exchange on its way. Throws only for a bug in gw. */
  begin(exchange: GwExchange, downstream: Downstream): void {
    exchange.downstream = downstream;
    const refused = this.#route(exchange);
    this.#host.routed(exchange);
    const reply = refused ?? bound(exchange);
    if (reply !== undefined) this.#exit(exchange, reply);
    else this.#enter(exchange);
  }

  #route(exchange: GwExchange): Reply | undefined {
    try {
      return routeRequest(exchange);
    } catch (error) {
      this.#host.bug(error, exchange.id);
      return refuse(exchange, 'gateway/failed', BUG_CAUSE);
    }
  }

  #enter(exchange: GwExchange): void {
    const result = exchange.compiled!.chain.enter(exchange);
    if (result === undefined) this.#act(exchange);
    else if (result instanceof Promise) void this.#wait(exchange, result);
    else this.#exit(exchange, result);
  }

  /** The downstream's own calls are over by then: what throws here must not be lost. */
  async #wait(exchange: GwExchange, entering: Promise<Reply | undefined>): Promise<void> {
    try {
      const reply = await entering;
      if (exchange.settled) {
        if (reply !== undefined) discard(reply);
      } else if (reply === undefined) this.#act(exchange);
      else this.#exit(exchange, reply);
    } catch (error) {
      exchange.downstream!.broke(error);
    }
  }

  /** Every policy let the exchange pass. */
  #act(exchange: GwExchange): void {
    const { reply, service } = exchange.compiled!;
    if (reply !== undefined) this.#exit(exchange, reply());
    else if (service === undefined) this.#exit(exchange, refuse(exchange, 'upstream/none', NO_SERVICE));
    else {
      const source = this.#host.ask(exchange, service);
      exchange.source = source;
      source.start();
    }
  }

  /** The action's reply. */
  replied(exchange: GwExchange, reply: Reply): void {
    if (exchange.settled) discard(reply);
    else this.#exit(exchange, reply);
  }

  /**
   * The exchange cannot go on. The client gets the error, also while a policy is still waiting; where the error has no
   * reply, or some of a reply is out, it sees that it was cut. `cause` is for the log.
   */
  fail(exchange: GwExchange, error: ErrorSlug, cause: string): void {
    if (exchange.over) return;
    const downstream = exchange.downstream!;
    downstream.dropBody();
    if (ERRORS[error].status !== 0 && (!exchange.settled || downstream.takeBack())) {
      this.#exit(exchange, refuse(exchange, error, cause));
      return;
    }
    exchange.error = error;
    exchange.cause = cause;
    exchange.settled = true;
    downstream.cut();
  }

  /** The only way by which a reply goes out. */
  #exit(exchange: GwExchange, given: Reply): void {
    const { compiled, source } = exchange;
    const reply = compiled === undefined ? markMiss(exchange, given) : compiled.chain.leave(exchange, given);
    exchange.settled = true;
    // RFC 9110 section 15.3.6: a 205 has no body.
    if (reply.status === 205 && (source === undefined || reply.body !== source || streamLength(205, source) !== 0))
      reply.body = null;
    if (source !== undefined && reply.body !== source) source.cancel();
    exchange.downstream!.send(reply);
  }
}

const NO_SERVICE = 'the route has no service';

/** Sets the bounds of the exchange's route. A reply where the request is beyond one already. */
function bound(exchange: GwExchange): Reply | undefined {
  const { contentLength, route } = exchange;
  const maxBody = route.maxBodyBytes ?? exchange.peer.listener.entry.maxBodyBytes;
  exchange.maxBody = maxBody;
  if (route.timeout > 0) exchange.deadline = exchange.startMs + route.timeout;
  if (contentLength <= maxBody) return undefined;
  const cause = `Content-Length ${contentLength} is above ${maxBody} bytes (max_body)`;
  return refuse(exchange, 'request/body-too-large', cause);
}
