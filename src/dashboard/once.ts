/** One snapshot as text or JSON: for pipes, scripts and terminals without a full screen. */
import { reloadText } from '../telemetry/changes.js';
import type { CallerSnapshot, Snapshot, TargetSnapshot } from '../telemetry/snapshot.js';
import { recent } from './chart.js';
import { age, bytes, count, dateTime, homePath, latency, percent, plural, rate, span } from './format.js';
import { targetText } from './history.js';
import { routeName } from './rows.js';
import { STALE_AFTER_MS } from './state.js';
import { fit, width } from './text.js';
import { expiryOf } from './views/consumers.js';

/** A snapshot, and its age when it arrived. */
export interface DatedSnapshot {
  readonly snapshot: Snapshot;
  /** By the clock of this machine. */
  readonly receivedAt: number;
  /** Milliseconds. */
  readonly ageMs: number;
}

/**
 * The snapshot with its age, by the gateway's clock. The clock of another machine may differ: then the age is at most the
 * time since the snapshot was asked for.
 */
export function dated(snapshot: Snapshot, askedAt: number, receivedAt: number): DatedSnapshot {
  const ageMs = Math.max(0, Math.min(receivedAt - snapshot.gateway.now, receivedAt - askedAt));
  return { snapshot, receivedAt, ageMs };
}

/** The snapshot as JSON with `received`: when it came and how old it was. Characters that a terminal might act on are escaped. */
export function snapshotJson({ snapshot, receivedAt, ageMs }: DatedSnapshot): string {
  const received = { at: receivedAt, ageMs, stale: ageMs > STALE_AFTER_MS };
  const text = JSON.stringify({ ...snapshot, received }, null, 2);
  return text.replace(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

type Cells = readonly string[];
const LONGEST_TABLE = 50;
const WIDEST_CELL = 60;
/** Spaces before each cell. */
const GAP = 2;

/** Below this many columns no text is cut further. */
const NARROWEST_CELL = 6;

/** Left-aligned, `>` before a title: right-aligned. `columns`: the width of the terminal; longer cells are cut. */
function table(titles: Cells, rows: readonly Cells[], noun: string, columns?: number): string[] {
  if (rows.length === 0) return [`  no ${noun}`];
  const shown = rows.slice(0, LONGEST_TABLE);
  const names = titles.map((title) => title.replace(/^>/, ''));
  const widths = names.map((name, index) =>
    Math.min(WIDEST_CELL, Math.max(name.length, ...shown.map((row) => width(row[index] ?? '')))),
  );
  if (columns !== undefined) narrow(widths, columns - GAP * widths.length);
  const line = (cells: Cells): string => {
    const fitted = cells.map((text, index) =>
      fit(text, widths[index] ?? 0, { align: titles[index]?.startsWith('>') ? 'right' : 'left', mark: '~' }),
    );
    return `  ${fitted.join('  ')}`.trimEnd();
  };
  const more = rows.length - shown.length;
  return [line(names), ...shown.map(line), ...(more > 0 ? [`  and ${more} more (--json prints all)`] : [])];
}

/** Takes columns from the widest cells until all fit into `room`. */
function narrow(widths: number[], room: number): void {
  let sum = widths.reduce((total, own) => total + own, 0);
  while (sum > room) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST_CELL) return;
    widths[widest]!--;
    sum--;
  }
}

function head({ snapshot, receivedAt, ageMs }: DatedSnapshot, home: string | undefined): string[] {
  const { gateway, generation, traffic, listeners } = snapshot;
  const { p50, p95, p99 } = traffic.latency;
  const show = (label: string, text: string): string => `${label.padEnd(12)}${fit(text, width(text))}`;
  const stale = ageMs > STALE_AFTER_MS;
  return [
    show('data', `${dateTime(receivedAt)}, ${stale ? `STALE: ${age(ageMs)} old` : `${age(ageMs)} old`}`),
    show(
      'gateway',
      `${homePath(gateway.spec, home)}  ${stale ? 'was ' : ''}${gateway.state}, process ${gateway.pid}, up ${span(gateway.now - gateway.startedAt)}`,
    ),
    show('generation', `${generation.id}  ${generation.sha256.slice(0, 12)}, loaded ${dateTime(generation.loadedAt)}`),
    ...listeners.map(({ name, address, tls, connections }) =>
      show('listener', `${name}  ${tls ? 'https' : 'http'}://${address}, ${plural(connections, 'connection')}`),
    ),
    show(
      'requests',
      `${count(traffic.requests)}, ${rate(recent(traffic.requestsPerSecond))}/s, ${count(traffic.inFlight)} in flight`,
    ),
    show('5xx replies', `${count(traffic.errors)} (${percent(traffic.errors, traffic.requests)})`),
    show('latency', `p50 ${latency(p50)}, p95 ${latency(p95)}, p99 ${latency(p99)} (last minute)`),
    show('memory', memoryOf(gateway)),
  ];
}

/** Consumers that were seen last. */
const CONSUMERS_PRINTED = 20;

const memoryOf = ({ rssBytes, overloaded }: Snapshot['gateway']): string =>
  overloaded > 0 ? `${bytes(rssBytes)}, short: new connections are refused` : bytes(rssBytes);

/** The summary that `gw dash --once` prints, with a line end. `columns`: the width of the terminal, if it is one. */
export function snapshotText(received: DatedSnapshot, home?: string, columns?: number): string {
  const { snapshot } = received;
  const lines = [
    ...head(received, home),
    '',
    'routes',
    ...routeTable(snapshot, columns),
    '',
    'limits',
    ...limitTable(snapshot, columns),
    '',
    'targets',
    ...targetTable(snapshot, columns),
    ...(snapshot.caches?.length ? ['', 'caches', ...cacheTable(snapshot, columns)] : []),
    ...(hasConsumers(snapshot) ? ['', 'consumers', ...consumerTable(snapshot, columns)] : []),
    ...(snapshot.duties.length === 0 ? [] : ['', 'duties', ...dutyTable(snapshot, columns)]),
    '',
    'reloads',
    ...reloadTable(snapshot, columns),
  ];
  return `${lines.join('\n')}\n`;
}

function routeTable(snapshot: Snapshot, columns?: number): string[] {
  const routes = [...snapshot.routes].sort(
    (a, b) => b.requestsPerSecond - a.requestsPerSecond || b.requests - a.requests,
  );
  const rows = routes.map(({ name, match, requestsPerSecond, requests, status, latency: own }) => [
    routeName(name),
    match,
    rate(requestsPerSecond),
    count(requests),
    count(status['4xx']),
    count(status['5xx']),
    latency(own.p50),
    latency(own.p95),
    latency(own.p99),
  ]);
  return table(
    ['ROUTE', 'MATCH', '>REQ/S', '>REQUESTS', '>4XX', '>5XX', '>P50', '>P95', '>P99'],
    rows,
    'routes',
    columns,
  );
}

function limitTable(snapshot: Snapshot, columns?: number): string[] {
  const rows = snapshot.limits.flatMap((limit) =>
    limit.keys.map((key) => {
      const next = key.nextFreeMs > 0 ? `in ${span(key.nextFreeMs)}` : 'now';
      return [limit.policy, limit.limit, limit.by, key.key, `${key.used}/${key.capacity}`, next, count(key.refused)];
    }),
  );
  for (const limit of snapshot.concurrency) {
    for (const { key, taken, capacity } of limit.keys) {
      const next = taken >= capacity && limit.enforced ? 'when one ends' : 'now';
      rows.push([limit.policy, `max ${limit.max}`, limit.by, key, `${taken}/${capacity}`, next, '-']);
    }
  }
  return table(
    ['POLICY', 'LIMIT', 'BY', 'KEY', '>USED/LIMIT', '>NEXT ALLOWED', '>REFUSED'],
    rows,
    'keys counted',
    columns,
  );
}

function targetTable(snapshot: Snapshot, columns?: number): string[] {
  const rows = snapshot.targets.map((target) => [
    target.service,
    targetText(target),
    `${healthText(target)}${breakerText(target.service, snapshot)}`,
    target.process ? `${target.process.state} ${target.process.pid ?? ''}`.trim() : '-',
    count(target.requests),
    count(target.failures),
    latency(target.latency.p95),
    target.failingSince === null ? '-' : dateTime(target.failingSince),
    target.lastFailure === null ? '-' : `${dateTime(target.lastFailure.at)} ${target.lastFailure.cause}`,
  ]);
  for (const { name, instances, waiting } of snapshot.services ?? []) {
    if (instances === undefined || snapshot.targets.some(({ service }) => service === name)) continue;
    const process = waiting > 0 ? `none, ${waiting} waiting` : 'none';
    rows.push([name, '-', '-', process, '-', '-', '-', '-', '-']);
  }
  return table(
    ['SERVICE', 'TARGET', 'HEALTH', 'PROCESS', '>REQUESTS', '>FAILED', '>P95', 'FAILING SINCE', 'LAST FAILURE'],
    rows,
    'targets',
    columns,
  );
}

function cacheTable({ caches = [], contents }: Snapshot, columns?: number): string[] {
  const rows = caches.map(({ policy, requests: { hit, stale, collapsed, miss, bypass } }) => {
    const stored = contents?.policies.find((one) => one.policy === policy);
    const answered = hit + stale + collapsed;
    const held = [count(stored?.entries ?? 0), bytes(stored?.bytes ?? 0)];
    return [policy, percent(answered, answered + miss), count(answered), count(miss), count(bypass), ...held];
  });
  const titles = ['POLICY', '>HIT RATE', '>FROM CACHE', '>FROM ORIGIN', '>BYPASS', '>ENTRIES', '>IN MEMORY'];
  return table(titles, rows, 'caches', columns);
}

const hasConsumers = ({ consumers: { shown, unknown } }: Snapshot): boolean => shown.length > 0 || unknown.requests > 0;

function consumerTable({ consumers, gateway: { now } }: Snapshot, columns?: number): string[] {
  const { declared, shown, unknown } = consumers;
  const cells = (name: string, plan: string | null, caller: CallerSnapshot, expires: string): Cells => {
    const reasons = Object.entries(caller.refused).sort((a, b) => b[1] - a[1]);
    const refused = reasons.reduce((sum, [, times]) => sum + times, 0);
    const traffic = [rate(caller.requestsPerSecond), count(caller.requests), count(refused), reasons[0]?.[0] ?? '-'];
    return [name, plan ?? '-', ...traffic, caller.lastSeen === null ? '-' : dateTime(caller.lastSeen), expires];
  };
  const printed = shown.slice(0, CONSUMERS_PRINTED);
  const rows = printed.map((one) =>
    cells(one.disabled ? `${one.name} (disabled)` : one.name, one.plan, one, expiryOf(one, now)[0]),
  );
  if (unknown.requests > 0) rows.push(cells('(not identified)', null, unknown, '-'));
  const titles = ['CONSUMER', 'PLAN', '>REQ/S', '>REQUESTS', '>REFUSED', 'MOSTLY FOR', 'LAST SEEN', 'EXPIRES'];
  const more = declared - printed.length;
  return [
    ...table(titles, rows, 'consumers', columns),
    ...(more > 0 ? [`  and ${more} more (--json prints those that were seen last)`] : []),
  ];
}

function dutyTable({ duties, gateway: { now } }: Snapshot, columns?: number): string[] {
  const rows = duties.map((duty) => [
    duty.policy,
    duty.use,
    duty.failing ? 'failing' : duty.lastSuccess === null ? 'first run' : 'succeeds',
    count(duty.runs),
    count(duty.failures),
    duty.lastSuccess === null ? '-' : dateTime(duty.lastSuccess),
    duty.active ? 'now' : duty.nextRun === null ? '-' : `in ${span(Math.max(0, duty.nextRun - now))}`,
    duty.lastError === null ? '-' : `${dateTime(duty.lastError.at)} ${duty.lastError.cause}`,
  ]);
  const titles = ['POLICY', 'KIND', 'HEALTH', '>RUNS', '>FAILED', 'LAST SUCCESS', 'NEXT RUN', 'LAST ERROR'];
  return table(titles, rows, 'duties', columns);
}

function breakerText(service: string, { services = [] }: Snapshot): string {
  const breaker = services.find(({ name }) => name === service)?.guard?.breaker ?? 'closed';
  return breaker === 'closed' ? '' : `, circuit breaker ${breaker}`;
}

function healthText({ health, ejectedForMs, failingSince }: TargetSnapshot): string {
  if (health === 'ejected') return `ejected, retry in ${span(ejectedForMs)}`;
  return failingSince === null || health === 'unhealthy' ? health : 'failing';
}

function reloadTable(snapshot: Snapshot, columns?: number): string[] {
  const rows = snapshot.reloads
    .slice(0, 5)
    .map((reload) => [
      dateTime(reload.at),
      reload.outcome,
      reload.generation === null ? '-' : String(reload.generation),
      latency(reload.tookMs),
      reloadText(reload) || '-',
      String(reload.errors),
    ]);
  return table(
    ['TIME', 'RESULT', '>GENERATION', '>DURATION', 'CHANGES', '>ERRORS'],
    rows,
    'reloads since the start',
    columns,
  );
}
