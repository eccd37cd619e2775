import type { CacheCounts, GrpcCounts, RouteSnapshot, Snapshot, WebSocketsSnapshot } from '../../telemetry/snapshot.js';
import { columnChart, recent, resample } from '../chart.js';
import { bytes, count, latency, percent, rate, span as spanOf } from '../format.js';
import { trafficLayout } from '../layout.js';
import { cell, frame, type Line, printable, span } from '../line.js';
import { type RouteRow, type RouteSort, routeName, routeRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, counted, headerLine, place, rangeText, rowLine } from '../table.js';
import { wrap } from '../text.js';
import type { Tone } from '../theme.js';
import { indexOf, page } from '../window.js';
import { listFooter } from './chrome.js';
import { centred, curlExample } from './empty.js';
import { endSecond, type PaneRow, paneLines } from './pane.js';

/** The service, or what the action does instead. */
const destinationOf = ({ service, action }: RouteSnapshot): string => (service ?? action) || '-';

const COLUMNS: readonly Column<RouteRow>[] = [
  {
    title: 'ROUTE',
    min: 14,
    grow: 2,
    max: 60,
    cell: ({ route }) => [routeName(route.name), route.name === '-' ? 'dim' : 'title'],
  },
  { title: 'MATCH', min: 24, grow: 3, max: 90, spare: 7, cell: ({ route }) => route.match },
  { title: 'TO', min: 12, grow: 1, max: 30, spare: 8, cell: ({ route }) => [destinationOf(route), 'dim'] },
  {
    title: 'POLICIES',
    min: 20,
    grow: 2,
    spare: 9,
    cell: ({ route }) => [route.policies.join(', ') || '-', 'dim'],
  },
  {
    title: 'REQ/S',
    min: 7,
    align: 'right',
    cell: ({ route }) => [rate(route.requestsPerSecond), route.requestsPerSecond > 0 ? 'accent' : 'dim'],
  },
  { title: 'REQUESTS', min: 8, align: 'right', cell: ({ route }) => counted(route.requests, 'plain') },
  { title: '4XX', min: 6, align: 'right', spare: 1, cell: ({ route }) => counted(route.status['4xx'], 'warn') },
  { title: '5XX', min: 6, align: 'right', cell: ({ route }) => counted(route.status['5xx'], 'bad') },
  { title: 'P50', min: 6, align: 'right', spare: 2, cell: ({ route }) => latency(route.latency.p50) },
  { title: 'P95', min: 6, align: 'right', cell: ({ route }) => latency(route.latency.p95) },
  { title: 'P99', min: 6, align: 'right', cell: ({ route }) => latency(route.latency.p99) },
  { title: 'IN FLIGHT', min: 9, align: 'right', spare: 3, cell: ({ route }) => counted(route.inFlight, 'plain') },
];

const SORT_TITLES: Readonly<Record<RouteSort, string>> = {
  rate: 'REQ/S',
  requests: 'REQUESTS',
  errors: '5XX',
  p50: 'P50',
  p95: 'P95',
  p99: 'P99',
  inFlight: 'IN FLIGHT',
  name: 'ROUTE',
};

export function trafficRows(state: State): readonly RouteRow[] {
  return routeRows(state.snapshot, state.filters.traffic, state.sort, state.reverse);
}

/** Requests and errors of the last 120 seconds. */
export function chartPanel(state: State): Line[] {
  const { theme, snapshot } = state;
  const { glyphs } = theme;
  const { chartColumns, chartRows, errorRows } = trafficLayout(state.size);
  const inner = chartColumns - 2;
  const traffic = snapshot?.traffic;
  const requests = traffic?.requestsPerSecond ?? [];
  const errors = traffic?.errorsPerSecond ?? [];
  const second = endSecond(snapshot?.gateway.now ?? 0);
  const peak = Math.max(0, ...requests);
  const errorPeak = Math.max(0, ...errors);
  const chart = (values: readonly number[], rows: number, top: number, tone: Tone): Line[] =>
    columnChart(resample(values, inner, second), inner, rows, top, glyphs).map((text) => [span(text, tone)]);
  const sums = [requests, errors].map((values) => values.reduce((sum, value) => sum + value, 0));
  const idle: Line = [span('no traffic now: try  ', 'dim'), span(curlExample(snapshot), 'accent')];
  return frame(
    [
      {
        title: [
          span('requests ', 'title'),
          span(`${rate(recent(requests))}/s`, 'accent'),
          span(`  peak ${count(peak)}/s`, 'dim'),
        ],
        tail: [span('last 2 min', 'dim')],
        lines: peak > 0 ? chart(requests, chartRows, peak, 'chart') : centred([idle], inner, chartRows, theme),
      },
      {
        title: [
          span('errors ', 'title'),
          span(`${rate(recent(errors))}/s`, errorPeak > 0 ? 'bad' : 'good'),
          span(`  5xx replies, ${percent(sums[1] ?? 0, sums[0] ?? 0)} of requests`, 'dim'),
        ],
        lines: chart(errors, errorRows, errorPeak, 'bad'),
      },
    ],
    chartColumns,
    theme,
  );
}

function pair(label: string, value: string, columns: number, tone: Tone = 'plain'): Line {
  const gap = Math.max(1, columns - 2 - label.length - value.length);
  return [span(` ${label}`, 'dim'), span(' '.repeat(gap)), span(value, tone), span(' ')];
}

/** Percentiles and current counts, as many as fit. */
export function latencyPanel(state: State): Line[] {
  const { latencyColumns, chartRows, errorRows } = trafficLayout(state.size);
  const { snapshot } = state;
  const inner = latencyColumns - 2;
  const times = snapshot?.traffic.latency ?? { p50: null, p95: null, p99: null };
  const listeners = snapshot?.listeners ?? [];
  const up = snapshot ? spanOf(snapshot.gateway.now - snapshot.gateway.startedAt) : '-';
  const lines = [
    pair('p50', latency(times.p50), inner),
    pair('p95', latency(times.p95), inner),
    pair('p99', latency(times.p99), inner),
    pair('in flight', count(snapshot?.traffic.inFlight ?? 0), inner, 'accent'),
    pair('connections', count(listeners.reduce((sum, { connections }) => sum + connections, 0)), inner),
    pair('requests', count(snapshot?.traffic.requests ?? 0), inner),
    pair(
      '5xx replies',
      count(snapshot?.traffic.errors ?? 0),
      inner,
      (snapshot?.traffic.errors ?? 0) > 0 ? 'bad' : 'plain',
    ),
    pair(
      'memory',
      bytes(snapshot?.gateway.rssBytes ?? 0),
      inner,
      (snapshot?.gateway.overloaded ?? 0) > 0 ? 'bad' : 'plain',
    ),
    pair('workers', count(snapshot?.gateway.workers ?? 0), inner),
    pair('up', up, inner),
  ];
  const room = chartRows + errorRows + 1;
  while (lines.length < room) lines.push([]);
  // Too narrow for both.
  const { stale } = state.theme;
  const title = stale === undefined ? [span('latency', 'title'), span(' 1 min', 'dim')] : [span(stale, 'alert')];
  return frame([{ title, lines: lines.slice(0, room) }], latencyColumns, state.theme);
}

/** Where the gateway listens; only on wide terminals. */
export function listenerPanel(state: State): Line[] {
  const { listenerColumns, chartRows, errorRows } = trafficLayout(state.size);
  if (listenerColumns === 0) return [];
  const { theme } = state;
  const room = chartRows + errorRows + 1;
  const inner = listenerColumns - 2;
  const lines: Line[] = (state.snapshot?.listeners ?? []).map(({ name, address, tls, connections }) => {
    const right = `${count(connections)} open `;
    const left = cell(` ${name}  ${tls ? 'https' : 'http'}://${address}`, inner - right.length, theme);
    return [left, span(right, 'dim')];
  });
  const over = lines.length - room;
  if (over > 0) lines.splice(room - 1, over + 1, [span(` and ${over + 1} more`, 'dim')]);
  while (lines.length < room) lines.push([]);
  return frame([{ title: [span('listeners', 'title')], lines }], listenerColumns, theme);
}

/** The table of routes, `columns` wide, with what the selected one matches under it. */
export function routeTable(state: State, columns: number): Line[] {
  const { theme, size, snapshot } = state;
  const { listRows } = trafficLayout(size);
  const rows = trafficRows(state);
  const placed = place(COLUMNS, columns);
  const shown = page(rows, state.cursors.traffic, listRows);
  const lines: Line[] = [headerLine(placed, theme, { title: SORT_TITLES[state.sort], reverse: state.reverse })];
  for (const [index, row] of shown.rows.entries()) lines.push(rowLine(placed, row, index === shown.selected, theme));
  if (rows.length === 0 && snapshot) lines.push(...centred([noRoutes(snapshot)], columns, listRows, theme));
  while (lines.length < listRows + 1) lines.push([]);
  const selected = shown.rows[shown.selected];
  lines.push(
    listFooter(
      state,
      rangeText(shown.first, shown.rows.length, shown.total, 'route'),
      selected ? about(selected.route, columns, state) : [],
      columns,
    ),
  );
  return lines;
}

function noRoutes({ routes }: Snapshot): Line {
  const filtered = `none of ${count(routes.length)} routes passes the filter`;
  return [span(routes.length > 0 ? filtered : 'this spec has no route yet: add a [[route]] to it', 'dim')];
}

function about(route: RouteSnapshot, columns: number, state: State): Line {
  const destination = destinationOf(route);
  const to = destination === '-' ? '' : ` ${state.theme.glyphs.arrow} ${destination}`;
  const room = Math.max(10, columns - 24);
  const text = `${route.match}${to}`;
  const [line = ''] = wrap(printable(text, state.theme), room);
  return [span(line, 'accent')];
}

/** All about the selected route. */
export function routeDetail(state: State, columns: number): Line[] {
  const rows = trafficRows(state);
  const route = rows[indexOf(rows, state.cursors.traffic)]?.route;
  if (!route) return [[span('this route is gone', 'dim')]];
  const { theme } = state;
  const out = paneLines(routePaneRows(route, state), columns, theme, endSecond(state.snapshot?.gateway.now ?? 0));
  out.push([], [span('replies by status', 'title')]);
  const barColumns = Math.max(10, columns - 36);
  for (const [kind, tone] of [
    ['1xx', 'dim'],
    ['2xx', 'good'],
    ['3xx', 'accent'],
    ['4xx', 'warn'],
    ['5xx', 'bad'],
  ] as const) {
    out.push(statusLine(kind, route.status[kind], route.requests, barColumns, tone, theme.glyphs.bar.at(-1) ?? '#'));
  }
  return out;
}

function routePaneRows(route: RouteSnapshot, state: State): PaneRow[] {
  const { p50, p95, p99 } = route.latency;
  const series = state.shown?.history.routes.get(route.name)?.series;
  const perSecond = (value: number): string => `${rate(value)}/s`;
  const errors = route.status['5xx'];
  const caches = state.snapshot?.caches?.filter(({ policy }) => route.policies.includes(policy)) ?? [];
  return [
    { label: 'match', text: route.match || 'requests that no route matches', tone: 'title' },
    { label: 'action', text: route.action || 'none: gw answers itself' },
    { label: 'policies', text: route.policies.join(', ') || 'none' },
    ...caches.map((cache) => ({ label: 'cache', text: cacheText(cache) })),
    { label: 'bytes', text: `${bytes(route.bytesIn)} received, ${bytes(route.bytesOut)} sent` },
    { label: 'in flight', text: count(route.inFlight) },
    ...(route.webSockets === undefined ? [] : [{ label: 'websockets', text: webSocketsText(route.webSockets) }]),
    ...(route.grpc === undefined ? [] : [{ label: 'grpc', text: grpcText(route.grpc) }]),
    {
      label: 'requests',
      text: `${count(route.requests)}, ${rate(route.requestsPerSecond)}/s`,
      sparkline: { values: series?.['requests'] ?? [], show: perSecond },
    },
    {
      label: '5xx',
      text: `${count(errors)} (${percent(errors, route.requests)})`,
      tone: errors > 0 ? 'bad' : 'plain',
      sparkline: { values: series?.['errors'] ?? [], show: perSecond, tone: 'bad' },
    },
    {
      label: 'latency',
      text: `p50 ${latency(p50)}  p95 ${latency(p95)}  p99 ${latency(p99)}`,
      sparkline: { values: series?.['p95'] ?? [], show: latency, tone: 'accent' },
    },
  ];
}

/** `1.2k OK, 3 UNAVAILABLE`. */
const grpcText = (counts: GrpcCounts): string =>
  Object.entries(counts)
    .map(([status, calls]) => `${count(calls)} ${status}`)
    .join(', ');

function webSocketsText({ open, opened, messagesIn, messagesOut, bytesIn, bytesOut }: WebSocketsSnapshot): string {
  const received = `${count(messagesIn)} messages (${bytes(bytesIn)}) received`;
  return `${count(open)} open of ${count(opened)}, ${received}, ${count(messagesOut)} (${bytes(bytesOut)}) sent`;
}

/** A cache counts the requests of all routes that use it. */
function cacheText({ policy, requests: { hit, stale, collapsed, miss } }: CacheCounts): string {
  const answered = hit + stale + collapsed;
  const all = answered + miss;
  return `${policy}: ${count(answered)} of ${count(all)} from the cache (${percent(answered, all)}), on all its routes`;
}

function statusLine(kind: string, value: number, all: number, columns: number, tone: Tone, full: string): Line {
  const filled = all > 0 ? Math.min(columns, Math.ceil((value / all) * columns)) : 0;
  return [
    span(kind.padEnd(13), 'dim'),
    span(count(value).padStart(8), value > 0 ? tone : 'dim'),
    span(percent(value, all).padStart(7), 'dim'),
    span('  '),
    span(full.repeat(filled), tone),
  ];
}
