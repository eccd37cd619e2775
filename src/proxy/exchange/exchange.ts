/** A request in flight: the view of policies on it, and the state of the engine. */
import type {
  AuthProblem,
  Claims,
  ClientCertificate,
  ConnectionFacts,
  ConsumerEntry,
  CredentialEntry,
  Decision,
  EarlierCaller,
  Exchange,
  ExchangeEnd,
  Identity,
  Reply,
  RouteEntry,
} from '../../policies/contract.js';
import { firstValue } from '../../policies/run-kit.js';
import { messageOf } from '../../reason.js';
import type { AttemptRecord, CallRecord } from '../../telemetry/snapshot.js';
import type { ErrorSlug } from '../errors/errors.js';
import type { RequestFields } from '../http/fields.js';
import { isForwarding } from '../http/own-names.js';
import { FORWARDING, Seen } from '../http/seen.js';
import { asksForUpgrade } from '../http/upgrades.js';
import type { ShowAttempt } from '../upstream/call/attempt.js';
import type { Attached, CallParent, SignedCall } from '../upstream/call/calls.js';
import type { Service } from '../upstream/service.js';
import type { CollectBudget } from './body/collector.js';
import { ExchangeBodies } from './body/exchange-bodies.js';
import type { ReplyReceiver } from './body/types.js';
import { discard } from './chain/replies.js';
import type { ChainedExchange, Step } from './chain/step.js';
import { acceptedId, forwardingOf } from './client-address.js';
import type { Downstream, ReplySource } from './downstream.js';
import type { CompiledRoute, Generation } from './generation.js';
import type { GrpcCall } from './grpc/call.js';
import type { Peer } from './peer.js';
import { type ExchangeHost, NO_ROUTE_ENTRY, type RequestDescription } from './request-description.js';
import { decodedParam, setTargetPath, targetPath } from './target-path.js';
import { streamLength } from './target-reply.js';

/** Ends an exchange that cannot continue: the driver. */
export interface FailureHandler {
  fail(exchange: GwExchange, error: ErrorSlug, cause: string, reply?: Reply): void;
}

export class GwExchange implements Exchange, ChainedExchange, CallParent {
  readonly id: string;
  readonly method: string;
  readonly host: string;
  /** Host, with its port if one was sent; the value for X-Forwarded-Host and a preserved Host. */
  readonly authority: string;
  /** As sent until the match, then normalized. */
  path: string;
  query: string;
  shownQuery: string | undefined = undefined;
  /** Path for the target, set by a policy. */
  givenPath: string | undefined = undefined;
  /** Sent with `?` and an empty query. */
  readonly bareQuery: boolean;
  readonly remoteAddress: string;
  readonly scheme: 'http' | 'https';
  /** Host of the original request, as reported by a trusted proxy. */
  readonly forwardedHost: string | undefined = undefined;
  consumer: ConsumerEntry | undefined = undefined;
  credential: CredentialEntry | undefined = undefined;
  callerTurn = 0;
  claims: Claims | undefined = undefined;
  absent: readonly AuthProblem[] | undefined = undefined;
  known = false;
  earlierCallers: readonly EarlierCaller[] | undefined = undefined;
  challenge: string | undefined = undefined;
  rule: string | undefined = undefined;
  certificate: ClientCertificate | undefined = undefined;
  decisions: Decision[] | undefined = undefined;
  calls: CallRecord[] | undefined = undefined;
  attempts: AttemptRecord[] | undefined = undefined;
  readonly headers: RequestFields;
  // The fields from here on are for the engine only.
  readonly peer: Peer;
  readonly generation: Generation;
  compiled: CompiledRoute | undefined = undefined;
  readonly minor: number;
  /** How the request, with its body, goes to the target. A step that changes the body changes both. */
  seen: number;
  contentLength: number;
  /** Monotonic milliseconds. */
  readonly startMs: number;
  downstream: Downstream | undefined = undefined;
  acted = false;
  sent = false;
  lasting = false;
  sendOnce = false;
  /** The source of the target's reply, once a target is selected. */
  source: ReplySource | undefined = undefined;
  /** Limit of the request's body in bytes. */
  maxBody = 0;
  /** Monotonic milliseconds at which the exchange times out; 0 for no limit. */
  deadline = 0;
  /** Where the source of the reply writes: the client, unless a step of the chain reads the body. */
  receiver: ReplyReceiver | undefined = undefined;
  bodies: ExchangeBodies | undefined = undefined;
  driver: FailureHandler | undefined = undefined;
  /** Only if the request is one of gRPC. */
  grpc: GrpcCall | undefined = undefined;
  started = false;
  from = 0;
  entered = 0;
  granted: Identity['fields'] = undefined;
  answeredBy: Step | undefined = undefined;
  decided = 0;
  skipped = 0;
  left = 0;
  resumeAt = 0;
  /** Replies that were taken back after they had left the chain. */
  takenBack = 0;
  replyTurn = 0;
  leaving: Reply | undefined = undefined;
  wholeReply = false;
  /** The client must connect again: its connection is not trusted any more. */
  endsConnection = false;
  noUpgrade = false;
  /** The length of the reply is not what its head says: a hook would change the body. */
  lengthUnknown = false;
  /** Its reply is decided, or it has ended: pending results of policies are dropped. */
  settled = false;
  /** The head of its reply has gone to the client. */
  sending = false;
  /** Its reply was sent or aborted. */
  over = false;
  error: string | null = null;
  /** The cause, for the log only; null if the error code is sufficient. */
  cause: string | null = null;
  target: string | null = null;
  upstreamMs: number | null = null;
  readonly #host: ExchangeHost;
  #startedAt: number | undefined = undefined;
  /** As sent, for signatures: `path` and `query` change. */
  readonly #sentPath: string;
  readonly #sentQuery: string;
  #params: readonly number[] | undefined = undefined;
  /** The first policy with a note, and its note; further ones are in a map. */
  #noter: object | undefined = undefined;
  #note: object | undefined = undefined;
  #notes: Map<object, object> | undefined = undefined;
  #attached: Set<Attached> | undefined = undefined;
  /** The exchange that this one is a further request of. */
  parent: GwExchange | undefined = undefined;
  /** Further requests of it and of those. */
  descendants = 0;

  constructor(request: RequestDescription, peer: Peer, generation: Generation, host: ExchangeHost, startMs: number) {
    this.peer = peer;
    this.generation = generation;
    this.method = request.method;
    this.host = request.host;
    this.authority = request.authority;
    this.path = request.path;
    this.query = request.query;
    this.#sentPath = this.path;
    this.#sentQuery = this.query;
    this.bareQuery = request.bareQuery;
    this.minor = request.minor;
    this.contentLength = request.contentLength;
    const { seen } = request;
    this.seen = seen;
    const headers = request.fields();
    this.headers = headers;
    // An absolute target overrides Host (RFC 9112 section 3.2.2), so policies must not see the received one.
    if (seen & Seen.AbsoluteTarget) headers.showHost(request.authority);
    this.#host = host;
    this.startMs = startMs;
    if ((seen & (FORWARDING | Seen.RequestId)) === 0 || !peer.trusted) {
      if (seen & (FORWARDING | Seen.RequestId)) headers.hideForwarding();
      this.remoteAddress = peer.address;
      this.scheme = peer.scheme;
      this.id = host.newId();
    } else {
      const forwarding = forwardingOf(peer, seen, (name) => headers.received(name));
      this.remoteAddress = forwarding.client;
      this.scheme = forwarding.scheme;
      this.forwardedHost = forwarding.host;
      const given = seen & Seen.RequestId ? headers.received('x-request-id') : undefined;
      this.id = acceptedId(given) ?? host.newId();
    }
  }

  get startedAt(): number {
    this.#startedAt ??= Math.round(this.#host.now() - (this.#host.monotonic() - this.startMs));
    return this.#startedAt;
  }

  get receivedTarget(): string {
    const query = this.#sentQuery;
    return query === '' && !this.bareQuery ? this.#sentPath : `${this.#sentPath}?${query}`;
  }

  get listener(): string {
    return this.peer.listener.entry.name;
  }

  get route(): RouteEntry {
    return this.compiled === undefined ? NO_ROUTE_ENTRY : this.compiled.entry;
  }

  get clientCertificate(): ClientCertificate | undefined {
    if (this.certificate !== undefined) return this.certificate;
    const presented = this.peer.tls?.clientCertificate;
    return presented?.verified === true ? presented : undefined;
  }

  get targetPath(): string | undefined {
    return targetPath(this);
  }

  setTargetPath(path: string): boolean {
    return setTargetPath(this, path);
  }

  header(name: string): string | undefined {
    return this.headers.get(name);
  }

  received(name: string): string | undefined {
    return isForwarding(name) && !this.peer.trusted ? undefined : this.headers.received(name);
  }

  /** Its reply was sent, or `cut`: cancels what is pending, and tells its steps. */
  end(cut: boolean): void {
    if (this.over) return;
    this.settled = true;
    this.over = true;
    const end = cut ? (this.error?.startsWith('downstream/') === true ? 'aborted' : 'cut') : 'sent';
    this.source?.cancel();
    this.dropLeaving();
    if (this.#attached !== undefined) for (const one of this.#attached) one.exchangeEnded();
    if (this.compiled === undefined) return;
    this.bodies?.end(end);
    if (this.acted) this.#finishAction(this.compiled, end);
    this.compiled.chain.finished(this, end);
  }

  /** The reply that waits for a step is not sent: that step may never end. */
  dropLeaving(): void {
    if (this.leaving !== undefined) discard(this, this.leaving);
    this.leaving = undefined;
  }

  #finishAction({ action }: CompiledRoute, end: ExchangeEnd): void {
    try {
      action.finished?.(this, end);
    } catch (error) {
      this.#logFailure('action failed after the exchange', { cause: messageOf(error) }, error);
    }
  }

  get attached(): Set<Attached> {
    this.#attached ??= new Set();
    return this.#attached;
  }

  serviceNamed(name: string): Service | undefined {
    return this.generation.serviceNamed(name);
  }

  signersOf(call: SignedCall): ShowAttempt | undefined {
    return this.generation.signers.show(call, this);
  }

  ensureBodies(): ExchangeBodies {
    this.bodies ??= new ExchangeBodies(this);
    return this.bodies;
  }

  get collectBudget(): CollectBudget {
    return this.#host.collectBudget;
  }

  fail(error: ErrorSlug, cause: string, reply?: Reply): void {
    this.driver?.fail(this, error, cause, reply);
  }

  policyFailed(policy: string, cause: string, error: unknown): void {
    this.#logFailure('policy failed, exchange ended', { cause, policy }, error);
    this.fail('policy/failed', `policy ${policy}: ${cause}`);
  }

  releaseFailed(policy: string, error: unknown): void {
    this.#logFailure('policy failed to release a body', { cause: messageOf(error), policy }, error);
  }

  #logFailure(message: string, facts: { readonly cause: string; readonly policy?: string }, error: unknown): void {
    this.generation.logger.error(message, {
      ...facts,
      route: this.route.name,
      request: this.id,
      stack: error instanceof Error ? error.stack : undefined,
    });
  }

  /** The client has read more after body() returned false. */
  drained(): void {
    if (this.bodies?.drained() !== true) this.source?.resume();
  }

  /** Length in bytes of the body that the reply's source delivers; -1 if unknown. */
  streamLength(status: number): number {
    if (this.lengthUnknown || this.source === undefined) return -1;
    return streamLength(status, this.source);
  }

  /**
   * Takes over what the chain has found out about the same request, for a copy of an exchange that continues with step `from`.
   */
  continue(of: GwExchange, from: number): void {
    this.path = of.path;
    this.shownQuery = of.shownQuery;
    this.givenPath = of.givenPath;
    this.#params = of.#params;
    this.compiled = of.compiled;
    this.consumer = of.consumer;
    this.credential = of.credential;
    this.claims = of.claims;
    this.known = of.known;
    this.earlierCallers = of.earlierCallers;
    this.absent = of.absent;
    this.challenge = of.challenge;
    this.#noter = of.#noter;
    this.#note = of.#note;
    this.#notes = of.#notes && new Map(of.#notes);
    this.decided = of.decided;
    this.skipped = of.skipped;
    this.wholeReply = of.wholeReply;
    this.noUpgrade = of.noUpgrade;
    this.from = from;
    this.entered = from;
  }

  note(owner: object, value: object): void {
    if (this.#noter === undefined || this.#noter === owner) {
      this.#noter = owner;
      this.#note = value;
    } else {
      this.#notes ??= new Map();
      this.#notes.set(owner, value);
    }
  }

  noted(owner: object): object | undefined {
    return this.#noter === owner ? this.#note : this.#notes?.get(owner);
  }

  remember(owner: object, value: object): void {
    this.peer.memory.set(owner, value);
  }

  remembered(owner: object): object | undefined {
    return this.peer.memory.get(owner);
  }

  get connection(): ConnectionFacts {
    return this.peer;
  }

  /** Offsets into path of each parameter: start, end, start, end ... */
  setParams(offsets: readonly number[]): void {
    this.#params = offsets;
  }

  /** A path parameter as in the path, still percent-encoded. */
  rawParam(name: string): string | undefined {
    const index = this.#params === undefined ? -1 : this.route.params.indexOf(name);
    return index < 0 ? undefined : this.path.slice(this.#params![index * 2], this.#params![index * 2 + 1]);
  }

  param(name: string): string | undefined {
    const raw = this.rawParam(name);
    return raw === undefined ? undefined : decodedParam(raw);
  }

  queryParam(name: string): string | undefined {
    return firstValue(this.query, name);
  }

  /** Whether the client waits for `100 Continue` before it sends the body. */
  get expectsContinue(): boolean {
    return (this.seen & Seen.Expect) !== 0 && this.minor === 1 && this.hasBody;
  }

  get hasBody(): boolean {
    return this.contentLength > 0 || (this.seen & Seen.TransferEncoding) !== 0;
  }

  /** Whether the request is an upgrade that gw forwards. */
  get wantsUpgrade(): boolean {
    return !this.noUpgrade && asksForUpgrade(this);
  }
}
