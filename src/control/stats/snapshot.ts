/** Builds the snapshots of the admin API from the counters, the limits and the live generation. */

import type { Json, PolicyEntry, Program } from '../../bundle/types.js';
import type { Clock } from '../../policies/contract.js';
import { declarationOf } from '../../policies/registry.js';
import type { Endpoint } from '../../proxy/types.js';
import { formatRate } from '../../schema/units.js';
import { LimitTable } from '../../state/limits/table.js';
import { grpcCountsOf } from '../../telemetry/grpc.js';
import type { WorkerStatus } from '../../telemetry/metrics.js';
import type { ServiceSnapshot } from '../../telemetry/service-snapshot.js';
import {
  CALLERS_SHOWN,
  type ConcurrencySnapshot,
  type DutySnapshot,
  type GatewayState,
  type LimitSnapshot,
  type ReloadSnapshot,
  type RouteSnapshot,
  SNAPSHOT_VERSION,
  type Snapshot,
  type TargetSnapshot,
} from '../../telemetry/snapshot.js';
import { type SlotSums, targetName, UNMATCHED } from '../../telemetry/stats/registry.js';
import { webSocketsOf } from '../../telemetry/websockets.js';
import { gwVersion } from '../../version.js';
import { cacheCounts } from '../cache/stats.js';
import type { GatewayStats } from '../gateway-stats.js';
import type { InstanceFacts } from '../managed/instances.js';
import { plain } from '../references/pems.js';
import type { LiveGeneration } from '../reload/generation-loader.js';
import { ConsumerStats, type DeclaredConsumers } from './consumers.js';
import type { PlaneTables } from './contents.js';
import { isConcurrency, isLimit, maxOf, stateIdentityOf } from './limit-policies.js';
import { servicesOf } from './services.js';

/** Values for a snapshot that only the gateway has. */
export interface SnapshotInput {
  readonly spec: string;
  readonly startedAt: number;
  readonly state: GatewayState;
  readonly live: LiveGeneration | undefined;
  readonly reloads: readonly ReloadSnapshot[];
  readonly workers: readonly WorkerStatus[];
  readonly consumers: DeclaredConsumers;
  duties(program: Program): readonly DutySnapshot[];
  /** The processes of a managed service. */
  instances(service: string): readonly InstanceFacts[];
  /** The endpoints of a service of the live generation. */
  endpoints(service: string): readonly Endpoint[];
}

/** A target with its counters; without a slot it has none. */
type Shown = Omit<Endpoint, 'slot'> & { readonly slot: number | undefined };

const MAX_LIMIT_KEYS = 100;
/** Window for the rate of refusals. */
const REFUSAL_WINDOW_MS = 5000;

export class SnapshotBuilder {
  readonly #stats: GatewayStats;
  readonly #limits: LimitTable;
  readonly #plane: PlaneTables;
  readonly #clock: Clock;
  readonly #consumers: ConsumerStats;
  /** By identity: recent readings of each limit's refusals, oldest first. */
  readonly #refusals = new Map<string, { readonly at: number; readonly refused: number }[]>();

  constructor(stats: GatewayStats, limits: SharedArrayBuffer, plane: PlaneTables, clock: Clock) {
    this.#stats = stats;
    this.#consumers = new ConsumerStats(stats.callers);
    this.#limits = new LimitTable(limits);
    this.#plane = plane;
    this.#clock = clock;
  }

  build(facts: SnapshotInput): Snapshot {
    const now = this.#clock.monotonic();
    this.tick(facts.live?.program);
    const { live } = facts;
    return {
      version: SNAPSHOT_VERSION,
      gateway: {
        gw: gwVersion(),
        pid: process.pid,
        spec: facts.spec,
        startedAt: facts.startedAt,
        now: this.#clock.now(),
        state: facts.state,
        workers: facts.workers.length,
        overloaded: this.#stats.registry.overloaded().shedding,
        rssBytes: process.memoryUsage.rss(),
      },
      generation: {
        id: live?.input.id ?? 0,
        sha256: live?.input.sha256 ?? '',
        loadedAt: live?.loadedAt ?? 0,
      },
      listeners: live ? this.#listeners(live) : [],
      traffic: this.#stats.registry.traffic(),
      routes: live ? this.#routes(live) : [],
      limits: live ? this.#limitsOf(live.program, now) : [],
      concurrency: live ? this.#concurrency(live.program) : [],
      ...this.#contents(live),
      consumers: this.#consumers.snapshot(facts.consumers, this.#clock.now()),
      targets: live ? this.#targets(live, facts, now) : [],
      services: live ? this.#services(live, facts) : [],
      duties: live ? facts.duties(live.program) : [],
      reloads: facts.reloads.map((reload) =>
        reload.outcome === 'live' && reload.generation !== live?.input.id ? { ...reload, outcome: 'replaced' } : reload,
      ),
    };
  }

  /** Reads what was counted since the last call. Call it once a second. */
  tick(program: Program | undefined): void {
    const now = this.#clock.monotonic();
    this.#stats.registry.tick(now);
    const identities = new Map<string, number>();
    for (const policy of program?.policies ?? []) {
      const identity = stateIdentityOf(policy);
      if (isLimit(policy)) identities.set(identity, this.#limits.totals(identity).refused);
      else if (isConcurrency(policy)) identities.set(identity, this.#plane.holds.refused(identity));
    }
    for (const [identity, refused] of identities) {
      const seen = this.#refusals.get(identity) ?? [];
      this.#refusals.set(identity, seen);
      seen.push({ at: now, refused });
      // Keeps one reading older than the window as its start.
      while (seen.length > 2 && now - (seen[1]?.at ?? now) >= REFUSAL_WINDOW_MS) seen.shift();
    }
    for (const identity of this.#refusals.keys()) if (!identities.has(identity)) this.#refusals.delete(identity);
  }

  #listeners({ program, input, listeners }: LiveGeneration): Snapshot['listeners'] {
    return program.listeners.map((listener, index) => ({
      name: listener.name,
      address: listeners.find((bound) => bound.name === listener.name)?.address ?? plain(listener.address),
      tls: listener.tls !== undefined,
      connections: this.#sums(input.stats.listeners[index])?.connections ?? 0,
    }));
  }

  #routes({ program, input: { stats } }: LiveGeneration): RouteSnapshot[] {
    const routes = program.routes.map((route, index) => {
      const policies = route.policies.map((at) => program.policies[at]?.name ?? '');
      const service = program.services[route.service]?.name ?? null;
      return this.#route(stats.routes[index], {
        name: route.name,
        match: route.match,
        action: route.action.summary,
        service,
        policies,
      });
    });
    const unmatched = { name: UNMATCHED, match: '', action: '', service: null, policies: [] };
    return [...routes, this.#route(stats.unmatched, unmatched)];
  }

  #route(
    slot: number | undefined,
    facts: Pick<RouteSnapshot, 'name' | 'match' | 'action' | 'service' | 'policies'>,
  ): RouteSnapshot {
    const sums = this.#sums(slot);
    const webSockets = slot === undefined ? undefined : webSocketsOf(this.#stats.registry, slot);
    const grpc = slot === undefined ? undefined : grpcCountsOf(this.#stats.registry, slot);
    const [c1, c2, c3, c4, c5] = sums?.status ?? [0, 0, 0, 0, 0];
    return {
      ...facts,
      requests: sums?.requests ?? 0,
      requestsPerSecond: slot === undefined ? 0 : this.#stats.registry.rate(slot),
      status: { '1xx': c1, '2xx': c2, '3xx': c3, '4xx': c4, '5xx': c5 },
      inFlight: sums?.inFlight ?? 0,
      bytesIn: sums?.bytesIn ?? 0,
      bytesOut: sums?.bytesOut ?? 0,
      latency: this.#latency(slot),
      ...(webSockets === undefined ? {} : { webSockets }),
      ...(grpc === undefined ? {} : { grpc }),
    };
  }

  #targets({ program }: LiveGeneration, facts: SnapshotInput, now: number): TargetSnapshot[] {
    const callers = callersIn(program);
    return program.services.flatMap((service) => {
      const calledBy = callers.get(service.name);
      const instances = service.run === undefined ? [] : facts.instances(service.name);
      const endpoints = facts.endpoints(service.name);
      const others = instances.filter(
        ({ url, state }) => state !== 'ready' && !endpoints.some((one) => one.url === url),
      );
      return [...endpoints, ...others.map((one) => this.#former(service.name, one))].map((endpoint): TargetSnapshot => {
        const process = instances.find(({ url }) => url === endpoint.url);
        return {
          ...this.#target(service.name, endpoint, now),
          ...(calledBy ? { calledBy } : {}),
          ...(process ? { process: processOf(process) } : {}),
        };
      });
    });
  }

  /** A process that is not among the endpoints of its service now. */
  #former(service: string, { url, state }: InstanceFacts): Shown {
    const slot = this.#stats.registry.slot('target', targetName(service, url));
    return { url, weight: 1, slot, ...(state === 'draining' ? {} : { down: true }) };
  }

  #target(service: string, { url, address, weight, slot, down }: Shown, now: number): TargetSnapshot {
    const sums = this.#sums(slot);
    const ejectedForMs = Math.max(0, (sums?.ejectedUntil ?? 0) - now);
    const check = this.#plane.checks.of(service, { url, ...(address === undefined ? {} : { address }) });
    return {
      service,
      url,
      ...(address === undefined ? {} : { address }),
      weight,
      health: down === true ? 'unhealthy' : ejectedForMs > 0 ? 'ejected' : 'healthy',
      ejectedForMs,
      requests: sums?.requests ?? 0,
      failures: sums?.failures ?? 0,
      inFlight: sums?.inFlight ?? 0,
      connections: sums?.connections ?? 0,
      latency: this.#latency(slot),
      ...(check === undefined ? {} : { check }),
      ...this.#stats.failures.of(service, url, address),
    };
  }

  #services({ program }: LiveGeneration, { endpoints, instances }: SnapshotInput): readonly ServiceSnapshot[] {
    const { breakers } = this.#plane;
    return servicesOf(program, { breakers, registry: this.#stats.registry, endpoints, instances });
  }

  #limitsOf(program: Program, now: number): LimitSnapshot[] {
    const policies = program.policies.filter(isLimit);
    const identities = [...new Set(policies.map(stateIdentityOf))];
    const keys = this.#limits.snapshots(identities, now, MAX_LIMIT_KEYS);
    return policies.map((policy) => {
      const at = program.policies.indexOf(policy);
      const { allowed, refused, evicted } = this.#limits.totals(stateIdentityOf(policy));
      return {
        policy: policy.name,
        limit: limitText(policy.config['limit']) || 'as the plan says',
        by: byOf(policy),
        routes: routesWith(program, at),
        allowed,
        refused,
        refusedPerSecond: this.#refusedPerSecond(stateIdentityOf(policy)),
        evicted,
        keys: keys.get(stateIdentityOf(policy)) ?? [],
      };
    });
  }

  #contents(live: LiveGeneration | undefined): Pick<Snapshot, 'caches' | 'contents'> {
    const contents = live && this.#plane.contentsOf(live.program);
    return contents === undefined ? {} : { contents, caches: cacheCounts(live!.program, this.#stats.totals) };
  }

  #concurrency(program: Program): ConcurrencySnapshot[] {
    const policies = program.policies.filter(isConcurrency);
    const found = this.#plane.holds.snapshots(policies.map(stateIdentityOf), MAX_LIMIT_KEYS);
    return policies.map((policy) => {
      const identity = stateIdentityOf(policy);
      const { taken = 0, inUse = 0, keys = [] } = found.get(identity) ?? {};
      const max = maxOf(policy);
      return {
        policy: policy.name,
        max,
        by: byOf(policy),
        enforced: policy.config['mode'] !== 'observe',
        routes: routesWith(program, program.policies.indexOf(policy)),
        inProgress: taken,
        keysInUse: inUse,
        refused: this.#plane.holds.refused(identity),
        refusedPerSecond: this.#refusedPerSecond(identity),
        // The table has the maximum of a key's last request, which another generation may have set.
        keys: max === 0 ? keys : keys.map((key) => ({ ...key, capacity: max })),
      };
    });
  }

  #refusedPerSecond(identity: string): number {
    const seen = this.#refusals.get(identity) ?? [];
    const [first, last] = [seen[0], seen.at(-1)];
    if (!first || !last || last.at <= first.at) return 0;
    return ((last.refused - first.refused) * 1000) / (last.at - first.at);
  }

  #sums(slot: number | undefined): SlotSums | undefined {
    return slot === undefined ? undefined : this.#stats.registry.sums(slot);
  }

  #latency(slot: number | undefined): RouteSnapshot['latency'] {
    return slot === undefined ? { p50: null, p95: null, p99: null } : this.#stats.registry.latency(slot);
  }
}

const byOf = ({ config, use }: PolicyEntry): string =>
  typeof config['by'] === 'string' ? config['by'] : (declarationOf(use)?.traits?.(config).limitsBy ?? '');

const routesWith = (program: Program, policy: number): string[] =>
  program.routes.filter((route) => route.policies.includes(policy)).map((route) => route.name);

/** The limit as in a spec; the config has its text or the parsed rate. */
function limitText(limit: Json | undefined): string {
  if (typeof limit === 'string') return limit;
  if (typeof limit !== 'object' || limit === null || Array.isArray(limit)) return '';
  const { capacity, periodMs } = limit as { readonly [key: string]: Json };
  return typeof capacity === 'number' && typeof periodMs === 'number' ? formatRate({ capacity, periodMs }) : '';
}

/** By service: what calls it. */
function callersIn({ policies, routes }: Program): ReadonlyMap<string, readonly string[]> {
  const callers = new Map<string, string[]>();
  const note = (caller: string, services: readonly string[] = []): void => {
    for (const service of services) {
      const names = callers.get(service) ?? [];
      callers.set(service, names);
      if (names.length < CALLERS_SHOWN) names.push(caller);
    }
  };
  for (const { name, calls } of policies) note(name, calls);
  for (const { name, action } of routes) note(`route ${name}`, action.calls);
  return callers;
}

function processOf({ state, pid, restarts, command }: InstanceFacts): NonNullable<TargetSnapshot['process']> {
  return { state, pid, restarts, command };
}
