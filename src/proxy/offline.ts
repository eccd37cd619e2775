/**
 * The data plane without sockets: parsing, normalization, match and chain of the engine, on a clock that the caller
 * supplies. The last step selects a target and stops. Used by explain and by tests inside a spec.
 */
import { inspect } from 'node:util';
import type { MatchTrace } from '../bundle/match/match.js';
import type { Json, ListenerEntry } from '../bundle/types.js';
import { shownText, wireText } from '../bundle/wire-text.js';
import type { Clock, Decision, LimitStore, Logger, Reply } from '../policies/contract.js';
import { BytesReply, problem } from '../policies/run-kit.js';
import { allocateState, openState } from '../state/memory.js';
import { StatsWriter } from '../telemetry/stats/writer.js';
import { BAD_REWRITE } from './errors/cause.js';
import { ERRORS, type ErrorSlug } from './errors/errors.js';
import { CollectBudget } from './exchange/body/collector.js';
import { refuse } from './exchange/chain/refuse.js';
import type { BodySink, Downstream, ReplySource, TunnelEnd } from './exchange/downstream.js';
import { Driver, type DriverHost } from './exchange/driver.js';
import { GwExchange } from './exchange/exchange.js';
import { Generation, PolicyInstances } from './exchange/generation.js';
import { InnerExchanges } from './exchange/inner/exchanges.js';
import { peerOf, TrustedProxies } from './exchange/peer.js';
import { requestHead, upgradeLines } from './exchange/target-head.js';
import { rewriteFault } from './exchange/target-path.js';
import { type HeadLimits, RequestHead } from './http/request-head.js';
import { Descriptors } from './load/descriptors.js';
import { FairScheduler } from './load/fair-scheduler.js';
import { WriteBatcher } from './load/write-batcher.js';
import { OfflineCalls } from './offline/calls.js';
import { OfflineInner } from './offline/inner.js';
import type { OfflineMocks } from './offline/mocks.js';
import { OfflineSource } from './offline/source.js';
import { OfflineTime } from './offline/time.js';
import type { GenerationInput } from './types.js';
import type { CallParent } from './upstream/call/calls.js';
import { DnsCache } from './upstream/dns-cache.js';
import { TargetRegistry } from './upstream/registry.js';
import type { Service } from './upstream/service.js';
import { FailureNotes } from './upstream/target-host.js';

export interface OfflineOptions {
  readonly clock: Clock;
  readonly limits: LimitStore;
  readonly random?: () => number;
  readonly logger?: Logger;
  /** What services answer, in all runs. */
  readonly mocks?: OfflineMocks;
  /** What the duties of policies have published, by name of the policy. */
  readonly published?: { readonly [policy: string]: Json };
}

export interface OfflineRequest {
  readonly method: string;
  /** The request target as it is sent: `/path?query`, or absolute (RFC 9112 section 3.2). */
  readonly url: string;
  readonly headers?: Iterable<readonly [name: string, value: string]> | { readonly [name: string]: string };
  /** HTTP version; default: 1.1. */
  readonly version?: '1.0' | '1.1';
  /**
   * False: exactly these fields are sent. Otherwise an HTTP/1.1 request without a Host field gets one, from the
   * absolute URL or `localhost`, as every client sends one.
   */
  readonly addHost?: boolean;
  /** Address of the peer; default: 127.0.0.1. */
  readonly remoteAddress?: string;
  /** Name of the listener that receives it. Default: the first one; for an https URL the first one with TLS. */
  readonly listener?: string;
  /** What services answer in this run, before those of the plane. */
  readonly mocks?: OfflineMocks;
}

export interface OfflineResult {
  /** Status of the reply if gw answers itself; null if the target's reply would decide. */
  readonly status: number | null;
  /**
   * What would have to happen first, if the outcome depends on it: `policy auth would call auth: GET /check`. Then `status` and
   * `reply` are null.
   */
  readonly unknown: string | null;
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
  /** The target that would get the request now; null if gw answers, or a managed service has not started. */
  readonly target: string | null;
  /** Lines of the request head that the target would receive. */
  readonly head: readonly string[] | null;
  readonly consumer: string | null;
  /** The reply of gw. */
  readonly reply: { readonly headers: readonly (readonly [string, string])[]; readonly body: string } | null;
}

/** Errors of requests that are refused before the match. */
const BEFORE_MATCH: ReadonlySet<string> = new Set(['request/path', 'request/misdirected']);

/** Limits of the default listener, for a program without listeners. */
const LIMITS: HeadLimits = {
  maxHeaderBytes: 32 * 1024,
  maxHeaders: 100,
  maxTargetBytes: 16 * 1024,
  underscores: 'refuse-aliases',
};

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export class OfflinePlane {
  readonly #generation: Generation;
  readonly #time: OfflineTime;
  readonly #mocks: OfflineMocks;
  readonly #runs = new Set<OfflineRun>();
  readonly #collectBudget = new CollectBudget();
  #ids = 0;

  /** Throws if the generation cannot be loaded. */
  constructor(input: GenerationInput, options: OfflineOptions) {
    const { clock, limits, random = Math.random, logger = SILENT, mocks = {}, published = {} } = options;
    this.#mocks = mocks;
    const time = new OfflineTime(clock, () => this.#runs.size > 0);
    this.#time = time;
    const around = { calls: this.#calls(), exchanges: this.#inner(), ask: this.#ask(input) };
    const state = openState(allocateState({ workers: 1, small: true }), 0, time);
    const world = { clock: time, random, logger, limits, ...state, after: time.after, ...around };
    const instances = new PolicyInstances(world);
    const values = input.program.policies.flatMap(({ name, identity }) =>
      Object.hasOwn(published, name) ? [[identity, published[name]!] as const] : [],
    );
    this.#generation = new Generation({ ...input, published: new Map(values) }, instances, logger);
    const registry = new TargetRegistry({
      stats: new StatsWriter(input.stats.chunks),
      descriptors: new Descriptors(1, () => {}),
      dns: new DnsCache(() => clock.now()),
      batcher: new WriteBatcher(),
      scheduler: new FairScheduler(),
      monotonic: () => clock.now(),
      cachedNow: () => clock.now(),
      now: () => clock.now(),
      failures: new FailureNotes(),
      log() {},
    });
    this.#generation.connect(registry.adopt(registry.prepare(input.program.services, input.stats)));
  }

  #calls(): OfflineCalls {
    return new OfflineCalls({
      mocksOf: (parent) => this.#mocksOf(parent),
      unknown: (parent, would) => this.#stop(parent, would),
    });
  }

  /** Offline no duty runs. */
  #ask({ program }: GenerationInput): (identity: string) => Promise<never> {
    return (identity) => {
      const name = program.policies.find((policy) => policy.identity === identity)?.name;
      this.#stop(undefined, `policy ${name} would ask its duty`);
      return Promise.reject(new Error('no duty runs in an offline run'));
    };
  }

  #inner(): InnerExchanges {
    const now = (): number => this.#time.now();
    const host = new OfflineInner(
      (exchange) => this.#mocksOf(exchange),
      (exchange, would) => this.#stop(exchange, would),
      now,
    );
    return new InnerExchanges(host);
  }

  /** The run that an exchange, or a further request of one, belongs to. */
  #runOf(parent: CallParent | undefined): OfflineRun | undefined {
    let root = parent;
    while (root instanceof GwExchange && root.parent !== undefined) root = root.parent;
    return root === undefined ? undefined : [...this.#runs].find(({ exchange }) => exchange === root);
  }

  #mocksOf(parent: CallParent | undefined): OfflineMocks {
    return { ...this.#mocks, ...this.#runOf(parent)?.mocks };
  }

  /** The outcome of a run is unknown. What belongs to no exchange may decide any run. */
  #stop(parent: CallParent | undefined, would: string): void {
    const run = this.#runOf(parent);
    if (run !== undefined) run.stop(would);
    else for (const each of this.#runs) each.unknown ??= would;
  }

  /** Runs a request. Resolves also if gw refuses it; never rejects. */
  run(request: OfflineRequest): Promise<OfflineResult> {
    const { program } = this.#generation;
    const listener = listenerOf(program.listeners, request);
    const proxies = new TrustedProxies(listener?.trustedProxies ?? []);
    const peer = peerOf(request.remoteAddress ?? '127.0.0.1', listener?.tls ? 'https' : 'http', proxies, {
      entry: listener ?? { name: '', maxBodyBytes: Number.MAX_SAFE_INTEGER },
    });
    const head = new RequestHead();
    head.written = this.#generation.written;
    const text = headText(request);
    const length = head.parse(text, listener ?? LIMITS);
    const newId = (): string => `offline-${(this.#ids++).toString(36)}`;
    if (length < 0) return Promise.resolve(unread(newId(), head.error, head.cause));
    if (length !== text.length) return Promise.resolve(unread(newId(), 'request/malformed', TOO_LONG));
    const now = (): number => this.#time.now();
    const host = { newId, now, monotonic: () => this.#time.monotonic(), collectBudget: this.#collectBudget };
    const exchange = new GwExchange(head, peer, this.#generation, host, now());
    exchange.decisions = [];
    return new Promise((resolve) => {
      const run = new OfflineRun(this.#generation, exchange, request.mocks ?? {}, (result) => {
        this.#runs.delete(run);
        resolve(result);
      });
      this.#runs.add(run);
      run.begin();
      this.#time.begin();
    });
  }

  close(): void {
    this.#generation.finish();
  }
}

/** The run of one request; takes the place of engine, connection and target. */
class OfflineRun implements DriverHost, Downstream {
  readonly taken = 0;
  readonly #generation: Generation;
  readonly #resolve: (result: OfflineResult) => void;
  readonly #driver = new Driver(this);
  readonly exchange: GwExchange;
  readonly mocks: OfflineMocks;
  /** What the outcome depends on, if that is not known. */
  unknown: string | null = null;
  #trace: MatchTrace | null = null;
  #target: string | null = null;
  #head: readonly string[] | null = null;
  /** Placeholder for the target's reply. */
  #asked: Reply | undefined;

  constructor(
    generation: Generation,
    exchange: GwExchange,
    mocks: OfflineMocks,
    resolve: (result: OfflineResult) => void,
  ) {
    this.#generation = generation;
    this.exchange = exchange;
    this.mocks = mocks;
    this.#resolve = resolve;
  }

  begin(): void {
    this.#driver.begin(this.exchange, this);
  }

  /** Ends the run: what comes next depends on a reply that is not known. */
  stop(unknown: string): void {
    if (this.exchange.over) return;
    this.unknown = unknown;
    this.#end(undefined);
  }

  routed(exchange: GwExchange): void {
    if (exchange.path === '*' || BEFORE_MATCH.has(exchange.error ?? '')) return;
    const { matcher, program } = this.#generation;
    this.#trace = matcher.trace(exchange, (route) => program.routes[route]?.match);
  }

  ask(exchange: GwExchange, service: Service): ReplySource {
    return new OfflineSource(() => this.#driver.replied(exchange, this.#answer(exchange, service)));
  }

  #answer(exchange: GwExchange, service: Service): Reply {
    const target = service.pick(undefined);
    if (target !== undefined) {
      const tunnel = exchange.wantsUpgrade && !exchange.hasBody;
      const text = requestHead(exchange, target, tunnel ? upgradeLines(exchange) : '');
      if (text === undefined) return refuse(exchange, rewriteFault(exchange), BAD_REWRITE);
      this.#target = target.url;
      this.#head = shownText(text).trimEnd().split('\r\n');
      const details = { service: target.service, target: target.url };
      const why = `round robin, targets: ${service.targets.length}`;
      exchange.decisions?.push({ step: 'balance', use: 'balance', outcome: 'pass', why, details });
    }
    this.#asked = new BytesReply(200);
    return this.#asked;
  }

  send(reply: Reply): void {
    this.#end(reply === this.#asked || this.unknown !== null ? undefined : reply);
  }

  /** `own`: the reply, if it is known. */
  #end(own: Reply | undefined): void {
    const { exchange } = this;
    const { compiled, generation, error } = exchange;
    const params: Record<string, string> = {};
    for (const name of exchange.route.params) params[name] = exchange.param(name) ?? '';
    this.#resolve({
      status: own?.status ?? null,
      unknown: this.unknown,
      error: own ? error : null,
      cause: own ? exchange.cause : null,
      route: compiled === undefined ? null : generation.routes.indexOf(compiled),
      params,
      path: exchange.path,
      decisions: exchange.decisions ?? [],
      trace: this.#trace,
      service: compiled?.service?.entry.name ?? null,
      target: this.#target,
      head: this.#head,
      consumer: exchange.consumer?.name ?? null,
      reply: own ? replyResult(own) : null,
    });
    exchange.end(false);
  }

  bug(error: unknown): void {
    throw error;
  }

  broke(error: unknown): void {
    this.#driver.fail(this.exchange, 'gateway/failed', inspect(error));
  }

  takeBack(): boolean {
    return false;
  }

  // Nothing is streamed, and no client can disconnect.
  interim(): void {}
  trailers(): void {}
  cut(): void {}
  pull(_sink: BodySink): void {}
  dropBody(): void {}
  tunnel(_end: TunnelEnd): void {}
  tunnelWrite(): void {}
  tunnelWantsMore(): void {}
  tunnelEnded(): void {}
  body(): boolean {
    return true;
  }
}

const replyResult = ({ headers, body }: Reply): OfflineResult['reply'] => ({
  headers: [...headers.entries()].map(([name, value]) => [name, shownText(value)] as const),
  body: body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : '',
});

/** The result for a malformed request, which the engine would refuse. */
function unread(id: string, error: ErrorSlug, cause: string): OfflineResult {
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
    target: null,
    head: null,
    consumer: null,
    reply: replyResult(reply),
  };
}

const TOO_LONG = 'the request line or a field holds a line break';

const listenerOf = (
  listeners: readonly ListenerEntry[],
  { listener, url }: OfflineRequest,
): ListenerEntry | undefined =>
  listeners.find(({ name }) => name === listener) ??
  (/^https:/i.test(url) ? listeners.find(({ tls }) => tls !== undefined) : undefined) ??
  listeners[0];

/** The request head as sent over the wire. An invalid head stays invalid, for the parser to refuse. */
function headText({ method, url, headers = {}, version = '1.1', addHost }: OfflineRequest): string {
  const fields = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  const given = version === '1.0' || addHost === false || fields.some(([name]) => name.toLowerCase() === 'host');
  const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1] || 'localhost';
  const host = given ? '' : `host: ${authority}\r\n`;
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return wireText(`${method} ${url} HTTP/${version}\r\n${host}${lines}\r\n`);
}
