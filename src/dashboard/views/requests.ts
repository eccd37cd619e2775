import type { DecisionRecord, RequestRecord } from '../../telemetry/snapshot.js';
import { bytes, count, dateTime, latency, timeOfDay } from '../format.js';
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

function statusTone(status: number): Tone {
  if (status >= 500) return 'bad';
  if (status >= 400) return 'warn';
  return status >= 300 ? 'accent' : 'good';
}

const COLUMNS: readonly Column<RequestRow>[] = [
  { title: 'TIME', min: 8, cell: ({ entry }) => [timeOfDay(entry.record.at), 'dim'] },
  { title: 'METHOD', min: 6, cell: ({ entry }) => entry.record.method },
  {
    title: 'CODE',
    min: 4,
    align: 'right',
    cell: ({ entry }) => [String(entry.record.status || '-'), statusTone(entry.record.status)],
  },
  { title: 'TOOK', min: 6, align: 'right', cell: ({ entry }) => latency(entry.record.durationMs) },
  { title: 'URL', min: 20, grow: 4, cell: ({ entry }) => [entry.record.url, 'title'] },
  { title: 'ROUTE', min: 10, grow: 1, max: 28, cell: ({ entry }) => routeName(entry.record.route) },
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
  { title: 'SENT', min: 7, align: 'right', spare: 5, cell: ({ entry }) => [bytes(entry.record.bytesOut), 'dim'] },
];

export function tailRows(state: State): readonly RequestRow[] {
  return requestRows(shownTail(state), state.filters.requests, state.status);
}

/** The live tail, newest first, `columns` wide. */
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
  return [[span('requests show here as they finish: try', 'dim')], [], [span(curlExample(state.snapshot), 'accent')]];
}

function tailFooter(state: State, range: string, columns: number): Line {
  const { glyphs } = state.theme;
  const more = [];
  if (state.status !== 'all') more.push(span(`only ${state.status}  `, 'accent'));
  if (state.tail.dropped > 0) more.push(span(`${count(state.tail.dropped)} not recorded  `, 'warn'));
  if (state.heldTail) {
    const newest = state.heldTail[0]?.seq ?? 0;
    more.push(span(`${glyphs.paused} held, ${count(state.tail.nextSeq - 1 - newest)} newer`, 'warn'));
  } else {
    more.push(span(`${glyphs.good} following`, 'good'));
  }
  return listFooter({ ...state, size: { ...state.size, columns } }, range, more);
}

export function selectedRequest(state: State): RequestRecord | undefined {
  const rows = tailRows(state);
  return rows[indexOf(rows, state.cursors.requests)]?.entry.record;
}

/** Every field of the selected request, then what each step of its chain decided. */
export function requestDetail(state: State, columns: number): Line[] {
  const record = selectedRequest(state);
  if (!record) return [[span('this request has left the tail', 'dim')]];
  const out: Line[] = [];
  const field = (label: string, value: string, tone: Tone = 'plain'): void => {
    const [first = '', ...rest] = wrap(printable(value, state.theme), Math.max(10, columns - 11));
    out.push([span(label.padEnd(11), 'dim'), span(first, tone)]);
    for (const line of rest) out.push([span(' '.repeat(11)), span(line, tone)]);
  };
  const { arrow } = state.theme.glyphs;
  const sent = record.status === 0 ? 'no reply was sent' : String(record.status);
  field('request', `${record.method} ${record.url}`, 'title');
  field('status', record.error === null ? sent : `${sent}, ${record.error}`, statusTone(record.status));
  if (record.cause !== null) field('cause', record.cause, statusTone(record.status));
  field('took', `${latency(record.durationMs)}, the target's reply head came after ${latency(record.upstreamMs)}`);
  field('at', `${dateTime(record.at)}.${String(new Date(record.at).getMilliseconds()).padStart(3, '0')}`);
  field('client', `${record.remote}, ${record.consumer === null ? 'no consumer' : `consumer ${record.consumer}`}`);
  field('host', record.host);
  const way = [record.service, record.target].filter((part) => part !== null);
  field('route', [routeName(record.route), ...way].join(` ${arrow} `));
  field('bytes', `${bytes(record.bytesIn)} in, ${bytes(record.bytesOut)} out`);
  field('id', record.id);
  out.push([], [span('decisions', 'title')]);
  out.push(...decisionLines(record.decisions, state, columns));
  return out;
}

function decisionLines(decisions: readonly DecisionRecord[] | undefined, state: State, columns: number): Line[] {
  if (!decisions) return [[span('not recorded: they are kept only while this view is open', 'dim')]];
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
