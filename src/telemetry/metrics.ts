/**
 * Metrics for Prometheus: the current shared counters in the text format 0.0.4. The metrics are a view that collect() fills;
 * nothing is counted twice.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { DISK_EVENTS } from '../state/content/disk/memory.js';
import { cacheMetrics } from './cache-metrics.js';
import { grpcMetrics } from './grpc.js';
import { serviceMetrics } from './service-metrics.js';
import type { ServiceSnapshot } from './service-snapshot.js';
import type { CacheCounts, ContentsSnapshot, DutySnapshot, RefusalCount } from './snapshot.js';
import { bucketBound, HISTOGRAM_BUCKETS } from './stats/layout.js';
import type { StatsRegistry } from './stats/registry.js';
import { type TargetFacts, targetMetrics } from './target-metrics.js';
import { webSocketMetrics } from './websockets.js';

/** Values that are not in the counters; read at each scrape. */
export interface MetricsInput {
  readonly version: string;
  readonly generation: number;
  /** Since the start. */
  readonly reloads: { readonly live: number; readonly rejected: number };
  readonly limits: readonly {
    readonly policy: string;
    readonly allowed: number;
    readonly refused: number;
    readonly evicted: number;
  }[];
  /** Requests that policies have refused. */
  readonly refusals: readonly RefusalCount[];
  /** `max`: places of each key. `fullest`: places taken by the key with most. `inUse`: keys with a place taken. */
  readonly concurrency: readonly {
    readonly policy: string;
    readonly max: number;
    readonly taken: number;
    readonly inUse: number;
    readonly fullest: number;
    readonly refused: number;
  }[];
  /** What policies keep with bodies; absent before the first load. */
  readonly contents?: ContentsSnapshot | undefined;
  /** What caches have counted; absent before the first load. */
  readonly caches?: readonly CacheCounts[];
  /** Requests that no policy counted, for lack of room in the table of keys. */
  readonly uncounted: number;
  /** Targets of the live generation. */
  readonly targets: readonly TargetFacts[];
  readonly services: readonly ServiceSnapshot[];
  readonly listeners: readonly { readonly name: string; readonly slot: number }[];
  readonly workers: readonly WorkerStatus[];
  readonly duties: readonly DutySnapshot[];
}

/** A worker, by its number from 0, and how often its thread was replaced. */
export interface WorkerStatus {
  readonly worker: number;
  readonly restarts: number;
}

export interface MetricsText {
  readonly text: string;
  readonly contentType: string;
}

/** Seconds; the buckets of gw's own histogram whose bounds are whole octaves. */
const OCTAVES = Array.from({ length: HISTOGRAM_BUCKETS / 4 }, (_, octave) => octave * 4 + 3);

/** prom-client writes `Nan`; the format requires NaN. */
const NO_NUMBER = / Nan$/gm;

const CONTENT_GAUGES = [
  ['gw_content_entries', 'Contents in memory.', 'entries'],
  ['gw_content_bytes', 'Bytes of contents in memory.', 'bytes'],
  ['gw_content_pinned_bytes', 'Bytes of removed contents that are still being sent.', 'pinnedBytes'],
] as const;

const CONTENT_COUNTERS = [
  ['gw_content_hits_total', 'Lookups that found a content.', 'hits'],
  ['gw_content_misses_total', 'Lookups that found none.', 'misses'],
  ['gw_content_stored_total', 'Contents that were stored.', 'stored'],
  ['gw_content_evicted_total', 'Contents that made room for others.', 'evicted'],
  ['gw_content_expired_total', 'Contents whose time was over.', 'expired'],
  ['gw_content_purged_total', 'Contents that a purge removed or marked.', 'purged'],
] as const;

const STATUS_CLASSES = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

export class Metrics {
  readonly #registry = new Registry();
  readonly #stats: StatsRegistry;
  readonly #facts: () => MetricsInput;
  /** Values for the current scrape. */
  #current: MetricsInput;

  constructor(stats: StatsRegistry, facts: () => MetricsInput) {
    this.#stats = stats;
    this.#facts = facts;
    this.#current = facts();
    collectDefaultMetrics({ register: this.#registry });
    this.#routes();
    webSocketMetrics(this.#registry, stats);
    grpcMetrics(this.#registry, stats);
    this.#refusals();
    this.#limits();
    this.#concurrency();
    this.#contents();
    cacheMetrics(this.#registry, () => this.#current.caches ?? []);
    targetMetrics(this.#registry, stats, () => this.#current.targets);
    serviceMetrics(this.#registry, () => this.#current.services);
    this.#duties();
    this.#gateway();
  }

  /** The text of one scrape. Routes without requests are omitted. */
  async text(): Promise<MetricsText> {
    this.#current = this.#facts();
    const text = await this.#registry.metrics();
    return { text: text.replaceAll(NO_NUMBER, ' NaN'), contentType: this.#registry.contentType };
  }

  #counter<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    fill: (metric: Counter<L>) => void,
  ): void {
    const registers = [this.#registry];
    const metric: Counter<L> = new Counter({ name, help, labelNames, registers, collect: () => refill(metric, fill) });
  }

  #gauge<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    fill: (metric: Gauge<L>) => void,
  ): void {
    const registers = [this.#registry];
    const metric: Gauge<L> = new Gauge({ name, help, labelNames, registers, collect: () => refill(metric, fill) });
  }

  #routes(): void {
    const stats = this.#stats;
    this.#counter('gw_requests_total', 'Finished exchanges.', ['route', 'status'], (metric) => {
      for (const [route, slot] of stats.entries('route')) {
        stats.sums(slot).status.forEach((count, at) => {
          if (count > 0) metric.inc({ route, status: STATUS_CLASSES[at]! }, count);
        });
      }
    });
    this.#counter('gw_requests_cut_total', 'Exchanges cut before their end.', ['route'], (metric) => {
      for (const [route, slot] of stats.entries('route')) {
        const { failures } = stats.sums(slot);
        if (failures > 0) metric.inc({ route }, failures);
      }
    });
    this.#counter('gw_received_bytes_total', 'Bytes of request bodies.', ['route'], (metric) => {
      for (const [route, slot] of stats.entries('route')) addWhereUsed(metric, { route }, stats.sums(slot), 'bytesIn');
    });
    this.#counter('gw_sent_bytes_total', 'Bytes of reply bodies.', ['route'], (metric) => {
      for (const [route, slot] of stats.entries('route')) addWhereUsed(metric, { route }, stats.sums(slot), 'bytesOut');
    });
    this.#gauge('gw_in_flight', 'Exchanges in flight.', ['route'], (metric) => {
      for (const [route, slot] of stats.entries('route')) {
        const { requests, inFlight } = stats.sums(slot);
        if (requests > 0 || inFlight > 0) metric.set({ route }, inFlight);
      }
    });
    new SharedHistogram(this.#registry, stats, {
      name: 'gw_request_duration_seconds',
      help: 'From the first byte of a request to the last of its reply.',
      label: 'route',
      slots: () => stats.entries('route'),
    });
  }

  #refusals(): void {
    const help = 'Requests that a policy refused, by the code of the reply.';
    this.#counter('gw_refused_total', help, ['policy', 'reason'], (metric) => {
      for (const { policy, code, count } of this.#current.refusals) metric.inc({ policy, reason: code }, count);
    });
  }

  #limits(): void {
    this.#counter('gw_limit_allowed_total', 'Requests allowed by a limit.', ['policy'], (metric) => {
      for (const { policy, allowed } of this.#current.limits) metric.inc({ policy }, allowed);
    });
    this.#counter('gw_limit_refused_total', 'Requests refused by a limit.', ['policy'], (metric) => {
      for (const { policy, refused } of this.#current.limits) metric.inc({ policy }, refused);
    });
    const help = 'Live keys of a limit evicted for other keys: the table has fewer slots than there are keys.';
    this.#counter('gw_limit_evictions_total', help, ['policy'], (metric) => {
      for (const { policy, evicted } of this.#current.limits) metric.inc({ policy }, evicted);
    });
  }

  /** Labels are policies only: the number of keys has no bound that a scrape could carry. */
  #concurrency(): void {
    const each = (name: string, help: string, value: 'max' | 'taken' | 'inUse' | 'fullest'): void =>
      this.#gauge(name, help, ['policy'], (metric) => {
        for (const one of this.#current.concurrency) metric.set({ policy: one.policy }, one[value]);
      });
    each('gw_concurrency_in_progress', 'Requests in progress that a policy counts, over all keys.', 'taken');
    each('gw_concurrency_max', 'Requests that may be in progress for each key.', 'max');
    each('gw_concurrency_keys', 'Keys with requests in progress.', 'inUse');
    each('gw_concurrency_fullest_key', 'Requests in progress for the key that has most.', 'fullest');
    this.#counter('gw_concurrency_refused_total', 'Requests above the maximum.', ['policy'], (metric) => {
      for (const { policy, refused } of this.#current.concurrency) metric.inc({ policy }, refused);
    });
    const help = 'Requests that passed uncounted: the table has fewer slots than there are keys in progress.';
    this.#counter('gw_concurrency_uncounted_total', help, [], (metric) => metric.inc(this.#current.uncounted));
  }

  #contents(): void {
    const now = (): ContentsSnapshot | undefined => this.#current.contents;
    this.#gauge('gw_content_memory_bytes', 'Memory for contents of policies, by use.', ['state'], (metric) => {
      const { bytes, freeBytes } = now() ?? { bytes: 0, freeBytes: 0 };
      metric.set({ state: 'free' }, freeBytes);
      metric.set({ state: 'used' }, bytes - freeBytes);
    });
    for (const [name, help, value] of CONTENT_GAUGES)
      this.#gauge(name, help, ['policy'], (metric) => {
        for (const one of now()?.policies ?? []) metric.set({ policy: one.policy }, one[value]);
      });
    for (const [name, help, value] of CONTENT_COUNTERS)
      this.#counter(name, help, ['policy'], (metric) => {
        for (const one of now()?.policies ?? []) metric.inc({ policy: one.policy }, one[value]);
      });
    this.#disk(() => now()?.disk);
    const help = 'Contents that were not stored, by reason.';
    this.#counter('gw_content_refused_total', help, ['policy', 'reason'], (metric) => {
      for (const { policy, refused } of now()?.policies ?? [])
        for (const [reason, count] of Object.entries(refused)) metric.inc({ policy, reason }, count);
    });
  }

  #disk(now: () => ContentsSnapshot['disk']): void {
    const bytes = 'Bytes of contents on disk, of those that stay until they expire, of their file, and its limit.';
    this.#gauge('gw_content_disk_bytes', bytes, ['kind'], (metric) => {
      const disk = now();
      if (disk === undefined) return;
      metric.set({ kind: 'contents' }, disk.bytes);
      metric.set({ kind: 'kept' }, disk.keptBytes);
      metric.set({ kind: 'file' }, disk.fileBytes);
      metric.set({ kind: 'limit' }, disk.limitBytes);
    });
    this.#gauge('gw_content_disk_entries', 'Contents on disk.', [], (metric) => metric.set(now()?.entries ?? 0));
    this.#gauge('gw_content_disk_open', '1 while the store on disk is open.', [], (metric) =>
      metric.set(now()?.open ?? 0),
    );
    const help = 'What happened with contents on disk.';
    this.#counter('gw_content_disk_events_total', help, ['event'], (metric) => {
      const disk = now();
      if (disk !== undefined) for (const event of DISK_EVENTS) metric.inc({ event }, disk[event]);
    });
  }

  #duties(): void {
    this.#counter('gw_duty_runs_total', 'Runs of the duty of a policy.', ['policy'], (metric) => {
      for (const { policy, runs } of this.#current.duties) metric.inc({ policy }, runs);
    });
    this.#counter('gw_duty_failures_total', 'Failed runs of the duty of a policy.', ['policy'], (metric) => {
      for (const { policy, failures } of this.#current.duties) metric.inc({ policy }, failures);
    });
    const help = 'When the duty of a policy succeeded last, seconds since 1970.';
    this.#gauge('gw_duty_last_success_timestamp_seconds', help, ['policy'], (metric) => {
      for (const { policy, lastSuccess } of this.#current.duties)
        if (lastSuccess !== null) metric.set({ policy }, lastSuccess / 1000);
    });
    const ends = 'When the certificate of a host ends, seconds since 1970; 0: it has none yet.';
    this.#gauge('gw_acme_certificate_expires_timestamp_seconds', ends, ['host'], (metric) => {
      for (const { policy, expires } of this.#current.duties)
        if (expires !== undefined) metric.set({ host: policy.replace(/^acme:/, '') }, (expires ?? 0) / 1000);
    });
  }

  #gateway(): void {
    this.#counter('gw_reloads_total', 'Reloads by outcome.', ['outcome'], (metric) => {
      metric.inc({ outcome: 'live' }, this.#current.reloads.live);
      metric.inc({ outcome: 'rejected' }, this.#current.reloads.rejected);
    });
    this.#gauge('gw_workers', 'Data-plane workers.', [], (metric) => metric.set(this.#current.workers.length));
    this.#counter('gw_worker_restarts_total', 'Replacements of a crashed worker.', ['worker'], (metric) => {
      for (const { worker, restarts } of this.#current.workers) metric.inc({ worker: String(worker) }, restarts);
    });
    const help = 'Workers short of memory; shed: new connections are rejected, shrink: unused ones are closed.';
    this.#gauge('gw_workers_overloaded', help, ['state'], (metric) => {
      const { shedding, shrinking } = this.#stats.overloaded();
      metric.set({ state: 'shed' }, shedding);
      metric.set({ state: 'shrink' }, shrinking);
    });
    this.#gauge('gw_generation', 'The live generation.', [], (metric) => metric.set(this.#current.generation));
    this.#gauge('gw_connections', 'Open connections of clients.', ['listener'], (metric) => {
      for (const { name, slot } of this.#current.listeners) {
        metric.set({ listener: name }, this.#stats.sums(slot).connections);
      }
    });
    this.#gauge('gw_build_info', 'Always 1; the labels are the versions.', ['version', 'node'], (metric) =>
      metric.set({ version: this.#current.version, node: process.version }, 1),
    );
  }
}

/** Resets the metric first, so that labels of removed routes and targets disappear. */
function refill<M extends { reset(): void }>(metric: M, fill: (metric: M) => void): void {
  metric.reset();
  fill(metric);
}

function addWhereUsed(
  metric: Counter<'route'>,
  labels: { route: string },
  sums: { readonly requests: number; readonly bytesIn: number; readonly bytesOut: number },
  what: 'bytesIn' | 'bytesOut',
): void {
  if (sums.requests > 0) metric.inc(labels, sums[what]);
}

interface SharedHistogramOptions {
  readonly name: string;
  readonly help: string;
  readonly label: string;
  readonly slots: () => Iterable<readonly [name: string, slot: number]>;
}

/** A histogram whose counts are in shared memory: values are computed at each scrape, never observed. */
class SharedHistogram extends Histogram<string> {
  readonly #stats: StatsRegistry;
  readonly #options: SharedHistogramOptions;
  /** An empty histogram of the same name, for the metadata. */
  readonly #shape: Histogram<string>;

  constructor(registry: Registry, stats: StatsRegistry, options: SharedHistogramOptions) {
    const { name, help, label } = options;
    super({ name, help, labelNames: [label], registers: [registry] });
    this.#stats = stats;
    this.#options = options;
    this.#shape = new Histogram({ name, help, labelNames: [label], registers: [] });
  }

  override async get(): ReturnType<Histogram<string>['get']> {
    const metric = await this.#shape.get();
    const values: typeof metric.values = [];
    for (const [name, slot] of this.#options.slots()) {
      const { requests, latencySumMs } = this.#stats.sums(slot);
      if (requests > 0) values.push(...this.#valuesOf(name, slot, latencySumMs / 1000));
    }
    return { ...metric, values };
  }

  /** Called by the registry for the text format. */
  getForPromString(): ReturnType<Histogram<string>['get']> {
    return this.get();
  }

  #valuesOf(
    name: string,
    slot: number,
    sumSeconds: number,
  ): { readonly metricName: string; readonly value: number; readonly labels: { [label: string]: string | number } }[] {
    const { name: metric, label } = this.#options;
    const counts = this.#stats.histogram(slot);
    const values: { metricName: string; value: number; labels: { [label: string]: string | number } }[] = [];
    let below = 0;
    let next = 0;
    for (const last of OCTAVES) {
      for (; next <= last; next++) below += counts[next]!;
      // The last bucket also counts values above its bound.
      if (last === HISTOGRAM_BUCKETS - 1) break;
      const le = Number((bucketBound(last) / 1000).toPrecision(6));
      values.push({ metricName: `${metric}_bucket`, value: below, labels: { le, [label]: name } });
    }
    values.push({ metricName: `${metric}_bucket`, value: below, labels: { le: '+Inf', [label]: name } });
    values.push({ metricName: `${metric}_sum`, value: sumSeconds, labels: { [label]: name } });
    values.push({ metricName: `${metric}_count`, value: below, labels: { [label]: name } });
    return values;
  }
}
