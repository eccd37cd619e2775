/**
 * A route's policies, composed once at load. Requests pass them in the order of their phases, replies in reverse order.
 *
 *     request   [ outer ]  guard  authenticate  authorize  limit  validate  cache  transform  ->  action
 *     reply     [ outer ]  guard  authenticate  authorize  limit  validate  cache  transform  <-
 *
 * A step whose declaration names a reply phase handles replies outermost, regardless of its position in the chain: its
 * reply hooks see every reply of the route, including those created before its before() ran. All other steps see a reply
 * only if the request passed them. These are always the first steps of the chain, so one number, `entered`, identifies
 * them, and a chain can have any number of steps.
 *
 * With synchronous before() and after() this is two loops: no promise, no closure. hooks.ts runs the other hooks.
 */
import { REPLY_PHASES } from '../../../bundle/types.js';
import type { Attempt, Awaitable, Exchange, ExchangeEnd, Logger, Reply } from '../../../policies/contract.js';
import { problem } from '../../../policies/run-kit.js';
import { messageOf } from '../../../reason.js';
import { ERRORS } from '../../errors/errors.js';
import type { Callers } from './callers.js';
import type { FailedAttempts } from './failed-attempts.js';
import { ChainHooks } from './hooks.js';
import { type RecordMask, recordMasks } from './record-masks.js';
import type { Refusals } from './refusals.js';
import { discard, faultOf, isReply, noteError, UNSENDABLE } from './replies.js';
import { ChainSigners } from './signers.js';
import { type ChainedExchange, type ChainPolicy, Step } from './step.js';

/** A mask of a number holds this many steps with `when`. */
const MAX_CONDITIONS = 31;

/** What the chains of a generation count of refused requests; an absent part is not counted. */
export interface Guards {
  readonly attempts?: FailedAttempts | undefined;
  readonly refusals?: Refusals | undefined;
}

export class Chain {
  readonly #steps: readonly Step[];
  /** The steps with reply hooks, in the order in which a reply passes them. */
  readonly #exits: readonly Step[];
  readonly #finishing: readonly Step[];
  readonly #signers: ChainSigners;
  readonly #hooks: ChainHooks;
  readonly #logger: Logger;
  readonly #refusals: Refusals | undefined;
  /** Whether a policy wants to see each attempt at a target. */
  readonly seesAttempts: boolean;
  /** Whether a policy answers CORS preflights. */
  readonly answersPreflight: boolean;

  /** What edits the records of its exchanges. */
  readonly recordMasks: readonly RecordMask[];

  /** Throws if too many policies have a `when`. */
  constructor(policies: readonly ChainPolicy[], logger: Logger, callers: Callers, guards: Guards = {}) {
    let conditions = 0;
    const steps = policies.map((policy, index) => new Step(policy, index, policy.when ? 1 << conditions++ : 0));
    if (conditions > MAX_CONDITIONS)
      throw new Error(`A route has ${conditions} policies with \`when\`; the limit is ${MAX_CONDITIONS}.`);
    const last = steps.findLast(({ instance }) => instance.authenticate !== undefined);
    if (last !== undefined) last.lastAuthenticator = true;
    this.#steps = steps;
    this.#exits = inOrderOfReplies(steps);
    this.#finishing = steps.filter(({ instance }) => instance.finished !== undefined);
    this.#signers = new ChainSigners(steps);
    this.seesAttempts = this.#signers.any;
    this.#hooks = new ChainHooks(steps, callers, guards.attempts);
    this.#refusals = guards.refusals;
    this.#logger = logger;
    this.recordMasks = recordMasks(policies);
    this.answersPreflight = steps.some((step) => step.instance.answersPreflight === true);
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
    for (const step of this.#steps) {
      if (step.instance.answersPreflight !== true || step.instance.after === undefined) continue;
      const edited = this.#after(exchange, step, reply);
      if (!(edited instanceof Promise)) reply = edited;
    }
    return reply;
  }

  /** Position of a policy; -1 if it is not a step of this chain. */
  positionOf(name: string): number {
    return this.#steps.findIndex((step) => step.name === name);
  }

  /** Number of its policies. */
  get length(): number {
    return this.#steps.length;
  }

  /** The name of the policy at a position; undefined beyond the last one. */
  nameAt(position: number): string | undefined {
    return this.#steps[position]?.name;
  }

  // ---------------------------------------------------------------- entering

  /**
   * The request direction: runs the hooks of the steps that the exchange has not passed yet. Returns undefined if all pass,
   * or the reply of a step, to which leave() has not been applied. Returns a promise of the same if a hook returned one; it
   * resolves to undefined if the exchange is settled meanwhile. Never throws or rejects.
   */
  enter(exchange: ChainedExchange): Awaitable<Reply | undefined> {
    const steps = this.#steps;
    exchange.started = true;
    for (let i = exchange.entered; i < steps.length; i++) {
      const step = steps[i]!;
      if (step.idle) continue;
      exchange.entered = i;
      const reported = exchange.decisions?.length;
      let result: Awaitable<Reply | undefined>;
      try {
        result = step.plain ? step.instance.before!(exchange) : this.#hooks.enter(exchange, step);
      } catch (error) {
        return this.#failed(exchange, step, error);
      }
      if (result instanceof Promise) return this.#later(exchange, step, result, reported);
      // A stage that fails while it is created ends the exchange at once.
      if (exchange.settled) return undefined;
      if (result !== undefined) return this.#answered(exchange, step, result, reported);
      if (reported !== undefined) report(exchange, step, reported);
    }
    exchange.entered = steps.length;
    return undefined;
  }

  async #later(
    exchange: ChainedExchange,
    step: Step,
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
      discard(exchange, reply);
      return undefined;
    }
    if (reply !== undefined) return this.#answered(exchange, step, reply, reported);
    if (reported !== undefined) report(exchange, step, reported);
    exchange.entered++;
    return this.enter(exchange);
  }

  #answered(exchange: ChainedExchange, step: Step, reply: Reply, reported: number | undefined): Reply {
    const fault = faultOf(reply, undefined, false);
    if (fault !== undefined) return this.#failed(exchange, step, new TypeError(fault));
    if (reported !== undefined) report(exchange, step, reported, reply);
    if (reply.status >= 400) this.#refusals?.note(step.name, reply.code ?? 'policy/answered');
    exchange.answeredBy = step;
    // The code of a problem is more specific than `policy/answered`.
    exchange.error ??= reply.code ?? 'policy/answered';
    exchange.cause ??= reply.cause ?? null;
    return reply;
  }

  // ---------------------------------------------------------------- attempts

  /** Shows an attempt to the policies that sign requests: Signers.show(). */
  attempt(exchange: ChainedExchange, attempt: Attempt): Awaitable<Reply | undefined> {
    return this.#signers.show(exchange, attempt);
  }

  // ---------------------------------------------------------------- leaving

  /**
   * The reply direction: the reply hooks of the passed steps, then of the outermost steps. Returns a promise if a hook did,
   * or if a body is collected. The result is undefined if another reply leaves meanwhile. Never throws or rejects.
   */
  leave(exchange: ChainedExchange, given: Reply): Awaitable<Reply | undefined> {
    const exits = this.#exits;
    const turn = exchange.replyTurn;
    let reply = given;
    for (let at = exchange.left; at < exits.length; at++) {
      const step = exits[at]!;
      if (step.replyPhase === undefined ? step.index >= exchange.entered : step === exchange.answeredBy) continue;
      // The steps before `from` see the reply of the exchange that it is a copy of, and so do the outermost ones.
      if (exchange.from > 0 && (step.index < exchange.from || step.outer)) continue;
      exchange.left = at + 1;
      const left = step.plainReply ? this.#after(exchange, step, reply) : this.#leaveStep(exchange, step, reply);
      if (left instanceof Promise) {
        exchange.leaving = reply;
        return this.#leaveLater(exchange, left);
      }
      // A stage that fails while it is created sends an error in place of the reply at once.
      if (!isCurrent(exchange, turn)) {
        discard(exchange, left);
        return undefined;
      }
      reply = left;
    }
    return reply;
  }

  async #leaveLater(exchange: ChainedExchange, pending: Promise<Reply>): Promise<Reply | undefined> {
    const turn = exchange.replyTurn;
    const reply = await pending;
    if (isCurrent(exchange, turn)) {
      exchange.leaving = undefined;
      return this.leave(exchange, reply);
    }
    discard(exchange, reply);
    return undefined;
  }

  /** Never throws or rejects. */
  #leaveStep(exchange: ChainedExchange, step: Step, reply: Reply): Awaitable<Reply> {
    try {
      if (!this.#hooks.appliesToReply(exchange, step, reply)) return reply;
    } catch (error) {
      return this.#failedReply(exchange, step, reply, error);
    }
    const edited = step.instance.after === undefined ? reply : this.#after(exchange, step, reply);
    if (!(edited instanceof Promise)) return this.#bodyHooks(exchange, step, edited);
    const turn = exchange.replyTurn;
    return edited.then((late) => (isCurrent(exchange, turn) ? this.#bodyHooks(exchange, step, late) : late));
  }

  #bodyHooks(exchange: ChainedExchange, step: Step, reply: Reply): Awaitable<Reply> {
    try {
      const turn = exchange.replyTurn;
      const changed = this.#hooks.replyBody(exchange, step, reply);
      if (!(changed instanceof Promise)) return changed;
      return changed.catch((error: unknown) =>
        isCurrent(exchange, turn) ? this.#failedReply(exchange, step, reply, error) : reply,
      );
    } catch (error) {
      return this.#failedReply(exchange, step, reply, error);
    }
  }

  #after(exchange: ChainedExchange, step: Step, reply: Reply): Awaitable<Reply> {
    const { body } = reply;
    const switches = reply.status === 101;
    try {
      const edited = step.instance.after!(exchange, reply);
      if (edited instanceof Promise) return this.#afterLater(exchange, step, reply, body, switches, edited);
      if (edited !== undefined && edited !== reply) reportReplaced(exchange, step, edited);
      return checked(exchange, reply, edited, body, switches);
    } catch (error) {
      return this.#failedReply(exchange, step, reply, error);
    }
  }

  async #afterLater(
    exchange: ChainedExchange,
    step: Step,
    reply: Reply,
    body: Reply['body'],
    switches: boolean,
    pending: Promise<Reply | undefined>,
  ): Promise<Reply> {
    const turn = exchange.replyTurn;
    try {
      const edited = await pending;
      if (isCurrent(exchange, turn)) {
        if (edited !== undefined && edited !== reply) reportReplaced(exchange, step, edited);
        return checked(exchange, reply, edited, body, switches);
      }
      if (edited !== reply) discard(exchange, edited);
      return reply;
    } catch (error) {
      return isCurrent(exchange, turn) ? this.#failedReply(exchange, step, reply, error) : reply;
    }
  }

  #failedReply(exchange: ChainedExchange, step: Step, reply: Reply, error: unknown): Reply {
    discard(exchange, reply);
    return this.#failed(exchange, step, error);
  }

  // ---------------------------------------------------------------- end

  /** The exchange has ended. Called once. */
  finished(exchange: ChainedExchange, end: ExchangeEnd): void {
    if (!exchange.started) return;
    for (const step of this.#finishing) {
      if (step.index > exchange.entered || step.index < exchange.from || !step.applies(exchange)) continue;
      try {
        step.instance.finished!(exchange, end);
      } catch (error) {
        this.#logFailure(exchange, step, 'policy failed after the exchange', error);
      }
    }
  }

  /** Policies fail closed: after an exception the request goes no further. */
  #failed(exchange: ChainedExchange, step: Step, error: unknown): Reply {
    const why = messageOf(error);
    this.#logFailure(exchange, step, 'policy failed, request refused', error);
    exchange.error = 'policy/failed';
    exchange.cause = `policy ${step.name}: ${why}`;
    exchange.decisions?.push({ step: step.name, use: step.use, outcome: 'error', why });
    return problem(exchange, { code: 'policy/failed', ...ERRORS['policy/failed'] });
  }

  #logFailure(exchange: ChainedExchange, step: Step, message: string, error: unknown): void {
    this.#logger.error(message, {
      cause: messageOf(error),
      policy: step.name,
      route: exchange.route.name,
      request: exchange.id,
      stack: error instanceof Error ? error.stack : undefined,
    });
  }
}

/**
 * The reply that after() left: `edited` if it returned one. `body` is the one that it was given; if another one is sent, it is
 * released. Throws if the reply cannot be sent.
 */
function checked(
  exchange: ChainedExchange,
  reply: Reply,
  edited: Reply | undefined,
  body: Reply['body'],
  switches: boolean,
): Reply {
  const result = edited ?? reply;
  // Only the target's own 101 names the protocol that the connection switches to.
  const wrong = switches && result !== reply && result.status === 101;
  const fault = wrong ? UNSENDABLE : faultOf(result, exchange.source, switches);
  if (body !== result.body && body !== exchange.source) discard(exchange, { body });
  if (fault !== undefined) throw new TypeError(fault);
  return result;
}

/** Whether the reply of that turn is still the one that leaves. */
const isCurrent = (exchange: ChainedExchange, turn: number): boolean => exchange.replyTurn === turn && !exchange.over;

/** The steps with reply hooks: inner ones in reverse order, then those of each reply phase, each in reverse order. */
function inOrderOfReplies(steps: readonly Step[]): Step[] {
  const leaving = steps.filter((step) => step.leaves).reverse();
  const phases = [undefined, ...REPLY_PHASES];
  return phases.flatMap((phase) => leaving.filter((step) => step.replyPhase === phase));
}

/** Reports the decision of a step unless it reported one itself; `reported` decisions existed before it ran. */
function report(exchange: Exchange, step: Step, reported: number, result?: Reply): void {
  const { decisions } = exchange;
  if (decisions === undefined || decisions.slice(reported).some(({ outcome }) => outcome !== 'call')) return;
  const why = result === undefined ? 'request passed' : `answered with ${result.status}`;
  decisions.push({ step: step.name, use: step.use, outcome: result === undefined ? 'pass' : 'answer', why });
}

/** Reports that after() returned another reply, unless the step has just reported it. */
function reportReplaced(exchange: ChainedExchange, { name, use }: Step, reply: Reply): void {
  const { decisions } = exchange;
  const { status } = reply;
  if (isReply(reply)) noteError(exchange, reply);
  if (decisions === undefined || decisions.at(-1)?.step === name) return;
  decisions.push({ step: name, use, outcome: 'edit', why: `reply replaced, status ${status}` });
}
