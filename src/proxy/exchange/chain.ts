/**
 * A route's policies, composed once at load. Where every policy is before/after alone, an exchange runs through a loop:
 * no promise, no closure. A policy that wraps turns the whole chain into nested handlers.
 */

import type { Exchange, Handler, Logger, PolicyInstance, Reply, ReplyBody } from '../../policies/contract.js';
import { problem } from '../../policies/run-kit.js';
import { messageOf } from '../../reason.js';
import { ERRORS } from '../errors/errors.js';
import type { GwExchange } from './exchange.js';

export interface ChainStep {
  readonly name: string;
  readonly use: string;
  readonly instance: PolicyInstance;
}

/** What stands at the two ends of a chain: the engine, or explain. */
export interface ChainDriver {
  /** Every policy let the exchange pass: ask the target, then call chain.replied(). */
  terminal(exchange: GwExchange): void;
  /** The chain's result: exactly once an exchange, unless the exchange was settled before. */
  deliver(exchange: GwExchange, reply: Reply): void;
}

export class Chain {
  readonly #steps: readonly ChainStep[];
  readonly #handler: Handler | undefined;
  /** Index of the last step with an after(), so that the common chain unwinds in no time. */
  readonly #lastAfter: number;
  readonly #logger: Logger;
  /** Whether some policy answers CORS preflights itself. */
  readonly answersPreflight: boolean;

  constructor(steps: readonly ChainStep[], logger: Logger) {
    this.#steps = steps;
    this.#logger = logger;
    this.answersPreflight = steps.some((step) => step.instance.answersPreflight === true);
    this.#lastAfter = steps.findLastIndex((step) => step.instance.after !== undefined);
    this.#handler = steps.some((step) => step.instance.wrap) ? this.#compose() : undefined;
  }

  /** Whether the policy that answers preflights permits this exchange: a preflight, or else the reading of its reply. */
  permits(exchange: GwExchange): boolean {
    return this.#steps.every(
      ({ instance }) => instance.answersPreflight !== true || instance.permits?.(exchange) !== false,
    );
  }

  /** Lets the policies that answer preflights edit a reply of gw to a request that no route has taken. Never throws. */
  missed(exchange: GwExchange, reply: Reply): Reply {
    for (const step of this.#steps) {
      if (step.instance.answersPreflight !== true) continue;
      try {
        step.instance.after?.(exchange, reply);
      } catch (error) {
        return this.#failed(exchange, step, error);
      }
    }
    return reply;
  }

  /** Sends the exchange through. Never throws. */
  run(exchange: GwExchange): void {
    if (this.#handler === undefined) this.#before(exchange, 0);
    else this.#runHandler(exchange, this.#handler);
  }

  /** The terminal step's reply. */
  replied(exchange: GwExchange, reply: Reply): void {
    const resolve = exchange.resolveTerminal;
    if (resolve === undefined) this.#unwind(exchange, reply, this.#lastAfter);
    else resolve(reply);
  }

  #before(exchange: GwExchange, from: number): void {
    const steps = this.#steps;
    for (let i = from; i < steps.length; i++) {
      const step = steps[i]!;
      if (step.instance.before === undefined) continue;
      const told = exchange.decisions?.length;
      let result: Reply | undefined | Promise<Reply | undefined>;
      try {
        result = step.instance.before(exchange);
      } catch (error) {
        this.#unwind(exchange, this.#failed(exchange, step, error), i - 1);
        return;
      }
      if (result instanceof Promise) {
        this.#await(exchange, step, i, result);
        return;
      }
      if (result !== undefined) {
        this.#unwind(exchange, this.#answered(exchange, step, result, told), i - 1);
        return;
      }
      if (told !== undefined) witness(exchange, step, told);
    }
    exchange.driver!.terminal(exchange);
  }

  #await(exchange: GwExchange, step: ChainStep, index: number, result: Promise<Reply | undefined>): void {
    const told = exchange.decisions?.length;
    // What is thrown behind the wait must end the exchange as well: nobody stands further out to notice.
    result
      .then((reply) => {
        if (reply !== undefined) {
          this.#unwind(exchange, this.#answered(exchange, step, reply, told), index - 1);
          return;
        }
        if (told !== undefined) witness(exchange, step, told);
        if (!exchange.settled) this.#before(exchange, index + 1);
      })
      .catch((error: unknown) => this.#unwind(exchange, this.#failed(exchange, step, error), index - 1));
  }

  #answered(exchange: GwExchange, step: ChainStep, reply: Reply, told: number | undefined): Reply {
    if (!isReply(reply)) return this.#failed(exchange, step, new TypeError(NO_REPLY));
    if (told !== undefined) witness(exchange, step, told, reply);
    return answered(exchange, reply);
  }

  #unwind(exchange: GwExchange, reply: Reply, from: number): void {
    if (exchange.settled) {
      discard(reply);
      return;
    }
    let result = reply;
    for (let i = Math.min(from, this.#lastAfter); i >= 0; i--) {
      const step = this.#steps[i]!;
      if (step.instance.after === undefined) continue;
      try {
        step.instance.after(exchange, result);
      } catch (error) {
        discard(result);
        result = this.#failed(exchange, step, error);
      }
    }
    exchange.driver!.deliver(exchange, result);
  }

  /** before/after policies as handlers around the next; wraps as they are. */
  #compose(): Handler {
    let handler: Handler = (exchange) => askTarget(ownExchange(exchange));
    for (let i = this.#steps.length - 1; i >= 0; i--) {
      const step = this.#steps[i]!;
      const { instance } = step;
      if (instance.wrap) handler = instance.wrap(handler);
      if (instance.before || instance.after) handler = aroundNext(step, handler);
    }
    return handler;
  }

  #runHandler(exchange: GwExchange, handler: Handler): void {
    const fail = (error: unknown): void => {
      if (exchange.settled) return;
      exchange.driver!.deliver(exchange, this.#failed(exchange, undefined, error));
    };
    const pass = (reply: Reply): void => {
      if (!isReply(reply)) fail(new TypeError(NO_REPLY));
      else if (exchange.settled) discard(reply);
      else exchange.driver!.deliver(exchange, reply);
    };
    try {
      const result = handler(exchange);
      if (result instanceof Promise) result.then(pass).catch(fail);
      else pass(result);
    } catch (error) {
      fail(error);
    }
  }

  /** Policies fail closed: nothing that one of them did not let pass gets any further. */
  #failed(exchange: GwExchange, step: ChainStep | undefined, error: unknown): Reply {
    const policy = step?.name ?? exchange.route.name;
    if (!exchange.settled) {
      this.#logger.error(`A policy failed; the request was refused: ${messageOf(error)}`, {
        policy,
        route: exchange.route.name,
        request: exchange.id,
        stack: error instanceof Error ? error.stack : undefined,
      });
    }
    exchange.error = 'policy/failed';
    exchange.cause = `policy ${policy}: ${messageOf(error)}`;
    exchange.decisions?.push({ step: policy, use: step?.use ?? 'chain', outcome: 'error', why: messageOf(error) });
    return problem(exchange, { code: 'policy/failed', ...ERRORS['policy/failed'] });
  }
}

/** A step that told nothing of itself still shows. */
function witness(exchange: GwExchange, step: ChainStep, told: number, result?: Reply): void {
  const decisions = exchange.decisions;
  if (decisions === undefined || decisions.length > told) return;
  const why = result === undefined ? 'let the request pass' : `answered with ${result.status}`;
  decisions.push({ step: step.name, use: step.use, outcome: result === undefined ? 'pass' : 'answer', why });
}

const NO_REPLY = 'A policy answered with something that is no reply.';

/** Types promise it; what reaches the wire, or the next policy, is looked at all the same. */
function isReply(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || !('headers' in given)) return false;
  const { headers } = given;
  return (
    typeof headers === 'object' && headers !== null && 'entries' in headers && typeof headers.entries === 'function'
  );
}

/** Notes that a policy answered; a problem's own code is the better word for it. */
function answered(exchange: GwExchange, reply: Reply): Reply {
  exchange.error ??= codeOf(reply) ?? 'policy/answered';
  return reply;
}

export const codeOf = (reply: Reply): string | undefined =>
  'code' in reply && typeof reply.code === 'string' ? reply.code : undefined;

const isReplyBody = (body: Reply['body']): body is ReplyBody => body !== null && !(body instanceof Uint8Array);

export function discard(reply: Reply): void {
  if (isReplyBody(reply.body)) reply.body.discard();
}

/** Handlers are only ever given exchanges of the engine that composed them. */
function ownExchange(exchange: Exchange): GwExchange {
  if ('resolveTerminal' in exchange) return exchange as GwExchange;
  throw new TypeError('A policy must hand on the exchange that it was given.');
}

function askTarget(exchange: GwExchange): Promise<Reply> {
  return new Promise((resolve, reject) => {
    exchange.resolveTerminal = resolve;
    exchange.rejectTerminal = reject;
    exchange.driver!.terminal(exchange);
  });
}

function aroundNext(step: ChainStep, next: Handler): Handler {
  const { instance } = step;
  return async (given) => {
    const exchange = ownExchange(given);
    const told = exchange.decisions?.length;
    const early = await instance.before?.(exchange);
    if (early !== undefined && !isReply(early)) throw new TypeError(NO_REPLY);
    if (told !== undefined && instance.before) witness(exchange, step, told, early);
    if (early !== undefined) return answered(exchange, early);
    const reply = await next(exchange);
    instance.after?.(exchange, reply);
    return reply;
  };
}
