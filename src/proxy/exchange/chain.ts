/**
 * A route's policies, composed once at load. Requests pass them in the order of their phases, replies in reverse order.
 *
 *     request   [ outer ]  guard  authenticate  authorize  limit  cache  transform  ->  action
 *     reply     [ outer ]  guard  authenticate  authorize  limit  cache  transform  <-
 *
 * A step whose declaration names a reply phase edits replies outermost, regardless of its position in the chain: its
 * after() sees every reply of the route, including those created before its before() ran. All other steps see a reply
 * only if their before() ran and passed. These are always the first steps of the chain, so one number, `entered`,
 * identifies them, and a chain can have any number of steps.
 *
 * With synchronous policies this is two loops: no promise, no closure.
 */
import type { Exchange, Logger, PolicyInstance, Reply, ReplyBody } from '../../policies/contract.js';
import { problem } from '../../policies/run-kit.js';
import { messageOf } from '../../reason.js';
import { ERRORS } from '../errors/errors.js';

export interface ChainStep {
  readonly name: string;
  readonly use: string;
  readonly instance: PolicyInstance;
  /** Its after() edits every reply of the route, after all others. */
  readonly outermost: boolean;
}

/** The state of a chain in an exchange. */
export interface ChainedExchange extends Exchange {
  /** Number of steps, from the first on, that the request has passed. */
  entered: number;
  /** The step whose before() answered. Its after() does not see that reply. */
  answeredBy: ChainStep | undefined;
  /** The reply has left the chain: the result of a pending before() is dropped. */
  readonly settled: boolean;
  /** The body of the target's reply. */
  readonly source: ReplyBody | undefined;
  error: string | null;
  cause: string | null;
}

export class Chain {
  readonly #steps: readonly ChainStep[];
  /** Steps up to the last one that edits replies at its place in the chain. */
  readonly #inner: number;
  /** Steps that edit replies outermost, in the order of requests. */
  readonly #outer: readonly ChainStep[];
  readonly #logger: Logger;
  /** Whether a policy answers CORS preflights. */
  readonly answersPreflight: boolean;

  constructor(steps: readonly ChainStep[], logger: Logger) {
    this.#steps = steps;
    this.#logger = logger;
    this.answersPreflight = steps.some((step) => step.instance.answersPreflight === true);
    this.#inner = 1 + steps.findLastIndex(({ instance, outermost }) => instance.after !== undefined && !outermost);
    this.#outer = steps.filter(({ instance, outermost }) => instance.after !== undefined && outermost);
  }

  /** Whether the policies that answer preflights permit this exchange: a preflight, or reading its reply. */
  permits(exchange: Exchange): boolean {
    return this.#steps.every(
      ({ instance }) => instance.answersPreflight !== true || instance.permits?.(exchange) !== false,
    );
  }

  /** Lets the policies that answer preflights edit gw's reply to a request without a route. Never throws. */
  missed(exchange: ChainedExchange, given: Reply): Reply {
    let reply = given;
    for (const step of this.#steps)
      if (step.instance.answersPreflight === true && step.instance.after !== undefined)
        reply = this.#after(exchange, step, reply);
    return reply;
  }

  /**
   * The request direction: calls before() of the steps that the exchange has not passed yet. Returns undefined if all
   * pass, or the reply of a step, to which leave() has not been applied. Returns a promise of the same if a before()
   * returned one; it resolves to undefined if the exchange is settled meanwhile. Never throws or rejects.
   */
  enter(exchange: ChainedExchange): Reply | undefined | Promise<Reply | undefined> {
    const steps = this.#steps;
    for (let i = exchange.entered; i < steps.length; i++) {
      const step = steps[i]!;
      if (step.instance.before === undefined) continue;
      exchange.entered = i;
      const reported = exchange.decisions?.length;
      let result: Reply | undefined | Promise<Reply | undefined>;
      try {
        result = step.instance.before(exchange);
      } catch (error) {
        return this.#failed(exchange, step, error);
      }
      if (result instanceof Promise) return this.#later(exchange, step, result, reported);
      if (result !== undefined) return this.#answered(exchange, step, result, reported);
      if (reported !== undefined) report(exchange, step, reported);
    }
    exchange.entered = steps.length;
    return undefined;
  }

  async #later(
    exchange: ChainedExchange,
    step: ChainStep,
    result: Promise<Reply | undefined>,
    reported: number | undefined,
  ): Promise<Reply | undefined> {
    let reply: Reply | undefined;
    try {
      reply = await result;
    } catch (error) {
      return exchange.settled ? undefined : this.#failed(exchange, step, error);
    }
    if (exchange.settled) {
      if (reply !== undefined && isReply(reply)) discard(reply);
      return undefined;
    }
    if (reply !== undefined) return this.#answered(exchange, step, reply, reported);
    if (reported !== undefined) report(exchange, step, reported);
    exchange.entered++;
    return this.enter(exchange);
  }

  #answered(exchange: ChainedExchange, step: ChainStep, reply: Reply, reported: number | undefined): Reply {
    const fault = faultOf(reply, undefined, false);
    if (fault !== undefined) return this.#failed(exchange, step, new TypeError(fault));
    if (reported !== undefined) report(exchange, step, reported, reply);
    exchange.answeredBy = step;
    // The code of a problem is more specific than `policy/answered`.
    exchange.error ??= reply.code ?? 'policy/answered';
    return reply;
  }

  /** The reply direction: after() of the passed steps, then of the outermost steps. Never throws. */
  leave(exchange: ChainedExchange, given: Reply): Reply {
    let reply = given;
    for (let i = Math.min(exchange.entered, this.#inner) - 1; i >= 0; i--) {
      const step = this.#steps[i]!;
      if (step.instance.after !== undefined && !step.outermost) reply = this.#after(exchange, step, reply);
    }
    const outer = this.#outer;
    for (let i = outer.length - 1; i >= 0; i--) {
      const step = outer[i]!;
      if (step !== exchange.answeredBy) reply = this.#after(exchange, step, reply);
    }
    return reply;
  }

  #after(exchange: ChainedExchange, step: ChainStep, reply: Reply): Reply {
    const switches = reply.status === 101;
    try {
      const edited = step.instance.after!(exchange, reply) ?? reply;
      if (edited instanceof Promise) throw new TypeError('after() returned a promise');
      // Only the target's own 101 names the protocol that the connection switches to.
      const fault =
        switches && edited !== reply && edited.status === 101 ? UNSENDABLE : faultOf(edited, exchange.source, switches);
      if (fault === undefined) return edited;
      throw new TypeError(fault);
    } catch (error) {
      discard(reply);
      return this.#failed(exchange, step, error);
    }
  }

  /** Policies fail closed: after an exception the request goes no further. */
  #failed(exchange: ChainedExchange, step: ChainStep, error: unknown): Reply {
    const why = messageOf(error);
    this.#logger.error('policy failed, request refused', {
      cause: why,
      policy: step.name,
      route: exchange.route.name,
      request: exchange.id,
      stack: error instanceof Error ? error.stack : undefined,
    });
    exchange.error = 'policy/failed';
    exchange.cause = `policy ${step.name}: ${why}`;
    exchange.decisions?.push({ step: step.name, use: step.use, outcome: 'error', why });
    return problem(exchange, { code: 'policy/failed', ...ERRORS['policy/failed'] });
  }
}

/** Reports the decision of a step unless it reported one itself; `reported` decisions existed before it ran. */
function report(exchange: Exchange, step: ChainStep, reported: number, result?: Reply): void {
  const { decisions } = exchange;
  if (decisions === undefined || decisions.length > reported) return;
  const why = result === undefined ? 'request passed' : `answered with ${result.status}`;
  decisions.push({ step: step.name, use: step.use, outcome: result === undefined ? 'pass' : 'answer', why });
}

/** Checks at run time what the types promise. */
function isReply(given: unknown): given is Reply {
  if (typeof given !== 'object' || given === null || !('headers' in given)) return false;
  const { headers } = given;
  if (typeof headers !== 'object' || headers === null || !('entries' in headers) || !('get' in headers)) return false;
  return typeof headers.entries === 'function' && typeof headers.get === 'function';
}

/** Why a reply cannot be sent; undefined if it can. `switches`: the target's reply is a 101. */
export function faultOf(reply: Reply, source: ReplyBody | undefined, switches: boolean): string | undefined {
  if (!isReply(reply)) return 'the policy answered with a value that is not a reply';
  const { status, body } = reply;
  // The target determines the kind of stream: a tunnel only with a 101, a body with any other status.
  if (body !== null && body === source)
    return (status === 101) === switches && isStatus(status) ? undefined : UNSENDABLE;
  if (status === 101 || !isStatus(status)) return UNSENDABLE;
  return body === null || body instanceof Uint8Array ? undefined : UNSENDABLE;
}

const isStatus = (status: number): boolean =>
  status === 101 || (Number.isInteger(status) && status >= 200 && status <= 599);

const UNSENDABLE = 'the policy answered with a reply that cannot be sent';

/** Discards the reply's body if it is a stream. Never throws for a value that is no body: a policy may have set any. */
export function discard({ body }: Reply): void {
  if (typeof body === 'object' && body !== null && 'discard' in body && typeof body.discard === 'function')
    body.discard();
}
