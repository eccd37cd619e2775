/** The values for a scrape of /metrics that are not in the counters. */
import type { Program } from '../../bundle/types.js';
import type { Clock } from '../../policies/contract.js';
import type { Endpoint } from '../../proxy/types.js';
import { LimitTable } from '../../state/limits/table.js';
import { Metrics, type MetricsInput, type MetricsText, type WorkerStatus } from '../../telemetry/metrics.js';
import type { DutySnapshot } from '../../telemetry/snapshot.js';
import { gwVersion } from '../../version.js';
import { cacheCounts } from '../cache/stats.js';
import type { GatewayStats } from '../gateway-stats.js';
import type { InstanceFacts } from '../managed/instances.js';
import type { LiveGeneration } from '../reload/generation-loader.js';
import type { PlaneTables } from './contents.js';
import { isConcurrency, isLimit, maxOf, stateIdentityOf } from './limit-policies.js';
import { servicesOf } from './services.js';

export interface ReloadCounts {
  readonly live: number;
  readonly rejected: number;
}

export interface MetricsSource {
  readonly stats: GatewayStats;
  readonly limits: SharedArrayBuffer;
  readonly plane: PlaneTables;
  readonly clock: Clock;
  live(): LiveGeneration | undefined;
  /** The endpoints of a service of the live generation. */
  endpoints(service: string): readonly Endpoint[];
  /** The processes of a managed service. */
  instances(service: string): readonly InstanceFacts[];
  reloads(): ReloadCounts;
  workers(): readonly WorkerStatus[];
  duties(program: Program): readonly DutySnapshot[];
}

export class GatewayMetrics {
  readonly #source: MetricsSource;
  readonly #limits: LimitTable;
  /** Created at the first scrape: it observes the garbage collector, which costs time. */
  #metrics: Metrics | undefined;

  constructor(source: MetricsSource) {
    this.#source = source;
    this.#limits = new LimitTable(source.limits);
  }

  text(): Promise<MetricsText> {
    const { stats, clock } = this.#source;
    stats.registry.tick(clock.monotonic());
    this.#metrics ??= new Metrics(stats.registry, () => this.#input());
    return this.#metrics.text();
  }

  #concurrency(program: Program): MetricsInput['concurrency'] {
    const { holds } = this.#source.plane;
    const policies = program.policies.filter(isConcurrency);
    const found = holds.snapshots(policies.map(stateIdentityOf), 1);
    return policies.map((policy) => {
      const identity = stateIdentityOf(policy);
      const { taken = 0, inUse = 0, keys = [] } = found.get(identity) ?? {};
      const fullest = keys[0]?.taken ?? 0;
      return { policy: policy.name, max: maxOf(policy), taken, inUse, fullest, refused: holds.refused(identity) };
    });
  }

  #input(): MetricsInput {
    const live = this.#source.live();
    const input = {
      version: gwVersion(),
      generation: live?.input.id ?? 0,
      reloads: this.#source.reloads(),
      workers: this.#source.workers(),
    };
    const { holds } = this.#source.plane;
    if (!live)
      return {
        ...input,
        limits: [],
        refusals: [],
        concurrency: [],
        uncounted: holds.overflows,
        targets: [],
        services: [],
        listeners: [],
        duties: [],
      };
    const { program } = live;
    const { stats } = live.input;
    const now = this.#source.clock.monotonic();
    return {
      ...input,
      duties: this.#source.duties(program),
      limits: program.policies
        .filter(isLimit)
        .map((policy) => ({ policy: policy.name, ...this.#limits.totals(stateIdentityOf(policy)) })),
      refusals: this.#source.stats.refusals.of(new Set(program.policies.map(({ name }) => name))),
      uncounted: holds.overflows,
      concurrency: this.#concurrency(program),
      contents: this.#source.plane.contentsOf(program),
      caches: cacheCounts(program, this.#source.stats.totals),
      targets: program.services.flatMap(({ name }) =>
        this.#source.endpoints(name).map(({ url, address, slot, down }) => {
          const healthy = down !== true && this.#source.stats.registry.sums(slot).ejectedUntil <= now;
          const check = this.#source.plane.checks.of(name, { url, ...(address === undefined ? {} : { address }) });
          return { service: name, url, address, slot, healthy, check };
        }),
      ),
      services: servicesOf(program, {
        breakers: this.#source.plane.breakers,
        registry: this.#source.stats.registry,
        endpoints: (service) => this.#source.endpoints(service),
        instances: (service) => this.#source.instances(service),
      }),
      listeners: program.listeners.flatMap(({ name }, index) => {
        const slot = stats.listeners[index];
        return slot === undefined ? [] : [{ name, slot }];
      }),
    };
  }
}
