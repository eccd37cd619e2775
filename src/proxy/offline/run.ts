/** The run of one request; takes the place of engine, connection and client. */
import { inspect } from 'node:util';
import type { MatchTrace } from '../../bundle/match/match.js';
import { shownText } from '../../bundle/wire-text.js';
import type { Decision, Reply } from '../../policies/contract.js';
import { BytesReply, problem } from '../../policies/run-kit.js';
import { ERRORS, type ErrorSlug } from '../errors/errors.js';
import { BytesSupply } from '../exchange/body/request-body.js';
import { EMPTY } from '../exchange/body/types.js';
import type { BodySink, Downstream, ReplySource, TunnelEnd } from '../exchange/downstream.js';
import { Driver, type DriverHost } from '../exchange/driver.js';
import type { GwExchange } from '../exchange/exchange.js';
import type { Generation } from '../exchange/generation.js';
import { TargetReply } from '../exchange/target-reply.js';
import type { Service } from '../upstream/service.js';
import { type Missing, mockReply, type OfflineCall, type OfflineMocks, type OfflineReply } from './mocks.js';
import { type AskedTarget, fieldOf, OfflineTarget, type OfflineTargetHost } from './target.js';

export interface OfflineResult {
  /** Status of the reply that the client gets; null if the reply of a target without a mock would decide. */
  readonly status: number | null;
  /** What the outcome depends on, if that was not given. Then `status` and `reply` are null. */
  readonly unknown: Missing | null;
  /** Error slug of gw's reply, as in the access log; null if there is none. */
  readonly error: string | null;
  /** Readable cause if gw refuses the request; null if the error says it all. */
  readonly cause: string | null;
  /** Index of the route in the program; null if no route matches. */
  readonly route: number | null;
  readonly params: { readonly [name: string]: string };
  /** The normalized path, or as sent if normalization refused it. Null if the request is malformed. */
  readonly path: string | null;
  readonly decisions: readonly Decision[];
  /** The conditions that decided, and near misses; null if the request was refused before the match. */
  readonly trace: MatchTrace | null;
  readonly service: string | null;
  /** Whether the request goes to the service. */
  readonly asked: boolean;
  /** The target that gets the request; null if gw answers, or a managed service has not started. */
  readonly target: string | null;
  /** Lines of the request head that the target receives, and the bytes of its body. */
  readonly head: readonly string[] | null;
  readonly sent: Uint8Array | null;
  /** Names of its fields that policies have set for the attempt, which may be credentials. */
  readonly added: readonly string[];
  /** Number of policies of the chain, from the first on, that the request has reached. */
  readonly reached: number;
  readonly consumer: string | null;
  /** The reply that the client gets. `body`: as text, of its `bytes`. */
  readonly reply: {
    readonly headers: readonly (readonly [string, string])[];
    readonly body: string;
    readonly bytes: Uint8Array;
  } | null;
}

/** Errors of requests that are refused before the match. */
const BEFORE_MATCH: ReadonlySet<string> = new Set(['request/path', 'request/misdirected']);

/** What a run is given. */
export interface OfflineInput {
  readonly exchange: GwExchange;
  /** Undefined: not given. */
  readonly body: Buffer | undefined;
  readonly mocks: OfflineMocks;
  /** Mocks of this run and those of all runs. */
  mocksOf(exchange: GwExchange): OfflineMocks;
}

export class OfflineRun implements DriverHost, Downstream, OfflineTargetHost {
  readonly taken = 0;
  readonly driver = new Driver(this);
  readonly exchange: GwExchange;
  readonly mocks: OfflineMocks;
  /** What the outcome depends on, if that was not given. */
  unknown: Missing | null = null;
  readonly #generation: Generation;
  readonly #resolve: (result: OfflineResult) => void;
  readonly #input: OfflineInput;
  readonly #supply: BytesSupply;
  #trace: MatchTrace | null = null;
  #asked = false;
  #target: string | null = null;
  #head: readonly string[] | null = null;
  #sent: Uint8Array | null = null;
  #added: readonly string[] = [];
  /** Placeholder for the reply of a target without a mock, and the number of decisions before it. */
  #placeholder: Reply | undefined;
  #decided = 0;
  /** The reply whose body arrives. */
  #sending: Reply | undefined;
  readonly #parts: Buffer[] = [];

  constructor(generation: Generation, input: OfflineInput, resolve: (result: OfflineResult) => void) {
    this.#generation = generation;
    this.#input = input;
    this.#supply = new BytesSupply(input.body ?? EMPTY);
    this.exchange = input.exchange;
    this.mocks = input.mocks;
    this.#resolve = resolve;
  }

  begin(): void {
    this.driver.begin(this.exchange, this);
  }

  /** Ends the run: what comes next depends on something that is not known. */
  stop(unknown: Missing): void {
    if (this.exchange.over) return;
    this.unknown = unknown;
    this.#end(undefined, EMPTY);
  }

  routed(exchange: GwExchange): void {
    if (exchange.path === '*' || BEFORE_MATCH.has(exchange.error ?? '')) return;
    const { matcher, program } = this.#generation;
    this.#trace = matcher.trace(exchange, (route) => program.routes[route]?.match);
  }

  // ---------------------------------------------------------------- target

  ask(exchange: GwExchange, service: Service): ReplySource {
    return new OfflineTarget(this, exchange, service);
  }

  asked(_exchange: GwExchange, target: AskedTarget | undefined): void {
    this.#asked = true;
    this.#target = target?.url ?? null;
    this.#head = target?.head ?? null;
    this.#sent = target?.body ?? null;
    this.#added = target?.added ?? [];
  }

  mock(exchange: GwExchange, call: OfflineCall): OfflineReply | undefined {
    return mockReply(this.#input.mocksOf(exchange), call);
  }

  unanswered(exchange: GwExchange): Reply {
    this.#decided = exchange.decisions?.length ?? 0;
    this.#placeholder = new BytesReply(200);
    return this.#placeholder;
  }

  // ---------------------------------------------------------------- client

  pull(sink: BodySink): void {
    const { exchange } = this;
    const { body } = this.#input;
    if (body === undefined) {
      if (exchange.acted && exchange.bodies?.request === undefined) sink.sendBody(EMPTY, true);
      else this.#needsBody();
    } else if (body.length > exchange.maxBody) {
      this.driver.fail(exchange, 'request/body-too-large', `more than ${exchange.maxBody} bytes arrived (max_body)`);
    } else this.#supply.pull(sink);
  }

  /** Once the request has passed all policies, it is a stage of any of them that reads the body. */
  #needsBody(): void {
    const { acted, compiled, entered } = this.exchange;
    const name = acted ? undefined : compiled?.chain.nameAt(entered);
    const policy = name === undefined ? 'a policy' : `policy ${name}`;
    const would = `${policy} would read the body of the request, which is not given`;
    this.stop({ would, kind: 'body', name: name ?? '' });
  }

  send(reply: Reply): void {
    if (reply === this.#placeholder || this.unknown !== null) {
      this.#end(undefined, EMPTY);
      return;
    }
    const { body } = reply;
    if (body === null || body instanceof Uint8Array) {
      this.#end(reply, body ?? EMPTY);
      return;
    }
    this.#sending = reply;
    this.#parts.length = 0;
    this.exchange.source!.flow();
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    if (end > start) this.#parts.push(Buffer.from(buffer.subarray(start, end)));
    if (last) this.#end(this.#sending, Buffer.concat(this.#parts));
    return true;
  }

  takeBack(): boolean {
    return this.#parts.length === 0;
  }

  cut(): void {
    this.#end(this.#sending, Buffer.concat(this.#parts));
  }

  /** `own`: the reply, if it is known. */
  #end(own: Reply | undefined, bytes: Uint8Array): void {
    const { exchange } = this;
    if (exchange.over) return;
    const { compiled, generation, error, decisions = [] } = exchange;
    const params: Record<string, string> = {};
    for (const name of exchange.route.params) params[name] = exchange.param(name) ?? '';
    // What happens to a reply that is not known was decided on a placeholder.
    const known = own === undefined && this.#placeholder !== undefined ? decisions.slice(0, this.#decided) : decisions;
    this.#resolve({
      status: own?.status ?? null,
      unknown: this.unknown,
      error: own ? error : null,
      cause: own ? exchange.cause : null,
      route: compiled === undefined ? null : generation.routes.indexOf(compiled),
      params,
      path: exchange.path,
      decisions: known,
      trace: this.#trace,
      service: compiled?.service?.entry.name ?? null,
      asked: this.#asked,
      target: this.#target,
      head: this.#head,
      sent: this.#sent,
      added: this.#added,
      reached: reachedBy(exchange),
      consumer: exchange.consumer?.name ?? null,
      // A reply to HEAD has the fields of one to GET, and no body.
      reply: own ? replyResult(own, exchange.method === 'HEAD' ? EMPTY : bytes) : null,
    });
    exchange.end(false);
  }

  bug(error: unknown): void {
    throw error;
  }

  broke(error: unknown): void {
    this.driver.fail(this.exchange, 'gateway/failed', inspect(error));
  }

  // No client can disconnect, and nothing is tunnelled.
  interim(): void {}
  trailers(): void {}
  dropBody(): void {}
  tunnel(_end: TunnelEnd): void {}
  tunnelWrite(): void {}
  tunnelWantsMore(): void {}
  tunnelHalfEnded(): void {}
  tunnelEnded(): void {}
}

function reachedBy({ compiled, entered, started }: GwExchange): number {
  return compiled === undefined || !started ? 0 : Math.min(entered + 1, compiled.chain.length);
}

function replyResult(reply: Reply, bytes: Uint8Array): OfflineResult['reply'] {
  // Of a target's fields the client gets those that do not end here.
  const lines = reply instanceof TargetReply ? reply.lines().split('\r\n').slice(0, -1) : undefined;
  const all = lines?.map(fieldOf) ?? [...reply.headers.entries()];
  const fields = all.map(([name, value]) => [name, shownText(value)] as const);
  return { headers: fields, body: Buffer.from(bytes).toString('utf8'), bytes };
}

/** The result for a malformed request, which the engine would refuse. */
export function unread(id: string, error: ErrorSlug, cause: string): OfflineResult {
  const reply = problem({ id }, { code: error, ...ERRORS[error] });
  return {
    status: reply.status,
    unknown: null,
    error,
    cause,
    route: null,
    params: {},
    path: null,
    decisions: [],
    trace: null,
    service: null,
    asked: false,
    target: null,
    head: null,
    sent: null,
    added: [],
    reached: 0,
    consumer: null,
    reply: replyResult(reply, reply.body ?? EMPTY),
  };
}
