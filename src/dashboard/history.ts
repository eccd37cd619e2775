/** The last two minutes of each route, target and limit, as far as this dashboard has seen them: for its sparklines. */
import type { Snapshot, TargetSnapshot } from '../telemetry/snapshot.js';

export const HISTORY_SECONDS = 120;
/** Most entities of a kind with a history. Further ones have no sparkline. */
const MOST_FOLLOWED = 2_000;
/** Snapshots that are closer together say nothing about a rate. */
const LEAST_MS = 500;

/** One value a second, oldest first. */
export type Series = readonly number[];

export interface Trend {
  /** Counters as they were last, by name; all of them grow. */
  readonly counts: Readonly<Record<string, number>>;
  /** The counters' growth a second, and the other values as they were, by name. */
  readonly series: Readonly<Record<string, Series>>;
}

export type Trends = ReadonlyMap<string, Trend>;

export interface History {
  /** The gateway's time of the last snapshot in it. */
  readonly at: number;
  readonly routes: Trends;
  /** By service, URL and address. */
  readonly targets: Trends;
  readonly limits: Trends;
  /** By policy and key. */
  readonly keys: Trends;
}

const NONE: Trends = new Map();
export const EMPTY_HISTORY: History = { at: 0, routes: NONE, targets: NONE, limits: NONE, keys: NONE };

/** The URL of a target, with the address of its host that it stands for. */
export const targetText = ({ url, address }: Pick<TargetSnapshot, 'url' | 'address'>): string =>
  address === undefined ? url : `${url} (${address})`;
export const targetId = (target: TargetSnapshot): string => `${target.service} ${targetText(target)}`;
export const keyId = (policy: string, key: string): string => `${policy} ${key}`;

interface Sample {
  readonly id: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly values: Readonly<Record<string, number>>;
}

/** The history with one more snapshot of the same gateway process. */
export function extendHistory(history: History, snapshot: Snapshot): History {
  const { now } = snapshot.gateway;
  const passedMs = now - history.at;
  if (history.at !== 0 && passedMs < LEAST_MS) return history;
  const seconds = history.at === 0 ? 0 : passedMs / 1000;
  const { routes, targets, limits, concurrency } = snapshot;
  const rates = limits.map(
    ({ policy, allowed, refused }): Sample => ({ id: policy, counts: { allowed, refused }, values: {} }),
  );
  const holds = concurrency.map(
    ({ policy, refused, inProgress }): Sample => ({ id: policy, counts: { refused }, values: { inProgress } }),
  );
  const rateKeys = limits.flatMap(({ policy, keys }) =>
    keys.map(
      ({ key, allowed, refused, used }): Sample => ({
        id: keyId(policy, key),
        counts: { allowed, refused },
        values: { used },
      }),
    ),
  );
  const holdKeys = concurrency.flatMap(({ policy, keys }) =>
    keys.map(({ key, taken }): Sample => ({ id: keyId(policy, key), counts: {}, values: { used: taken } })),
  );
  return {
    at: now,
    routes: extend(history.routes, routes, seconds, ({ name, requests, status, latency }) => ({
      id: name,
      counts: { requests, errors: status['5xx'] },
      values: { p95: latency.p95 ?? 0 },
    })),
    targets: extend(history.targets, targets, seconds, (target) => ({
      id: targetId(target),
      counts: { requests: target.requests, failures: target.failures },
      values: { p95: target.latency.p95 ?? 0 },
    })),
    limits: extend(history.limits, [...rates, ...holds], seconds, (sample) => sample),
    keys: extend(history.keys, [...rateKeys, ...holdKeys], seconds, (sample) => sample),
  };
}

function extend<Entity>(
  before: Trends,
  entities: readonly Entity[],
  seconds: number,
  sampleOf: (entity: Entity) => Sample,
): Trends {
  const trends = new Map<string, Trend>();
  for (const entity of entities) {
    if (trends.size >= MOST_FOLLOWED) break;
    const sample = sampleOf(entity);
    trends.set(sample.id, grown(before.get(sample.id), sample, seconds));
  }
  return trends;
}

function grown(trend: Trend | undefined, { counts, values }: Sample, seconds: number): Trend {
  if (trend === undefined || seconds === 0) return { counts, series: {} };
  // What passed between two snapshots is spread over the seconds in between.
  const samples = Math.max(1, Math.min(HISTORY_SECONDS, Math.round(seconds)));
  const series: Record<string, Series> = {};
  const add = (name: string, value: number): void => {
    const old = trend.series[name] ?? [];
    series[name] = [...old, ...new Array<number>(samples).fill(value)].slice(-HISTORY_SECONDS);
  };
  for (const [name, count] of Object.entries(counts)) {
    add(name, Math.max(0, count - (trend.counts[name] ?? count)) / seconds);
  }
  for (const [name, value] of Object.entries(values)) add(name, value);
  return { counts, series };
}
