/**
 * The data plane without sockets: parsing, normalization, match and chain of the engine, on a clock that the caller
 * supplies. The last step selects a target and stops. Used by explain and by tests inside a spec.
 */
import type { Json, PolicyEntry } from '../bundle/types.js';
import type { Clock, ConsumerLookup, Exchange, LimitStore, Logger, PolicyInstance } from '../policies/contract.js';
import { offlineState } from '../state/memory.js';
import { systemAfter } from '../state/timers.js';
import { StatsWriter } from '../telemetry/stats/writer.js';
import { CollectBudget } from './exchange/body/collector.js';
import { GwExchange } from './exchange/exchange.js';
import { Generation, PolicyInstances } from './exchange/generation.js';
import { InnerExchanges } from './exchange/inner/exchanges.js';
import { peerOf, TrustedProxies } from './exchange/peer.js';
import { type HeadLimits, RequestHead } from './http/request-head.js';
import { Descriptors } from './load/descriptors.js';
import { FairScheduler } from './load/fair-scheduler.js';
import { WriteBatcher } from './load/write-batcher.js';
import { OfflineCalls } from './offline/calls.js';
import { OfflineInner } from './offline/inner.js';
import type { Missing, OfflineMocks } from './offline/mocks.js';
import { bodyOf, headText, listenerOf, type OfflineRequest, tlsOf } from './offline/request.js';
import { type OfflineResult, OfflineRun, unread } from './offline/run.js';
import { OfflineTime } from './offline/time.js';
import type { GenerationInput } from './types.js';
import type { CallParent } from './upstream/call/calls.js';
import { DnsCache } from './upstream/dns-cache.js';
import { http2Pool } from './upstream/http2/pool.js';
import { TargetRegistry } from './upstream/registry.js';
import { FailureNotes } from './upstream/target-host.js';

export { RefusedValueError } from './exchange/policy-start.js';
export type { Missing, OfflineMocks, OfflineReply } from './offline/mocks.js';
export type { OfflineRequest } from './offline/request.js';
export type { OfflineResult } from './offline/run.js';

export interface OfflineOptions {
  readonly clock: Clock;
  readonly limits: LimitStore;
  readonly random?: () => number;
  readonly logger?: Logger;
  /** What services answer, in all runs. */
  readonly mocks?: OfflineMocks;
  /** Name of the consumer that every authenticating policy finds. Absent: they read credentials. */
  readonly as?: string;
  /** What the duties of policies have published, by name of the policy. No duty runs. */
  readonly published?: { readonly [policy: string]: Json };
}

type Published = NonNullable<OfflineOptions['published']>;

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
  readonly #consumers: ConsumerLookup;
  readonly #time: OfflineTime;
  readonly #mocks: OfflineMocks;
  readonly #runs = new Set<OfflineRun>();
  readonly #collectBudget = new CollectBudget();
  #ids = 0;

  /** Throws RefusedValueError if a policy refuses its published value, and if the generation cannot be loaded. */
  constructor(input: GenerationInput, options: OfflineOptions) {
    const { clock, limits, random = Math.random, logger = SILENT, mocks = {}, published = {} } = options;
    this.#mocks = mocks;
    const time = new OfflineTime(clock, () => this.#runs.size > 0);
    this.#time = time;
    const around = { calls: this.#calls(), exchanges: this.#inner(), ask: this.#ask(input, published) };
    const state = offlineState({ clock: time, after: time.after });
    const standIn = (policy: PolicyEntry): PolicyInstance | undefined =>
      this.#assumed(policy, options.as) ?? this.#standIn(policy, published);
    const world = { clock: time, random, logger, limits, ...state, after: time.after, ...around, standIn };
    const instances = new PolicyInstances(world);
    this.#consumers = instances.callers.consumers;
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
      random,
      monotonic: () => clock.now(),
      cachedNow: () => clock.now(),
      now: () => clock.now(),
      failures: new FailureNotes(),
      background: systemAfter,
      breakers: state.breakers,
      http2Pool,
      log() {},
      demand() {},
    });
    this.#generation.connect(registry.adopt(registry.prepare(input.program.services, input.stats)));
  }

  #calls(): OfflineCalls {
    return new OfflineCalls({
      mocksOf: (parent) => this.#mocksOf(parent),
      services: (parent) => parent ?? this.#generation,
      unknown: (parent, missing) => this.#stop(parent, missing),
    });
  }

  /** Offline no duty runs. A policy of gw asks its duty when it needs a value that it does not have. */
  #ask({ program }: GenerationInput, published: Published): (identity: string) => Promise<never> {
    return (identity) => {
      const policy = program.policies.find((entry) => entry.identity === identity);
      if (policy !== undefined) for (const { exchange } of this.#runs) this.#needs(exchange, policy, published);
      return Promise.reject(new Error('no duty runs in an offline run'));
    };
  }

  /**
   * In place of a custom policy whose duty has published nothing: without the value it would decide otherwise than in a gateway,
   * and whether it uses the value is not known.
   */
  #standIn(policy: PolicyEntry, published: Published): PolicyInstance | undefined {
    if (policy.code === undefined || policy.duty === undefined || Object.hasOwn(published, policy.name))
      return undefined;
    const stop = (exchange: Exchange): Promise<never> => {
      if (exchange instanceof GwExchange) this.#needs(exchange, policy, published);
      return Promise.reject(new Error('nothing is published in an offline run'));
    };
    return { answer: stop, ...(policy.phase === 'authenticate' ? { authenticate: stop } : { before: stop }) };
  }

  /** In place of every authenticating policy, if the caller is assumed to be a consumer. */
  #assumed({ phase }: PolicyEntry, as: string | undefined): PolicyInstance | undefined {
    if (as === undefined || phase !== 'authenticate') return undefined;
    return {
      authenticate: () => {
        const consumer = this.#consumers.byName(as);
        if (consumer === undefined) throw new Error(`There is no consumer ${as}.`);
        return { outcome: 'identity', consumer, why: `assumed to be ${as}` };
      },
    };
  }

  #needs(exchange: GwExchange, { name, use }: PolicyEntry, published: Published): void {
    const given = Object.hasOwn(published, name);
    const what = given ? 'ask its duty' : 'use what its duty fetches, which is not given';
    exchange.decisions?.push({ step: name, use, outcome: 'call', why: `would ${what}` });
    this.#stop(exchange, { would: `policy ${name} would ${what}`, kind: given ? 'none' : 'published', name });
  }

  #inner(): InnerExchanges {
    const host = new OfflineInner(
      (exchange) => this.#mocksOf(exchange),
      (exchange, missing) => this.#stop(exchange, missing),
      this.#time,
    );
    return new InnerExchanges(host);
  }

  /** The run that an exchange, or a further request of one, belongs to. */
  #runOf(parent: CallParent | undefined): OfflineRun | undefined {
    let root = parent;
    while (root instanceof GwExchange && root.parent !== undefined) root = root.parent;
    return root === undefined ? undefined : [...this.#runs].find(({ exchange }) => exchange === root);
  }

  /** Of what belongs to no exchange, such as a fetched token: those of all runs. */
  #mocksOf(parent: CallParent | undefined): OfflineMocks {
    if (parent !== undefined) return { ...this.#mocks, ...this.#runOf(parent)?.mocks };
    return Object.assign({}, this.#mocks, ...[...this.#runs].map(({ mocks }) => mocks)) as OfflineMocks;
  }

  /** The outcome of a run is unknown. What belongs to no exchange may decide any run. */
  #stop(parent: CallParent | undefined, missing: Missing): void {
    const run = this.#runOf(parent);
    if (run !== undefined) run.stop(missing);
    else for (const each of this.#runs) each.unknown ??= missing;
  }

  /** Runs a request. Resolves also if gw refuses it; never rejects. */
  run(request: OfflineRequest): Promise<OfflineResult> {
    const { program } = this.#generation;
    const listener = listenerOf(program.listeners, request);
    const proxies = new TrustedProxies(listener?.trustedProxies ?? []);
    const now = (): number => this.#time.now();
    const { tls, policies } = tlsOf(listener, request, now);
    const entry = listener ?? { name: '', maxBodyBytes: Number.MAX_SAFE_INTEGER };
    const address = request.remoteAddress ?? '127.0.0.1';
    const { redirect } = listener ?? {};
    const front = redirect === undefined ? undefined : { redirect, tokens: new Map<string, string>() };
    const peer = peerOf(address, tls === undefined ? 'http' : 'https', proxies, { entry, policies, front }, tls);
    const head = new RequestHead();
    head.written = this.#generation.written;
    const body = bodyOf(request);
    const text = headText(request, body?.length);
    const length = head.parse(text, listener ?? LIMITS);
    const newId = (): string => `offline-${(this.#ids++).toString(36)}`;
    if (length < 0) return Promise.resolve(unread(newId(), head.error, head.cause));
    if (length !== text.length) return Promise.resolve(unread(newId(), 'request/malformed', TOO_LONG));
    if (body !== undefined && head.contentLength >= 0 && head.contentLength !== body.length)
      return Promise.resolve(unread(newId(), 'request/malformed', OTHER_LENGTH));
    const host = { newId, now, monotonic: () => this.#time.monotonic(), collectBudget: this.#collectBudget };
    const exchange = new GwExchange(head, peer, this.#generation, host, this.#time.monotonic());
    exchange.decisions = [];
    return new Promise((resolve) => {
      const mocksOf = (of: GwExchange): OfflineMocks => this.#mocksOf(of);
      const input = { exchange, body, mocks: request.mocks ?? {}, mocksOf };
      const run = new OfflineRun(this.#generation, input, (result) => {
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

const TOO_LONG = 'the request line or a field holds a line break';
const OTHER_LENGTH = 'Content-Length is not the length of the body';
