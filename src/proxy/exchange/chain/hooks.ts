/** The hooks of a step besides before() and after(): conditions, authentication, bodies. */
import type {
  Absent,
  Authentication,
  AuthProblem,
  Awaitable,
  CollectBody,
  Refused,
  Reply,
  ReplyBody,
  Unavailable,
} from '../../../policies/contract.js';
import { authProblem, type BytesReply } from '../../../policies/run-kit.js';
import { NoSharedResult } from '../../../state/single-flight.js';
import type { CollectFault } from '../body/collector.js';
import type { Callers } from './callers.js';
import type { FailedAttempts } from './failed-attempts.js';
import { refuse } from './refuse.js';
import { bodyChanged, discard, faultOf, hasContent, isEncoded, noteError, requestBodyChanged } from './replies.js';
import type { ChainedExchange, Step } from './step.js';

export class ChainHooks {
  /** The steps whose credentials are removed from the request. */
  readonly #stripping: readonly Step[];
  readonly #callers: Callers;
  readonly #attempts: FailedAttempts | undefined;

  constructor(steps: readonly Step[], callers: Callers, attempts: FailedAttempts | undefined) {
    this.#attempts = attempts;
    this.#callers = callers;
    this.#stripping = steps.filter(({ instance }) => instance.strip !== undefined);
  }

  // ---------------------------------------------------------------- request

  /** Runs the request hooks of a step. Returns the reply with which it answers. Throws or rejects if a hook does. */
  enter(exchange: ChainedExchange, step: Step): Awaitable<Reply | undefined> {
    const { instance } = step;
    if (!this.#decide(exchange, step, undefined)) {
      if (step.lastAuthenticator) this.#strip(exchange, false);
      else if (instance.authenticate === undefined) instance.strip?.(exchange);
      return undefined;
    }
    if (instance.authenticate === undefined) return this.#before(exchange, step);
    const reads = step.body?.request !== undefined;
    const found = instance.authenticate(exchange, reads ? this.#collectOf(exchange, step) : NOT_DECLARED);
    if (found instanceof Promise) return this.#identifiedLater(exchange, step, found);
    return this.#identified(exchange, step, found);
  }

  // A closure over the arguments of a function costs memory in each call of it, also in calls that do not create the closure. So
  // the functions that each request runs have none.

  #collectOf(exchange: ChainedExchange, step: Step): CollectBody {
    return (max) => this.#collectForAuthentication(exchange, step, max);
  }

  #identifiedLater(
    exchange: ChainedExchange,
    step: Step,
    pending: Promise<Authentication>,
  ): Promise<Reply | undefined> {
    return pending.then(
      (late) => this.#identified(exchange, step, late),
      (error: unknown) => this.#identified(exchange, step, outageOf(error)),
    );
  }

  #beforeLater(exchange: ChainedExchange, step: Step, pending: Promise<Reply | undefined>): Promise<Reply | undefined> {
    return pending.then((late) => late ?? this.#requestBody(exchange, step));
  }

  /** Evaluates the `when` of a step, once for each exchange. Returns whether the step applies. */
  #decide(exchange: ChainedExchange, step: Step, reply: Reply | undefined): boolean {
    const { when, bit } = step;
    if (when === undefined || (when.onReply && reply === undefined)) return true;
    if ((exchange.decided & bit) !== 0 && !when.onReply) return step.applies(exchange);
    exchange.decided |= bit;
    // A step whose condition cannot be evaluated is not entered.
    exchange.skipped |= bit;
    const holds = when.holds(exchange, reply);
    if (holds) exchange.skipped &= ~bit;
    if (!holds)
      exchange.decisions?.push({
        step: step.name,
        use: step.use,
        outcome: 'skip',
        why: `does not apply: ${when.source}`,
      });
    return holds;
  }

  #identified(exchange: ChainedExchange, step: Step, given: Authentication): Awaitable<Reply | undefined> {
    if (exchange.settled) return undefined;
    const { consumer, claims } = exchange;
    const found = given.outcome === 'identity' ? this.#callers.admit(exchange, given) : given;
    const passes = found.outcome === 'identity' || (found.outcome === 'absent' && found.pass === true);
    exchange.decisions?.push({ step: step.name, use: step.use, outcome: passes ? 'pass' : 'answer', why: found.why });
    if (found.outcome === 'identity') {
      if (found.claims !== undefined) exchange.claims = found.claims;
      if (found.certificate !== undefined) exchange.certificate = found.certificate;
      if (found.fields !== undefined) exchange.granted = [...(exchange.granted ?? []), ...found.fields];
      if (found.challenge !== undefined) exchange.challenge = found.challenge;
      // The entry of one consumer may be another object by now.
      const other = consumer !== undefined && exchange.consumer?.name !== consumer.name;
      if (other || (claims !== undefined && exchange.claims !== claims))
        exchange.earlierCallers = [...(exchange.earlierCallers ?? []), { consumer, claims }];
    }
    if (passes) noteCaller(exchange, found.outcome === 'identity' ? found.absent : found.problem);
    // A refused request must not show its credentials to templates of replies.
    if (step.lastAuthenticator || !passes) this.#strip(exchange, !passes);
    if (found.outcome === 'identity') return this.#before(exchange, step);
    if (found.outcome === 'unavailable') return refuse(exchange, 'auth/unavailable', found.why);
    return passes ? this.#before(exchange, step) : this.#refuse(exchange, step, found);
  }

  /** The reply to a request without a valid credential. A wrong one counts as a failed attempt of the client's address. */
  #refuse(exchange: ChainedExchange, step: Step, found: Absent | Refused): Awaitable<Reply | undefined> {
    if (found.outcome === 'refused' && found.wait === undefined && isAttempt(found)) {
      const wait = this.#attempts?.note(exchange.remoteAddress) ?? 0;
      if (wait instanceof Promise)
        return wait.then((late) => (exchange.settled ? undefined : refused(exchange, step, found, late)));
      return refused(exchange, step, found, wait);
    }
    return refused(exchange, step, found, found.outcome === 'refused' ? (found.wait ?? 0) : 0);
  }

  /** `refused`: the credentials of authenticators that the request has not reached are removed too, and the target gets nothing. */
  #strip(exchange: ChainedExchange, refused: boolean): void {
    for (const step of this.#stripping) if (refused || step.index <= exchange.entered) step.instance.strip!(exchange);
    if (refused || exchange.granted === undefined) return;
    for (const [name, value] of exchange.granted) exchange.headers.set(name, value);
  }

  async #collectForAuthentication(exchange: ChainedExchange, step: Step, max: number): Promise<Uint8Array | Refused> {
    if (!exchange.hasBody) return NO_BYTES;
    if (step.body?.request?.mandatory === true && isEncoded(exchange.headers))
      return refusedBody(refuseEncoded(exchange, step));
    const body = await exchange.ensureBodies().collectRequest(max);
    return typeof body === 'string' ? refusedBody(refuseRequestBody(exchange, step, body, max)) : body;
  }

  #before(exchange: ChainedExchange, step: Step): Awaitable<Reply | undefined> {
    const reply = step.instance.before?.(exchange);
    if (reply instanceof Promise) return this.#beforeLater(exchange, step, reply);
    return reply ?? this.#requestBody(exchange, step);
  }

  #requestBody(exchange: ChainedExchange, step: Step): Awaitable<Reply | undefined> {
    if (!step.takesBody || exchange.settled) return undefined;
    const { instance, body } = step;
    if (body?.reply?.mandatory === true) exchange.wholeReply = true;
    if (body?.reply?.mandatory === true || body?.request?.mandatory === true) exchange.noUpgrade = true;
    const reads = step.collectsRequest || instance.requestStage !== undefined;
    if (!reads || !exchange.hasBody) return undefined;
    const wanted = instance.readsRequest?.(exchange);
    if (wanted === false) return undefined;
    const mandatory = body?.request?.mandatory === true;
    const collects = step.collectsRequest && wanted !== 'stream';
    if ((collects || mandatory) && body?.request?.encoded !== true && isEncoded(exchange.headers)) {
      if (!mandatory) return undefined;
      return refuseEncoded(exchange, step);
    }
    if (collects) return this.#collectRequest(exchange, step);
    this.#stageRequest(exchange, step);
    return undefined;
  }

  #stageRequest(exchange: ChainedExchange, step: Step): void {
    const stage = step.instance.requestStage;
    if (stage === undefined) return;
    const create = stage.bind(step.instance, exchange);
    if (exchange.ensureBodies().stageRequest(create, step.name)) requestBodyChanged(exchange.headers);
  }

  async #collectRequest(exchange: ChainedExchange, step: Step): Promise<Reply | undefined> {
    const { max } = step.body!.request!;
    const bodies = exchange.ensureBodies();
    const body = await bodies.collectRequest(max);
    if (exchange.settled) return undefined;
    if (typeof body === 'string') return refuseRequestBody(exchange, step, body, max);
    const pending = step.instance.onRequestBody!(exchange, body);
    const result = pending instanceof Promise ? await pending : pending;
    if (exchange.settled) {
      discard(exchange, result);
      return undefined;
    }
    if (result !== undefined && !(result instanceof Uint8Array)) return result;
    if (result !== undefined) {
      if (!bodies.replaceRequest(result)) return refuseRequestBody(exchange, step, 'no-memory', max);
      requestBodyChanged(exchange.headers, result.length);
      reportBody(exchange, step, 'request');
    }
    this.#stageRequest(exchange, step);
    return undefined;
  }

  // ---------------------------------------------------------------- reply

  /** Whether the reply hooks of a step apply to a reply, as far as its `when` decides that. Throws if it cannot be evaluated. */
  appliesToReply(exchange: ChainedExchange, step: Step, reply: Reply): boolean {
    return this.#decide(exchange, step, reply);
  }

  /** Runs the body hooks of a step. Throws or rejects if a hook does. */
  replyBody(exchange: ChainedExchange, step: Step, reply: Reply): Awaitable<Reply> {
    const { instance } = step;
    const reads = step.collectsReply || instance.replyStage !== undefined;
    if (!reads || !hasContent(reply.status)) return reply;
    if (exchange.method === 'CONNECT') return reply;
    const wanted = instance.readsReply?.(exchange, reply);
    if (wanted === false) return reply;
    if (exchange.method === 'HEAD') {
      exchange.ensureBodies().forgetLength();
      bodyChanged(reply.headers);
      return reply;
    }
    const mandatory = step.body?.reply?.mandatory === true;
    const collects = step.collectsReply && wanted !== 'stream';
    const partial = reply.status === 206;
    if (partial || ((collects || mandatory) && isEncoded(reply.headers))) {
      if (!mandatory) return reply;
      discard(exchange, reply);
      const what = partial ? 'is a part (206)' : 'has a content coding';
      return refuse(exchange, 'upstream/unreadable', `policy ${step.name} cannot read the reply, which ${what}`);
    }
    if (collects) return this.#collectReply(exchange, step, reply);
    return staged(exchange, step, reply);
  }

  async #collectReply(exchange: ChainedExchange, step: Step, reply: Reply): Promise<Reply> {
    const { max } = step.body!.reply!;
    const turn = exchange.replyTurn;
    const isCurrent = (): boolean => exchange.replyTurn === turn && !exchange.over;
    const body = await exchange.ensureBodies().collectReply(reply, max);
    if (!isCurrent()) return reply;
    if (typeof body === 'string') return refuseReplyBody(exchange, step, body, max);
    reply.body = body;
    const pending = step.instance.onReplyBody!(exchange, reply, body);
    const changed = pending instanceof Promise ? await pending : pending;
    if (changed !== undefined && !(changed instanceof Uint8Array)) {
      const replaced = sendable(changed, undefined);
      noteError(exchange, replaced);
      return replaced;
    }
    if (!isCurrent()) return reply;
    if (changed !== undefined) {
      if (!exchange.ensureBodies().replaceReply(reply, changed))
        return refuseReplyBody(exchange, step, 'no-memory', max);
      bodyChanged(reply.headers, changed.length);
      reportBody(exchange, step, 'reply');
    }
    return staged(exchange, step, sendable(reply, undefined));
  }
}

/** Without what other workers know, an authenticator cannot say who calls: 503, as in other outages. Throws other errors. */
function outageOf(error: unknown): Unavailable {
  if (error instanceof NoSharedResult) return { outcome: 'unavailable', why: error.message };
  throw error;
}

/** `absent`: what the authenticator asks for; undefined: it has found the caller. */
function noteCaller(exchange: ChainedExchange, absent: AuthProblem | undefined): void {
  if (absent === undefined) exchange.known = true;
  exchange.absent = exchange.known || absent === undefined ? undefined : [...(exchange.absent ?? []), absent];
}

/** The reply with the stage of a step, if it has one. Throws if the reply cannot be sent. */
function staged(exchange: ChainedExchange, step: Step, reply: Reply): Reply {
  const stage = step.instance.replyStage;
  if (stage === undefined) return reply;
  const create = stage.bind(step.instance, exchange, reply);
  const turn = exchange.replyTurn;
  if (exchange.ensureBodies().stageReply(reply, create, step.name)) bodyChanged(reply.headers);
  // It has failed while it was created, and an error takes the place of the reply.
  if (exchange.replyTurn !== turn || exchange.over) return reply;
  return sendable(reply, exchange.source);
}

function reportBody({ decisions }: ChainedExchange, { name, use }: Step, what: 'request' | 'reply'): void {
  decisions?.push({ step: name, use, outcome: 'edit', why: `${what} body changed` });
}

/** Throws if a reply cannot be sent: body hooks may edit it. */
function sendable(reply: Reply, source: ReplyBody | undefined): Reply {
  const fault = faultOf(reply, source, false);
  if (fault !== undefined) throw new TypeError(fault);
  return reply;
}

/** Whether a refused credential may have been guessed. */
const isAttempt = ({ counts, problem: { status = 401 } }: Refused): boolean => status === 401 && counts !== false;

/** `wait`: milliseconds that the client must wait, since too many attempts have failed; 0: none. */
function refused(exchange: ChainedExchange, { name, use }: Step, found: Absent | Refused, wait: number): Reply {
  exchange.cause = found.why;
  if (wait === 0) return found.reply ?? authProblem(exchange, [found.problem]);
  discard(exchange, found.reply);
  const why = 'too many failed attempts';
  exchange.decisions?.push({ step: name, use, outcome: 'answer', why });
  const seconds = String(Math.max(1, Math.ceil(Math.min(wait, LONGEST_WAIT) / 1000)));
  return refuse(exchange, 'auth/too-many-failures', `${found.why}; ${why}`, { 'retry-after': seconds });
}

/** Milliseconds: a rate of 0 allows no further attempt at all. */
const LONGEST_WAIT = 86_400_000;

const NO_BYTES = new Uint8Array(0);

const NOT_DECLARED: CollectBody = () =>
  Promise.reject(new TypeError('The declaration of the policy does not say that it reads the body'));

/** The outcome of an authenticator whose body cannot be collected. */
const refusedBody = (reply: BytesReply): Refused => ({
  outcome: 'refused',
  why: reply.cause ?? 'the body cannot be read',
  problem: { status: reply.status, code: reply.code ?? 'request/unreadable', title: 'Request body not accepted' },
  reply,
});

export function refuseEncoded(exchange: ChainedExchange, step: Pick<Step, 'name'>): BytesReply {
  const cause = `policy ${step.name} cannot read a request body with a content coding`;
  return refuse(exchange, 'request/unreadable', cause, { 'accept-encoding': 'identity' });
}

export function refuseRequestBody(
  exchange: ChainedExchange,
  step: Pick<Step, 'name'>,
  fault: CollectFault,
  max: number,
): BytesReply {
  if (fault === 'too-large')
    return refuse(exchange, 'request/body-too-large', `request body larger than ${max} bytes (policy ${step.name})`);
  return refuse(exchange, 'gateway/overloaded', 'no memory is left for request bodies');
}

function refuseReplyBody(exchange: ChainedExchange, step: Step, fault: CollectFault, max: number): Reply {
  if (fault === 'too-large')
    return refuse(exchange, 'upstream/too-large', `reply body larger than ${max} bytes (policy ${step.name})`);
  return refuse(exchange, 'gateway/overloaded', 'no memory is left for reply bodies');
}
