import type { DecisionRecord, RequestRecord, WebSocketRecord } from '../../telemetry/snapshot.js';
import { bytes, count, dateTime, latency, rate, timeOfDay } from '../format.js';
import { listRows } from '../layout.js';
import { cell, type Line, printable, span } from '../line.js';
import { type RequestRow, requestRows, routeName } from '../rows.js';
import { type State, shownTail } from '../state.js';
import { type Column, headerLine, place, rangeText, rowLine } from '../table.js';
import { width, wrap } from '../text.js';
import type { Tone } from '../theme.js';
import { indexOf, page } from '../window.js';
import { listFooter } from './chrome.js';
import { centred, curlExample } from './empty.js';
import { endSecond, type PaneRow, paneLines } from './pane.js';
import { waterfallLines } from './waterfall.js';

function statusTone(status: number): Tone {
  if (status >= 500) return 'bad';
  if (status >= 400) return 'warn';
  return status >= 300 ? 'accent' : 'good';
}

const COLUMNS: readonly Column<RequestRow>[] = [
  { title: 'TIME', min: 8, cell: ({ entry }) => [timeOfDay(entry.record.at), 'dim'] },
  { title: 'METHOD', min: 6, cell: ({ entry }) => entry.record.method },
  {
    title: 'STATUS',
    min: 6,
    align: 'right',
    cell: ({ entry }) => [String(entry.record.status || '-'), statusTone(entry.record.status)],
  },
  { title: 'DURATION', min: 8, align: 'right', cell: ({ entry }) => latency(entry.record.durationMs) },
  { title: 'URL', min: 17, grow: 4, cell: ({ entry }) => [entry.record.url, 'title'] },
  { title: 'ROUTE', min: 8, grow: 1, max: 28, cell: ({ entry }) => routeName(entry.record.route) },
  {
    title: 'CONSUMER',
    min: 10,
    grow: 1,
    max: 20,
    spare: 2,
    cell: ({ entry }) => [entry.record.consumer ?? '-', 'dim'],
  },
  {
    title: 'ERROR',
    min: 18,
    grow: 1,
    max: 28,
    spare: 3,
    cell: ({ entry }) => [entry.record.error ?? '-', entry.record.error ? 'bad' : 'dim'],
  },
  {
    title: 'CAUSE',
    min: 18,
    grow: 4,
    max: 70,
    spare: 1,
    cell: ({ entry: { record } }) => [record.cause ?? record.error ?? '-', record.error ? 'bad' : 'dim'],
  },
  {
    title: 'TARGET',
    min: 18,
    grow: 1,
    max: 30,
    spare: 4,
    keep: 'end',
    cell: ({ entry }) => [entry.record.target ?? '-', 'dim'],
  },
  {
    title: 'REPLY SIZE',
    min: 10,
    align: 'right',
    spare: 5,
    cell: ({ entry }) => [bytes(entry.record.bytesOut), 'dim'],
  },
];

export function tailRows(state: State): readonly RequestRow[] {
  return requestRows(shownTail(state), state.filters.requests, state.status);
}

/** The last requests, newest first, `columns` wide. */
export function requestsTable(state: State, columns: number): Line[] {
  const { theme, size } = state;
  const most = listRows('requests', size);
  const rows = tailRows(state);
  const placed = place(COLUMNS, columns);
  const shown = page(rows, state.cursors.requests, most);
  const lines: Line[] = [headerLine(placed, theme)];
  for (const [index, row] of shown.rows.entries()) lines.push(rowLine(placed, row, index === shown.selected, theme));
  if (rows.length === 0) lines.push(...centred(nothing(state), columns, most, theme));
  while (lines.length < most + 1) lines.push([]);
  lines.push(tailFooter(state, rangeText(shown.first, shown.rows.length, shown.total, 'request'), columns));
  return lines;
}

function nothing(state: State): Line[] {
  const all = shownTail(state).length;
  if (all > 0) return [[span(`none of the last ${count(all)} requests passes the filter`, 'dim')]];
  return [
    [span('requests show here when they have ended: try', 'dim')],
    [],
    [span(curlExample(state.snapshot), 'accent')],
  ];
}

function tailFooter(state: State, range: string, columns: number): Line {
  const { glyphs } = state.theme;
  const more = [];
  if (state.status !== 'all') more.push(span(`only ${state.status}  `, 'accent'));
  if (state.tail.dropped > 0) more.push(span(`${count(state.tail.dropped)} not recorded  `, 'warn'));
  if (state.heldTail) {
    more.push(span(`${glyphs.paused} held, ${count(newerThan(state, state.heldTail[0]?.seq))} newer`, 'warn'));
  } else if (state.theme.stale === undefined) {
    more.push(span(`${glyphs.good} following`, 'good'));
  }
  return listFooter(state, range, more, columns);
}

/** Requests of the tail that ended after the one numbered `seq`. */
function newerThan({ tail }: State, seq: number | undefined): number {
  const index = tail.entries.findIndex((entry) => entry.seq === seq);
  return index === -1 ? tail.entries.length : index;
}

export function selectedRequest(state: State): RequestRecord | undefined {
  const rows = tailRows(state);
  return rows[indexOf(rows, state.cursors.requests)]?.entry.record;
}

/** Every field of the selected request, then what each step of its chain decided. */
export function requestDetail(state: State, columns: number): Line[] {
  const record = selectedRequest(state);
  if (!record) return [[span('this request has left the tail', 'dim')]];
  const out = paneLines(
    requestPaneRows(record, state),
    columns,
    state.theme,
    endSecond(state.snapshot?.gateway.now ?? 0),
  );
  if (record.attempts !== undefined) {
    out.push([], [span('earlier attempts', 'title')]);
    for (const { durationMs, target, why } of record.attempts)
      out.push([span(printable(`${target}  ${why}  `, state.theme)), span(latency(durationMs), 'dim')]);
  }
  if (record.calls !== undefined) {
    out.push([], [span('calls', 'title')]);
    out.push(...waterfallLines(record, columns, state.theme));
  }
  out.push([], [span('decisions', 'title')]);
  out.push(...decisionLines(record.decisions, state, columns));
  return out;
}

function requestPaneRows(record: RequestRecord, state: State): PaneRow[] {
  const tone = statusTone(record.status);
  const status = record.status === 0 ? 'no reply was sent' : String(record.status);
  const sent = record.grpc === undefined ? status : `${status}, ${record.grpc}`;
  const from = [record.service, record.target].filter((part) => part !== null);
  const headAfter = record.upstreamMs === null ? '' : `, reply head of the target after ${latency(record.upstreamMs)}`;
  return [
    { label: 'request', text: `${record.method} ${record.url}`, tone: 'title' },
    { label: 'status', text: record.error === null ? sent : `${sent}, ${record.error}`, tone },
    ...(record.cause === null ? [] : [{ label: 'cause', text: record.cause, tone }]),
    ...(record.rule === undefined ? [] : [{ label: 'rule', text: record.rule }]),
    { label: 'duration', text: latency(record.durationMs) + headAfter },
    {
      label: 'started',
      text: `${dateTime(record.at)}.${String(new Date(record.at).getMilliseconds()).padStart(3, '0')}`,
    },
    {
      label: 'client',
      text: `${record.remote}, ${record.consumer === null ? 'no consumer' : `consumer ${record.consumer}`}`,
    },
    { label: 'host', text: record.host },
    { label: 'route', text: [routeName(record.route), ...from].join(` ${state.theme.glyphs.arrow} `) },
    { label: 'bytes', text: `${bytes(record.bytesIn)} received, ${bytes(record.bytesOut)} sent` },
    ...(record.webSocket === undefined ? [] : [{ label: 'websocket', text: webSocketText(record.webSocket) }]),
    { label: 'id', text: record.id },
    ...routeTrends(record.route ?? '-', state),
  ];
}

function webSocketText({ messagesIn, messagesOut, closeCode, closedBy }: WebSocketRecord): string {
  const end = closeCode === null ? 'no Close' : `closed by the ${closedBy} with ${closeCode}`;
  return `${count(messagesIn)} messages received, ${count(messagesOut)} sent, ${end}`;
}

/** How the request's route has done in the last minutes. */
function routeTrends(route: string, state: State): PaneRow[] {
  const now = state.snapshot?.routes.find(({ name }) => name === route);
  if (!now) return [];
  const series = state.shown?.history.routes.get(route)?.series;
  return [
    {
      label: 'route rate',
      text: `${rate(now.requestsPerSecond)}/s`,
      sparkline: { values: series?.['requests'] ?? [], show: (value) => `${rate(value)}/s` },
    },
    {
      label: 'route p95',
      text: latency(now.latency.p95),
      sparkline: { values: series?.['p95'] ?? [], show: latency, tone: 'accent' },
    },
  ];
}

function decisionLines(decisions: readonly DecisionRecord[] | undefined, state: State, columns: number): Line[] {
  if (!decisions) return [[span('not recorded: they are recorded only while this view is open', 'dim')]];
  if (decisions.length === 0) return [[span('none: no step had anything to decide', 'dim')]];
  const rows = decisions.map(({ step, use, outcome, why }) => ({
    name: printable(step === use ? step : `${step} (${use})`, state.theme),
    outcome: printable(outcome, state.theme),
    why: printable(why, state.theme),
  }));
  const widest = (texts: readonly string[], most: number): number => Math.min(most, Math.max(...texts.map(width)));
  const names = widest(
    rows.map(({ name }) => name),
    Math.floor(columns * 0.35),
  );
  const outcomes = widest(
    rows.map(({ outcome }) => outcome),
    Math.floor(columns * 0.2),
  );
  const indent = names + outcomes + 7;
  return rows.flatMap(({ name, outcome, why }, index) => {
    const [first = '', ...rest] = wrap(why, Math.max(10, columns - indent));
    const lead = [
      span(`${String(index + 1).padStart(2)} `, 'dim'),
      cell(name, names, state.theme, { tone: 'accent' }),
      span('  '),
      cell(outcome, outcomes, state.theme, { tone: 'title' }),
    ];
    return [[...lead, span(`  ${first}`)], ...rest.map((line): Line => [span(`${' '.repeat(indent)}${line}`)])];
  });
}
