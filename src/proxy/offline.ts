/**
 * The data plane without sockets: the very parse, normalisation, match and chain of the engine, on a clock of the caller's
 * choice. The last step picks a target and stops. What explain, and tests inside a spec, stand on.
 */
import type { MatchTrace } from '../bundle/match.js';
import type { Clock, Decision, LimitStore, Logger, Reply } from '../policies/contract.js';
import { BytesReply } from '../policies/run-kit.js';
import { StatsWriter } from '../telemetry/stats-writer.js';
import { type ChainDriver, discard } from './chain.js';
import { Descriptors } from './descriptors.js';
import { ERRORS, type ErrorSlug } from './errors.js';
import { GwExchange } from './exchange.js';
import { Generation, PolicyInstances } from './generation.js';
import { type HeadLimits, RequestHead } from './http/request-head.js';
import { rewriteFault } from './http/target-path.js';
import { requestHead } from './http/write-head.js';
import { Outbox } from './outbox.js';
import { peerOf, TrustedProxies } from './peer.js';
import { bodyLimit, refuse, routeRequest } from './route-request.js';
import { Turns } from './turns.js';
import type { GenerationInput } from './types.js';
import { FailureNotes } from './upstream/failures.js';
import { Names } from './upstream/names.js';
import { TargetRegistry } from './upstream/registry.js';

export interface OfflineOptions {
  readonly clock: Clock;
  readonly limits: LimitStore;
  readonly random?: () => number;
  readonly logger?: Logger;
}

export interface OfflineRequest {
  readonly method: string;
  /** `/path?query`, or absolute: its host then stands in for a missing Host field. */
  readonly url: string;
  readonly headers?: Iterable<readonly [name: string, value: string]> | { readonly [name: string]: string };
  /** Address of the peer; 127.0.0.1 when left out. */
  readonly remoteAddress?: string;
  /** Name of the listener that it comes in by; the first when left out. */
  readonly listener?: string;
}

export interface OfflineResult {
  /** Status of the reply where gw answers by itself; null where the target's reply would decide. */
  readonly status: number | null;
  /** Slug of gw's own answer, as in the access log; null where there is none. */
  readonly error: string | null;
  /** Index of the route in the program; null where none takes it. */
  readonly route: number | null;
  readonly params: { readonly [name: string]: string };
  /** Normalised; as sent where normalising refused it. Null where the request could not even be read. */
  readonly path: string | null;
  readonly decisions: readonly Decision[];
  /** Which conditions decided, and near misses; null where the request did not come as far as a match. */
  readonly trace: MatchTrace | null;
  readonly service: string | null;
  /** The target that would be asked now; null where gw answers, or a managed service has not started. */
  readonly target: string | null;
  /** Lines of the request head as that target would see it. */
  readonly head: readonly string[] | null;
  readonly consumer: string | null;
  /** gw's own reply. */
  readonly reply: { readonly headers: readonly (readonly [string, string])[]; readonly body: string } | null;
}

/** Of a listener that the spec says nothing of: there is none. */
const LIMITS: HeadLimits = {
  maxHeaderBytes: 32 * 1024,
  maxHeaders: 100,
  maxTargetBytes: 16 * 1024,
  underscores: 'refuse-aliases',
};

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

export class OfflinePlane {
  readonly #generation: Generation;
  readonly #clock: Clock;
  #ids = 0;

  /** Throws where the generation cannot be loaded. */
  constructor(input: GenerationInput, { clock, limits, random = Math.random, logger = SILENT }: OfflineOptions) {
    this.#clock = clock;
    const instances = new PolicyInstances({ clock, random, logger, limits });
    this.#generation = new Generation(input, instances, logger);
    const registry = new TargetRegistry({
      stats: new StatsWriter(input.stats.chunks),
      descriptors: new Descriptors(1, () => {}),
      names: new Names(() => clock.now()),
      outbox: new Outbox(),
      turns: new Turns(),
      monotonic: () => clock.now(),
      lately: () => clock.now(),
      now: () => clock.now(),
      failures: new FailureNotes(),
      log() {},
    });
    this.#generation.connect(registry.adopt(registry.prepare(input.program.services, input.stats)));
  }

  /** Sends a request through. Resolves also where gw refuses it; never rejects. */
  run(request: OfflineRequest): Promise<OfflineResult> {
    const { program } = this.#generation;
    const listener = program.listeners.find(({ name }) => name === request.listener) ?? program.listeners[0];
    const proxies = new TrustedProxies(listener?.trustedProxies ?? []);
    const peer = peerOf(request.remoteAddress ?? '127.0.0.1', listener?.tls ? 'https' : 'http', proxies);
    const head = new RequestHead();
    head.written = this.#generation.written;
    const text = headText(request);
    const length = head.parse(text, listener ?? LIMITS);
    if (length !== text.length) return Promise.resolve(unread(length < 0 ? head.error : 'request/malformed'));
    const now = (): number => this.#clock.now();
    const host = { newId: () => `offline-${(this.#ids++).toString(36)}`, now, monotonic: now };
    const exchange = new GwExchange(head, peer, this.#generation, host, now());
    exchange.decisions = [];
    return new Promise((resolve) => {
      const driver = new OfflineDriver(resolve);
      exchange.driver = driver;
      const refused = routeRequest(exchange);
      driver.trace = exchange.path === '*' || exchange.error === 'request/path' ? null : this.#trace(exchange);
      const maxBody = bodyLimit(exchange, listener?.maxBodyBytes ?? Number.MAX_SAFE_INTEGER);
      if (refused !== undefined) driver.deliver(exchange, refused);
      else if (exchange.contentLength > maxBody)
        driver.deliver(exchange, refuse(exchange, 'request/body-too-large', null));
      else exchange.chain!.run(exchange);
    });
  }

  #trace(exchange: GwExchange): MatchTrace {
    const { matcher, program } = this.#generation;
    return matcher.trace(exchange, (route) => program.routes[route]?.match);
  }

  close(): void {
    this.#generation.finish();
  }
}

class OfflineDriver implements ChainDriver {
  trace: MatchTrace | null = null;
  readonly #resolve: (result: OfflineResult) => void;
  #target: string | null = null;
  #head: readonly string[] | null = null;
  #asked: Reply | undefined;

  constructor(resolve: (result: OfflineResult) => void) {
    this.#resolve = resolve;
  }

  terminal(exchange: GwExchange): void {
    const { service, reply } = exchange.compiled!;
    if (reply !== undefined) {
      exchange.chain!.replied(exchange, reply());
      return;
    }
    const target = service?.pick(undefined);
    if (target !== undefined) {
      const text = requestHead(exchange, target);
      if (text === undefined) {
        exchange.chain!.replied(exchange, refuse(exchange, rewriteFault(exchange), null));
        return;
      }
      this.#target = target.url;
      this.#head = text.trimEnd().split('\r\n');
      const details = { service: target.service, target: target.url };
      const why = `next in turn of ${service?.targets.length ?? 0}`;
      exchange.decisions?.push({ step: 'balance', use: 'balance', outcome: 'pass', why, details });
    }
    this.#asked = new BytesReply(200);
    exchange.chain!.replied(exchange, this.#asked);
  }

  deliver(exchange: GwExchange, reply: Reply): void {
    exchange.settled = true;
    const { compiled, generation, error } = exchange;
    const own = reply !== this.#asked;
    const params: Record<string, string> = {};
    for (const name of exchange.route.params) params[name] = exchange.param(name) ?? '';
    this.#resolve({
      status: own ? reply.status : null,
      error: own ? error : null,
      route: compiled === undefined ? null : generation.routes.indexOf(compiled),
      params,
      path: exchange.path,
      decisions: exchange.decisions ?? [],
      trace: this.trace,
      service: compiled?.service?.plan.name ?? null,
      target: this.#target,
      head: this.#head,
      consumer: exchange.consumer?.name ?? null,
      reply: own ? told(reply) : null,
    });
    discard(reply);
  }
}

const told = ({ headers, body }: Reply): OfflineResult['reply'] => ({
  headers: [...headers.entries()],
  body: body instanceof Uint8Array ? Buffer.from(body).toString('utf8') : '',
});

/** A request that cannot be read: the engine would refuse it and close. */
function unread(error: ErrorSlug): OfflineResult {
  const { status } = ERRORS[error];
  return {
    status,
    error,
    route: null,
    params: {},
    path: null,
    decisions: [],
    trace: null,
    service: null,
    target: null,
    head: null,
    consumer: null,
    reply: null,
  };
}

/** The request as it would come over the wire. What is no valid head stays so: the parser is to judge it. */
function headText({ method, url, headers = {} }: OfflineRequest): string {
  const fields = Symbol.iterator in headers ? [...headers] : Object.entries(headers);
  const authority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1];
  const target = authority === undefined ? url : url.slice(url.indexOf(authority) + authority.length) || '/';
  const path = target.startsWith('?') ? `/${target}` : target;
  const hasHost = fields.some(([name]) => name.toLowerCase() === 'host');
  const host = hasHost ? '' : `host: ${authority || 'localhost'}\r\n`;
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method} ${path} HTTP/1.1\r\n${host}${lines}\r\n`;
}
