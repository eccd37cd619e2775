/** One policy in a chain, with what the chain needs to know about it at each request. */
import type { ConsumerEntry, PolicyBody, ReplyPhase } from '../../../bundle/types.js';
import type { Condition } from '../../../expression/condition.js';
import type {
  AuthProblem,
  ClientCertificate,
  Decision,
  EarlierCaller,
  Exchange,
  Identity,
  PolicyInstance,
  Reply,
} from '../../../policies/contract.js';
import type { ErrorSlug } from '../../errors/errors.js';
import type { ExchangeBodies } from '../body/exchange-bodies.js';
import type { ReplySource } from '../body/types.js';
import type { CalledExchange } from './callers.js';

/** A policy as a generation gives it to its chains. */
export interface ChainPolicy {
  readonly name: string;
  readonly use: string;
  readonly instance: PolicyInstance;
  /** Its reply hooks run outermost, on every reply of the route. */
  readonly replyPhase?: ReplyPhase | undefined;
  readonly when?: Condition | undefined;
  readonly body?: PolicyBody | undefined;
}

/** The state of a chain in an exchange. */
export interface ChainedExchange extends Exchange, CalledExchange {
  consumer: ConsumerEntry | undefined;
  /** The chain has begun. */
  started: boolean;
  /** The first step that it runs: not 0 for a copy of an exchange that continues in the background. */
  readonly from: number;
  /** Number of steps, from the first on, that the request has passed. */
  entered: number;
  /** What an authenticator found; undefined: that of the connection counts. */
  certificate: ClientCertificate | undefined;
  /** Fields for the target from its authenticators; set when the credentials are removed. */
  granted: Identity['fields'];
  /** An authenticator has found the caller. */
  known: boolean;
  earlierCallers: readonly EarlierCaller[] | undefined;
  absent: readonly AuthProblem[] | undefined;
  challenge: string | undefined;
  /** The step whose before() answered. Its after() does not see that reply. */
  answeredBy: Step | undefined;
  /** Bits of the steps whose `when` was evaluated, and of those for which it did not hold. */
  decided: number;
  skipped: number;
  /** Position in the order of leaving: the steps before it have seen the reply. */
  left: number;
  /** The reply that waits for a step which it leaves by; its stream is discarded if the wait ends without it. */
  leaving: Reply | undefined;
  /** Changes when another reply takes the place of the one that is leaving. */
  replyTurn: number;
  /** A reply is decided, or the exchange has ended: the result of a pending before() is dropped. */
  readonly settled: boolean;
  readonly over: boolean;
  /** The source of the reply's body. */
  readonly source: ReplySource | undefined;
  /** A hook must see every reply body: the target is asked for all of it, unencoded. */
  wholeReply: boolean;
  /** A hook must see every body: an upgrade would bypass it. */
  noUpgrade: boolean;
  readonly bodies: ExchangeBodies | undefined;
  /** Creates `bodies`. */
  ensureBodies(): ExchangeBodies;
  error: string | null;
  cause: string | null;
  fail(error: ErrorSlug, cause: string): void;
  /** Logs that a stage or a stream threw when it was released. The exchange goes on. */
  releaseFailed(policy: string, error: unknown): void;
  readonly decisions: Decision[] | undefined;
}

export class Step {
  readonly name: string;
  readonly use: string;
  readonly instance: PolicyInstance;
  readonly index: number;
  readonly replyPhase: ReplyPhase | undefined;
  readonly when: Condition | undefined;
  /** Its bit in the masks of an exchange; 0 without `when`. */
  readonly bit: number;
  readonly body: PolicyBody | undefined;
  /** Only before() runs when a request enters. */
  readonly plain: boolean;
  /** It may read or change bodies. */
  readonly takesBody: boolean;
  /** Nothing runs when a request enters. */
  readonly idle: boolean;
  /** Only after() runs when a reply leaves. */
  readonly plainReply: boolean;
  /** Something runs when a reply leaves. */
  readonly leaves: boolean;
  /** After this step, no authenticator of the chain needs the credentials any more. */
  lastAuthenticator = false;

  constructor(policy: ChainPolicy, index: number, bit: number) {
    const { instance, when, body } = policy;
    this.name = policy.name;
    this.use = policy.use;
    this.instance = instance;
    this.index = index;
    this.replyPhase = policy.replyPhase;
    this.when = when;
    this.bit = bit;
    this.body = body;
    const before = instance.before !== undefined;
    const decides = when !== undefined && !when.onReply;
    this.takesBody = body !== undefined || instance.requestStage !== undefined;
    const more = decides || instance.authenticate !== undefined || this.takesBody;
    this.plain = before && !more;
    this.idle = !before && !more;
    const bodyHooks = this.collectsReply || instance.replyStage !== undefined;
    this.leaves = instance.after !== undefined || bodyHooks;
    this.plainReply = instance.after !== undefined && !bodyHooks && when === undefined;
  }

  get outer(): boolean {
    return this.replyPhase !== undefined;
  }

  get collectsRequest(): boolean {
    return this.instance.onRequestBody !== undefined && this.body?.request !== undefined;
  }

  get collectsReply(): boolean {
    return this.instance.onReplyBody !== undefined && this.body?.reply !== undefined;
  }

  /** Whether the exchange has passed its `when`. */
  applies(exchange: ChainedExchange): boolean {
    return (exchange.skipped & this.bit) === 0;
  }
}
