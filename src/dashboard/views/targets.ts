import type { TargetSnapshot } from '../../telemetry/snapshot.js';
import { age, count, latency, percent, plural, span as spanOf } from '../format.js';
import { listRows, targetDetailRows } from '../layout.js';
import { frame, inverse, type Line, printable, type Span, span, spread } from '../line.js';
import { type TargetRow, targetRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, counted, headerLine, place, rangeText, rowLine } from '../table.js';
import type { Theme, Tone } from '../theme.js';
import { page } from '../window.js';
import { listFooter } from './chrome.js';
import { centred } from './empty.js';

type OneTarget = TargetRow & { kind: 'target' };

function health(target: TargetSnapshot, theme: Theme): readonly [string, Tone] {
  if (target.health === 'healthy') return [`${theme.glyphs.good} healthy`, 'good'];
  return [`${theme.glyphs.bad} ${target.ejectedForMs > 0 ? `out ${spanOf(target.ejectedForMs)}` : 'on trial'}`, 'bad'];
}

const PROCESS_TONES = { ready: 'good', starting: 'warn', backoff: 'bad', stopped: 'bad' } as const;

function processText(target: TargetSnapshot, theme: Theme): readonly [string, Tone] {
  const { process } = target;
  if (!process) return ['-', 'dim'];
  const pid = process.pid === null ? '' : ` ${process.pid}`;
  const again = process.restarts > 0 ? ` ${theme.glyphs.restarts}${count(process.restarts)}` : '';
  return [`${process.state}${pid}${again}`, PROCESS_TONES[process.state]];
}

/** Why its last failed attempt failed, and how long ago that was. */
function lastFailure({ lastFailure: last }: TargetSnapshot, now: number): string {
  return last === null ? '-' : `${age(now - last.at)} ago: ${last.cause}`;
}

function columnsFor(theme: Theme, now: number): readonly Column<OneTarget>[] {
  return [
    {
      title: 'TARGET',
      min: 17,
      grow: 3,
      max: 60,
      keep: 'end',
      cell: ({ target }) => [`  ${target.url.replace(/^http:\/\//, '')}`, 'title'],
    },
    { title: 'HEALTH', min: 13, cell: ({ target }) => health(target, theme) },
    { title: 'PROCESS', min: 14, grow: 1, max: 22, cell: ({ target }) => processText(target, theme) },
    { title: 'WEIGHT', min: 6, align: 'right', spare: 5, cell: ({ target }) => count(target.weight) },
    { title: 'TOTAL', min: 6, align: 'right', cell: ({ target }) => counted(target.requests, 'plain') },
    { title: 'FAIL', min: 5, align: 'right', cell: ({ target }) => counted(target.failures, 'bad') },
    { title: 'IN FL', min: 5, align: 'right', cell: ({ target }) => counted(target.inFlight, 'accent') },
    { title: 'CONN', min: 4, align: 'right', spare: 1, cell: ({ target }) => counted(target.connections, 'plain') },
    { title: 'P50', min: 6, align: 'right', spare: 3, cell: ({ target }) => latency(target.latency.p50) },
    { title: 'P95', min: 6, align: 'right', cell: ({ target }) => latency(target.latency.p95) },
    { title: 'P99', min: 6, align: 'right', spare: 4, cell: ({ target }) => latency(target.latency.p99) },
    {
      title: 'LAST FAILURE',
      min: 24,
      grow: 3,
      max: 80,
      spare: 6,
      cell: ({ target }) => [lastFailure(target, now), target.lastFailure === null ? 'dim' : 'warn'],
    },
  ];
}

function headingLine(row: TargetRow & { kind: 'service' }, selected: boolean, state: State): Line {
  const out = row.targets.filter((target) => target.health === 'ejected').length;
  const { theme } = state;
  const left: Span[] = [
    span(selected ? theme.glyphs.marker.padEnd(2) : '  ', 'accent'),
    span(printable(row.service, theme), 'accent'),
    span(`  ${plural(row.targets.length, 'target')}`, 'dim'),
  ];
  if (out > 0) left.push(span(`  ${theme.glyphs.bad} ${out} of ${row.targets.length} out`, 'bad'));
  const line = spread(left, [], state.size.columns, theme);
  return selected ? inverse(line) : line;
}

/** Services with their targets. */
export function targetsTable(state: State): Line[] {
  const { theme, size } = state;
  const most = listRows('targets', size);
  const rows = targetRows(state.snapshot, state.filters.targets);
  const placed = place(columnsFor(theme, state.snapshot?.gateway.now ?? 0), size.columns);
  const shown = page(rows, state.cursors.targets, most);
  const lines: Line[] = [headerLine(placed, theme)];
  for (const [index, row] of shown.rows.entries()) {
    const selected = index === shown.selected;
    lines.push(row.kind === 'target' ? rowLine(placed, row, selected, theme) : headingLine(row, selected, state));
  }
  if (rows.length === 0) {
    const all = state.snapshot?.targets.length ?? 0;
    const text =
      all > 0 ? `none of ${plural(all, 'target')} passes the filter` : 'no service of this spec has a target';
    lines.push(...centred([[span(text, 'dim')]], size.columns, most, theme));
  }
  while (lines.length < most + 1) lines.push([]);
  lines.push(...detailPanel(state, rows[shown.first + shown.selected] ?? rows.find((row) => row.kind === 'target')));
  lines.push(listFooter(state, rangeText(shown.first, shown.rows.length, shown.total, 'row')));
  return lines;
}

function detailPanel(state: State, row: TargetRow | undefined): Line[] {
  const height = targetDetailRows(state.size);
  if (height === 0) return [];
  const { theme, size } = state;
  const target = row?.kind === 'target' ? row.target : row?.targets[0];
  const lines: Line[] = target ? about(target, theme, state.snapshot?.gateway.now ?? 0) : [];
  while (lines.length < height - 2) lines.push([]);
  const title = target ? `${target.service}  ${target.url}` : 'target';
  return frame([{ title: [span(printable(title, theme), 'title')], lines }], size.columns, theme);
}

function about(target: TargetSnapshot, theme: Theme, now: number): Line[] {
  const { p50, p95, p99 } = target.latency;
  const [state, tone] = health(target, theme);
  const until =
    target.health === 'ejected' ? ` (consecutive failures; tried again in ${spanOf(target.ejectedForMs)})` : '';
  const label = (text: string): Span => span(` ${text.padEnd(10)}`, 'dim');
  const share = percent(target.failures, target.requests);
  const { process } = target;
  const lines: Line[] = [
    [label('health'), span(state + until, tone), span(`  weight ${target.weight}`, 'dim')],
    [
      label('requests'),
      span(`${count(target.requests)}, ${plural(target.failures, 'failure')} (${share})`),
      span(`  ${count(target.inFlight)} in flight on ${plural(target.connections, 'connection')}`, 'dim'),
    ],
    [
      label('failure'),
      span(printable(lastFailure(target, now), theme), target.lastFailure === null ? 'dim' : 'warn'),
      span(target.lastFailure === null ? '' : `  ${target.lastFailure.error}`, 'dim'),
    ],
    [
      label('latency'),
      span(`p50 ${latency(p50)}  p95 ${latency(p95)}  p99 ${latency(p99)}`),
      span('  last minute', 'dim'),
    ],
  ];
  if (process) {
    const [text, own] = processText(target, theme);
    lines.push([label('process'), span(text, own), span(`  ${printable(process.command, theme)}`, 'dim')]);
  } else {
    lines.push([label('process'), span('not started by this gateway', 'dim')]);
  }
  return lines;
}
