/** What each view lists, in the order that it shows it: sorted and filtered once for each snapshot, not for each key. */
import type { HoldKeySnapshot, LimitKeySnapshot } from '../state/types.js';
import { reloadText } from '../telemetry/changes.js';
import type {
  CallerSnapshot,
  ConcurrencySnapshot,
  ConsumerSnapshot,
  DutySnapshot,
  LimitSnapshot,
  ReloadSnapshot,
  RequestRecord,
  RouteSnapshot,
  Snapshot,
  TargetSnapshot,
} from '../telemetry/snapshot.js';
import { matches, parseFilter } from './filter.js';
import { targetText } from './history.js';

/** One request of the tail, numbered by the dashboard: request ids may come from clients, and repeat. */
export interface TailEntry {
  readonly seq: number;
  readonly record: RequestRecord;
}

export type RouteRow = { readonly id: string; readonly route: RouteSnapshot };
export type LimitRow =
  | { readonly kind: 'limit'; readonly id: string; readonly limit: LimitSnapshot; readonly shown: number }
  | { readonly kind: 'key'; readonly id: string; readonly limit: LimitSnapshot; readonly key: LimitKeySnapshot }
  | { readonly kind: 'empty'; readonly id: string; readonly limit: LimitSnapshot }
  | { readonly kind: 'concurrency'; readonly id: string; readonly limit: ConcurrencySnapshot; readonly shown: number }
  | { readonly kind: 'hold'; readonly id: string; readonly limit: ConcurrencySnapshot; readonly key: HoldKeySnapshot }
  | { readonly kind: 'idle'; readonly id: string; readonly limit: ConcurrencySnapshot };
export type TargetRow =
  | {
      readonly kind: 'service';
      readonly id: string;
      readonly service: string;
      readonly targets: readonly TargetSnapshot[];
    }
  | { readonly kind: 'target'; readonly id: string; readonly target: TargetSnapshot }
  | { readonly kind: 'duties'; readonly id: string; readonly duties: readonly DutySnapshot[] }
  | { readonly kind: 'duty'; readonly id: string; readonly duty: DutySnapshot };
export type ConsumerRow =
  | { readonly kind: 'consumer'; readonly id: string; readonly consumer: ConsumerSnapshot }
  /** Callers that no policy identified. */
  | { readonly kind: 'unknown'; readonly id: string; readonly caller: CallerSnapshot };
export type RequestRow = { readonly id: string; readonly entry: TailEntry };
export type ReloadRow = { readonly id: string; readonly reload: ReloadSnapshot };

/** A snapshot uses `-` for requests without a route. */
export function routeName(name: string | null): string {
  return name === null || name === '-' ? '(no route)' : name;
}

export const ROUTE_SORTS = ['rate', 'requests', 'errors', 'p50', 'p95', 'p99', 'inFlight', 'name'] as const;
export type RouteSort = (typeof ROUTE_SORTS)[number];

function sortKey(route: RouteSnapshot, sort: Exclude<RouteSort, 'name'>): number {
  switch (sort) {
    case 'rate':
      return route.requestsPerSecond;
    case 'requests':
      return route.requests;
    case 'errors':
      return route.status['5xx'];
    case 'inFlight':
      return route.inFlight;
    default:
      return route.latency[sort] ?? -1;
  }
}

/** By the column, greatest first (names: A first); equal ones by traffic, then by name, so that rows hold still. */
export function sortRoutes(routes: readonly RouteSnapshot[], sort: RouteSort, reverse: boolean): RouteRow[] {
  const sign = reverse ? -1 : 1;
  const byName = (a: RouteSnapshot, b: RouteSnapshot): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  const sorted = [...routes];
  if (sort === 'name') sorted.sort((a, b) => sign * byName(a, b));
  else {
    sorted.sort((a, b) => sign * (sortKey(b, sort) - sortKey(a, sort)) || b.requests - a.requests || byName(a, b));
  }
  return sorted.map((route) => ({ id: route.name, route }));
}

/** Caches the last result: each key press calls it again with the same snapshot and settings. */
function remember<Args extends readonly unknown[], Value>(make: (...args: Args) => Value): (...args: Args) => Value {
  let last: { readonly args: Args; readonly value: Value } | undefined;
  return (...args) => {
    if (last?.args.length === args.length && last.args.every((arg, index) => Object.is(arg, args[index]))) {
      return last.value;
    }
    last = { args, value: make(...args) };
    return last.value;
  };
}

const sortedRoutes = remember(sortRoutes);

export const routeRows = remember(
  (snapshot: Snapshot | undefined, filter: string, sort: RouteSort, reverse: boolean): readonly RouteRow[] => {
    if (!snapshot) return [];
    const sorted = sortedRoutes(snapshot.routes, sort, reverse);
    const terms = parseFilter(filter);
    if (terms.length === 0) return sorted;
    return sorted.filter(({ route }) =>
      matches(terms, {
        text: [route.name, route.match, route.service ?? route.action],
        route: route.name,
        service: route.service ?? '',
        policy: route.policies.join(' '),
      }),
    );
  },
);

export const LIMIT_SORTS = ['used', 'wait', 'refused', 'name'] as const;
export type LimitSort = (typeof LIMIT_SORTS)[number];

/** What keys are sorted by, the greatest first. */
const KEY_VALUES: Readonly<Record<Exclude<LimitSort, 'name'>, (key: LimitKeySnapshot) => number>> = {
  used: ({ used, capacity }) => (capacity > 0 ? used / capacity : 0),
  wait: ({ nextFreeMs }) => nextFreeMs,
  refused: ({ refused }) => refused,
};

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function sortKeys(keys: readonly LimitKeySnapshot[], sort: LimitSort, reverse: boolean): readonly LimitKeySnapshot[] {
  const sign = reverse ? -1 : 1;
  if (sort === 'name') return [...keys].sort((a, b) => sign * byText(a.key, b.key));
  const value = KEY_VALUES[sort];
  return [...keys].sort((a, b) => sign * (value(b) - value(a)) || byText(a.key, b.key));
}

/** Keys of requests in progress have one value to sort by. */
function sortHolds(keys: readonly HoldKeySnapshot[], sort: LimitSort, reverse: boolean): readonly HoldKeySnapshot[] {
  const sign = reverse ? -1 : 1;
  return [...keys].sort((a, b) => (sort === 'name' ? 0 : sign * (b.taken - a.taken)) || sign * byText(a.key, b.key));
}

/** Each limit, rates first, in the order of the spec, with its keys; `sort` is for the keys of each. */
export const limitRows = remember(
  (snapshot: Snapshot | undefined, filter: string, sort: LimitSort, reverse: boolean): readonly LimitRow[] => {
    const rows: LimitRow[] = [];
    const terms = parseFilter(filter);
    for (const [index, limit] of (snapshot?.limits ?? []).entries()) {
      const id = `${index}:${limit.policy}`;
      const whole = matches(terms, limitFields(limit));
      const keys = whole ? limit.keys : limit.keys.filter((key) => matches(terms, limitFields(limit, key.key)));
      if (!whole && keys.length === 0) continue;
      rows.push({ kind: 'limit', id, limit, shown: keys.length });
      if (keys.length === 0) rows.push({ kind: 'empty', id: `${id} -`, limit });
      for (const key of sortKeys(keys, sort, reverse)) rows.push({ kind: 'key', id: `${id} ${key.key}`, limit, key });
    }
    for (const [index, limit] of (snapshot?.concurrency ?? []).entries()) {
      const id = `concurrency ${index}:${limit.policy}`;
      const fields = { ...limit, limit: `max ${limit.max}` };
      const whole = matches(terms, limitFields(fields));
      const keys = whole ? limit.keys : limit.keys.filter((key) => matches(terms, limitFields(fields, key.key)));
      if (!whole && keys.length === 0) continue;
      rows.push({ kind: 'concurrency', id, limit, shown: keys.length });
      if (keys.length === 0) rows.push({ kind: 'idle', id: `${id} -`, limit });
      for (const key of sortHolds(keys, sort, reverse)) rows.push({ kind: 'hold', id: `${id} ${key.key}`, limit, key });
    }
    return rows;
  },
);

function limitFields(
  limit: Pick<LimitSnapshot, 'policy' | 'limit' | 'by' | 'routes'>,
  key = '',
): Parameters<typeof matches>[1] {
  const text = key === '' ? [limit.policy, limit.limit, limit.by] : [limit.policy, limit.limit, limit.by, key];
  return { text, policy: limit.policy, key, route: limit.routes.join(' ') };
}

export const targetRows = remember((snapshot: Snapshot | undefined, filter: string): readonly TargetRow[] => {
  const services = new Map<string, TargetSnapshot[]>();
  const terms = parseFilter(filter);
  for (const target of snapshot?.targets ?? []) {
    const fields = {
      text: [
        target.service,
        target.url,
        target.address ?? '',
        target.health,
        target.process?.state ?? '',
        target.lastFailure?.cause ?? '',
        ...(target.calledBy ?? []),
      ],
      service: target.service,
      health: target.health,
      process: target.process?.state ?? '',
      cause: target.lastFailure?.cause ?? '',
    };
    if (!matches(terms, fields)) continue;
    const group = services.get(target.service);
    if (group) group.push(target);
    else services.set(target.service, [target]);
  }
  // One that gw starts on demand has a heading of its own.
  for (const { name, instances } of snapshot?.services ?? [])
    if (instances !== undefined && !services.has(name) && matches(terms, { text: [name], service: name }))
      services.set(name, []);
  const rows: TargetRow[] = [];
  for (const [service, targets] of services) {
    rows.push({ kind: 'service', id: `service ${service}`, service, targets });
    for (const [index, target] of targets.entries()) {
      rows.push({ kind: 'target', id: `target ${service} ${index} ${targetText(target)}`, target });
    }
  }
  const duties = (snapshot?.duties ?? []).filter((duty) => matches(terms, dutyFields(duty)));
  if (duties.length > 0) rows.push({ kind: 'duties', id: 'duties', duties });
  for (const [index, duty] of duties.entries()) rows.push({ kind: 'duty', id: `duty ${index} ${duty.policy}`, duty });
  return rows;
});

function dutyFields({ policy, use, failing, lastError }: DutySnapshot): Parameters<typeof matches>[1] {
  const health = failing ? 'failing' : 'healthy';
  const cause = lastError?.cause ?? '';
  return { text: [policy, use, health, cause], policy, health, cause };
}

export const consumerRows = remember((snapshot: Snapshot | undefined, filter: string): readonly ConsumerRow[] => {
  const rows: ConsumerRow[] = [];
  if (snapshot === undefined) return rows;
  const terms = parseFilter(filter);
  const { shown, unknown } = snapshot.consumers;
  for (const consumer of shown) {
    const { name, plan, groups, refused } = consumer;
    const error = Object.keys(refused).join(' ');
    const text = [name, plan ?? '', ...groups, error];
    if (matches(terms, { text, consumer: name, plan: plan ?? '', error }))
      rows.push({ kind: 'consumer', id: `consumer ${name}`, consumer });
  }
  const error = Object.keys(unknown.refused).join(' ');
  if (unknown.requests > 0 && matches(terms, { text: ['(not identified)', error], consumer: '', plan: '', error }))
    rows.push({ kind: 'unknown', id: 'unknown', caller: unknown });
  return rows;
});

/** Which replies the tail shows, beside the filter's words. */
export const STATUS_FILTERS = ['all', '4xx', '5xx', 'errors'] as const;
export type StatusFilter = (typeof STATUS_FILTERS)[number];

const STATUS_TESTS: Readonly<Record<StatusFilter, (record: RequestRecord) => boolean>> = {
  all: () => true,
  '4xx': ({ status }) => status >= 400 && status < 500,
  '5xx': ({ status }) => status >= 500,
  errors: ({ status, error }) => status >= 400 || error !== null,
};

export const requestRows = remember(
  (tail: readonly TailEntry[], filter: string, status: StatusFilter): readonly RequestRow[] => {
    const terms = parseFilter(filter);
    const test = STATUS_TESTS[status];
    const rows: RequestRow[] = [];
    for (const entry of tail) {
      if (test(entry.record) && matches(terms, requestFields(entry.record)))
        rows.push({ id: String(entry.seq), entry });
    }
    return rows;
  },
);

function requestFields(record: RequestRecord): Parameters<typeof matches>[1] {
  const { method, url, host, id, route, service, consumer, error, cause, status, remote, target } = record;
  return {
    text: [
      method,
      host + url,
      id,
      route ?? '-',
      service ?? '',
      consumer ?? '',
      error ?? '',
      cause ?? '',
      String(status),
      remote,
    ],
    status: String(status),
    route: route ?? '-',
    service: service ?? '',
    target: target ?? '',
    consumer: consumer ?? '',
    error: error ?? '',
    cause: cause ?? '',
    method,
    host,
    id,
    remote,
  };
}

export const reloadRows = remember((snapshot: Snapshot | undefined, filter: string): readonly ReloadRow[] => {
  const terms = parseFilter(filter);
  const rows: ReloadRow[] = [];
  for (const reload of snapshot?.reloads ?? []) {
    const fields = {
      text: [reload.outcome, reload.summary, reloadText(reload), reload.diagnostics],
      outcome: reload.outcome,
    };
    if (matches(terms, fields)) rows.push({ id: `${reload.at} ${reload.generation ?? 'rejected'}`, reload });
  }
  return rows;
});
