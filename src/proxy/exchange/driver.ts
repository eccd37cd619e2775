/**
 * The one driver of exchanges, for every downstream and for offline runs:
 *
 *     begin -> route -> bounds -> chain.enter -> action --\
 *                 \        \           \                   >-- #exit -> chain.leave -> downstream.send
 *     fail -------------------------------------------------/
 *
 * Every reply is sent by #exit, whether it comes from a policy, the action or the engine; #exit applies after() of the
 * policies that must see it.
 */
import type { Awaitable, Forwarded, Reply, ReplyBody } from '../../policies/contract.js';
import { BytesReply, LentBytes } from '../../policies/run-kit.js';
import { messageOf } from '../../reason.js';
import { BUG_CAUSE } from '../errors/cause.js';
import { ERRORS, type ErrorSlug } from '../errors/errors.js';
import { Seen } from '../http/seen.js';
import type { Service } from '../upstream/service.js';
import { FORWARDED } from './actions.js';
import { refuse } from './chain/refuse.js';
import { discard, faultOf } from './chain/replies.js';
import type { Downstream, ReplySource } from './downstream.js';
import type { GwExchange } from './exchange.js';
import { receivedCall, translatedCall } from './grpc/call.js';
import { removeIdentity } from './identity-fields.js';
import { markMiss } from './preflight.js';
import { forwardCertificate, routeRequest } from './route-request.js';
import { setStickyCookie } from './sticky-cookie.js';
import { TargetReply } from './target-reply.js';

/** The parts that differ between the data plane and an offline run. */
export interface DriverHost {
  /** The route of the exchange is determined; it may have none. Nothing has been sent. */
  routed(exchange: GwExchange): void;
  /** Creates the source that sends the request to a target of `service` and calls replied() with its reply. */
  ask(exchange: GwExchange, service: Service): ReplySource;
  /** Logs an unexpected exception. */
  bug(error: unknown, request: string): void;
}

export class Driver {
  readonly #host: DriverHost;

  constructor(host: DriverHost) {
    this.#host = host;
  }

  /** Starts an exchange. Throws only for a bug in gw. */
  begin(exchange: GwExchange, downstream: Downstream): void {
    exchange.downstream = downstream;
    exchange.receiver = downstream;
    exchange.driver = this;
    const refused = this.#route(exchange);
    // A cache in front of gw may keep a 200 to a GET, and Content-Type is not part of its key.
    if (exchange.seen & Seen.Grpc && exchange.method === 'POST') exchange.grpc = receivedCall(exchange);
    this.#host.routed(exchange);
    const reply = refused ?? bound(exchange);
    if (reply !== undefined) {
      this.#exit(exchange, reply);
      return;
    }
    removeIdentity(exchange, exchange.compiled!.identityGuard);
    if (exchange.peer.listener.policies !== undefined) forwardCertificate(exchange);
    this.#enter(exchange);
  }

  /** Starts a copy of an exchange that has passed its first steps. Throws only for a bug in gw. */
  resume(exchange: GwExchange, downstream: Downstream): void {
    exchange.downstream = downstream;
    exchange.receiver = downstream;
    exchange.driver = this;
    this.#enter(exchange);
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
    if (result instanceof Promise) void this.#wait(exchange, result);
    else if (result !== undefined) this.#exit(exchange, result);
    else if (!exchange.settled) this.#act(exchange);
  }

  /**
   * Waits for an asynchronous policy. No caller of the downstream catches exceptions here, so they are handled here.
   */
  async #wait(exchange: GwExchange, entering: Promise<Reply | undefined>): Promise<void> {
    try {
      const reply = await entering;
      if (exchange.settled) {
        discard(exchange, reply);
      } else if (reply === undefined) this.#act(exchange);
      else this.#exit(exchange, reply);
    } catch (error) {
      exchange.downstream!.broke(error);
    }
  }

  /** All policies passed: runs the action. */
  #act(exchange: GwExchange): void {
    if (exchange.wholeReply) askForAll(exchange);
    exchange.acted = true;
    let result: Awaitable<Reply | Forwarded>;
    try {
      result = exchange.compiled!.action.start(exchange);
    } catch (error) {
      exchange.sent = true;
      this.#exit(exchange, this.#actionFailed(exchange, error));
      return;
    }
    // What an action does by itself is not known; a request to a target is noted when it is sent.
    if (result !== FORWARDED) exchange.sent = true;
    if (result instanceof Promise) void this.#waitForAction(exchange, result);
    else this.#acted(exchange, result);
  }

  /** Waits for an asynchronous action. Exceptions are handled here, as in #wait. */
  async #waitForAction(exchange: GwExchange, pending: Promise<Reply | Forwarded>): Promise<void> {
    let result: Reply | Forwarded;
    try {
      result = await pending;
    } catch (error) {
      if (!exchange.settled) this.#exit(exchange, this.#actionFailed(exchange, error));
      return;
    }
    try {
      if (!exchange.settled) this.#acted(exchange, result);
      else discard(exchange, result);
    } catch (error) {
      exchange.downstream!.broke(error);
    }
  }

  #acted(exchange: GwExchange, result: Reply | Forwarded): void {
    if (result === FORWARDED) {
      this.#forward(exchange);
      return;
    }
    const reply = result as Reply;
    const fault = reply instanceof BytesReply ? undefined : faultOf(reply, undefined, false);
    if (fault === undefined) {
      const { use, summary } = exchange.route.action;
      exchange.decisions?.push({ step: 'action', use, outcome: 'answer', why: summary });
      exchange.error ??= reply.code ?? null;
    }
    this.#exit(exchange, fault === undefined ? reply : this.#actionFailed(exchange, new TypeError(fault)));
  }

  #forward(exchange: GwExchange): void {
    const { service } = exchange.compiled!;
    if (service === undefined) {
      this.#exit(exchange, refuse(exchange, 'upstream/none', NO_SERVICE));
      return;
    }
    if (exchange.grpc === undefined && exchange.method === 'POST' && exchange.headers.touched('content-type')) {
      exchange.grpc = translatedCall(exchange);
      if (exchange.grpc?.begin(exchange) === false) {
        this.#exit(exchange, refuse(exchange, 'request/malformed', BAD_TIMEOUT));
        return;
      }
    }
    const source = this.#host.ask(exchange, service);
    exchange.source = source;
    source.start();
  }

  #actionFailed(exchange: GwExchange, error: unknown): Reply {
    const { action, name } = exchange.route;
    const { use } = action;
    const why = messageOf(error);
    exchange.generation.logger.error('action failed, request refused', {
      cause: why,
      action: use,
      route: name,
      request: exchange.id,
      stack: error instanceof Error ? error.stack : undefined,
    });
    exchange.decisions?.push({ step: 'action', use, outcome: 'error', why });
    return refuse(exchange, 'action/failed', `action ${use}: ${why}`);
  }

  /** The action's reply. */
  replied(exchange: GwExchange, reply: Reply): void {
    if (exchange.settled) discard(exchange, reply);
    else this.#exit(exchange, reply);
  }

  /**
   * The exchange cannot continue. The client gets the error, even while a policy is waiting. If the error has no reply,
   * or part of a reply was sent, the exchange is aborted. `cause` is for the log. `given`: of a policy, in place of the error's own.
   */
  fail(exchange: GwExchange, error: ErrorSlug, cause: string, given?: Reply): void {
    if (exchange.over) return;
    const downstream = exchange.downstream!;
    downstream.dropBody();
    if (ERRORS[error].status !== 0 && (!exchange.sending || downstream.takeBack())) {
      const reply = given ?? refuse(exchange, error, cause);
      exchange.error = reply.code ?? error;
      exchange.cause = cause;
      this.#replace(exchange, reply);
      return;
    }
    exchange.error = given?.code ?? error;
    exchange.cause = cause;
    exchange.settled = true;
    downstream.cut(exchange.sending ? exchange.grpc?.cutBy(error) : undefined);
  }

  /**
   * An error takes the place of a reply. If that has left the chain, the error passes all steps; if it was still leaving,
   * the steps that it has not reached.
   */
  #replace(exchange: GwExchange, reply: Reply): void {
    // No target gets the request while the steps edit the error.
    exchange.source?.cancel();
    exchange.dropLeaving();
    // A policy may answer every error with a stream that fails.
    if (exchange.sending)
      exchange.left = ++exchange.takenBack > MOST_TAKEN_BACK ? Number.MAX_SAFE_INTEGER : exchange.resumeAt;
    exchange.resumeAt = 0;
    exchange.sending = false;
    exchange.replyTurn++;
    this.#exit(exchange, reply);
  }

  /** The only exit of a reply. */
  #exit(exchange: GwExchange, given: Reply): void {
    exchange.settled = true;
    const { compiled } = exchange;
    const reply = compiled === undefined ? markMiss(exchange, given) : compiled.chain.leave(exchange, given);
    if (reply instanceof Promise) void this.#waitForExit(exchange, reply);
    else if (reply !== undefined) this.#send(exchange, reply);
  }

  /** A policy reads the body of the reply, or its after() is asynchronous. */
  async #waitForExit(exchange: GwExchange, leaving: Promise<Reply | undefined>): Promise<void> {
    try {
      const reply = await leaving;
      if (reply !== undefined && !exchange.over) this.#send(exchange, reply);
    } catch (error) {
      exchange.downstream!.broke(error);
    }
  }

  #send(exchange: GwExchange, left: Reply): void {
    const reply = exchange.grpc === undefined ? left : exchange.grpc.outgoing(left, left instanceof TargetReply);
    exchange.bodies?.streamCollected(reply);
    const { body } = reply;
    const whole = body === null || body instanceof Uint8Array || isLent(exchange, body);
    if (!whole && body !== exchange.source) exchange.ensureBodies().adopt(reply);
    const { source } = exchange;
    // RFC 9110 section 15.3.6: a 205 has no body.
    if (reply.status === 205 && (source === undefined || reply.body !== source || exchange.streamLength(205) !== 0))
      reply.body = null;
    exchange.bodies?.settle(reply);
    if (source !== undefined && reply.body !== source) source.cancel();
    const cookie = source?.setCookie;
    if (cookie !== undefined && exchange.downstream!.inside !== true) setStickyCookie(reply, cookie);
    exchange.sending = true;
    exchange.downstream!.send(reply);
  }
}

/** Whether the client's connection writes the body as it is. */
const isLent = ({ downstream }: GwExchange, body: ReplyBody): boolean =>
  body instanceof LentBytes && downstream?.takesLent === true;

/** A policy must see the whole reply, unencoded. */
function askForAll({ headers }: GwExchange): void {
  headers.remove('range');
  headers.remove('if-range');
  headers.set('accept-encoding', 'identity');
}

const BAD_TIMEOUT = 'invalid grpc-timeout';
const NO_SERVICE = 'the route has no service';
/** Replies of an exchange that are taken back before an error no longer passes the chain. */
const MOST_TAKEN_BACK = 4;

/** Sets the limits of the exchange's route. Returns a reply if the request already exceeds one. */
function bound(exchange: GwExchange): Reply | undefined {
  const { contentLength, route } = exchange;
  const maxBody = route.maxBodyBytes ?? exchange.peer.listener.entry.maxBodyBytes;
  exchange.maxBody = maxBody;
  if (exchange.grpc !== undefined) {
    if (!exchange.grpc.begin(exchange)) return refuse(exchange, 'request/malformed', BAD_TIMEOUT);
  } else if (route.timeout > 0 && route.stream !== true) exchange.deadline = exchange.startMs + route.timeout;
  if (contentLength <= maxBody) return undefined;
  const cause = `Content-Length ${contentLength} is above ${maxBody} bytes (max_body)`;
  return refuse(exchange, 'request/body-too-large', cause);
}
