import { reloadText } from '../../telemetry/changes.js';
import type { ReloadSnapshot } from '../../telemetry/snapshot.js';
import { recent } from '../chart.js';
import { age, count, dateTime, latency, plural, rate, timeOfDay } from '../format.js';
import { reloadsListRows } from '../layout.js';
import { type Line, printable, span } from '../line.js';
import { type ReloadRow, reloadRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, headerLine, place, rowLine } from '../table.js';
import { wrap } from '../text.js';
import type { Theme, Tone } from '../theme.js';
import { indexOf, page } from '../window.js';
import { centred } from './empty.js';
import { endSecond, type PaneRow, paneLines } from './pane.js';

const TONES: { readonly [sign: string]: Tone } = { '+': 'good', '~': 'warn', '-': 'bad' };
const DAY = 24 * 3600 * 1000;

function outcome(reload: ReloadSnapshot, theme: Theme): readonly [string, Tone] {
  if (reload.outcome === 'replaced') return ['  replaced', 'dim'];
  if (reload.outcome === 'live' && theme.stale !== undefined) return ['  was live', 'dim'];
  return reload.outcome === 'live' ? [`${theme.glyphs.good} live`, 'good'] : [`${theme.glyphs.bad} rejected`, 'bad'];
}

function columnsFor({ theme, now }: State): readonly Column<ReloadRow>[] {
  const time = (at: number): string => (now - at < DAY ? timeOfDay(at) : dateTime(at).slice(5, 16));
  return [
    { title: 'TIME', min: 11, spare: 1, cell: ({ reload }) => [time(reload.at), 'dim'] },
    { title: 'AGE', min: 4, align: 'right', cell: ({ reload }) => [age(now - reload.at), 'dim'] },
    { title: 'RESULT', min: 10, cell: ({ reload }) => outcome(reload, theme) },
    {
      title: 'GENERATION',
      min: 10,
      align: 'right',
      cell: ({ reload }) => (reload.generation === null ? ['-', 'dim'] : [String(reload.generation), 'title']),
    },
    { title: 'DURATION', min: 8, align: 'right', cell: ({ reload }) => latency(reload.tookMs) },
    { title: 'CHANGES', min: 15, grow: 1, cell: ({ reload }) => reloadText(reload) || '-' },
    {
      title: 'ERRORS',
      min: 6,
      align: 'right',
      cell: ({ reload }) => [String(reload.errors), reload.errors > 0 ? 'bad' : 'dim'],
    },
    {
      title: 'WARNINGS',
      min: 8,
      spare: 2,
      align: 'right',
      cell: ({ reload }) => [String(reload.warnings), reload.warnings > 0 ? 'warn' : 'dim'],
    },
  ];
}

export function reloadList(state: State): readonly ReloadRow[] {
  return reloadRows(state.snapshot, state.filters.reloads);
}

/** The reload whose diagnostics show: the selected one, else the newest. */
export function shownReload(state: State): ReloadSnapshot | undefined {
  const rows = reloadList(state);
  return (rows[indexOf(rows, state.cursors.reloads)] ?? rows[0])?.reload;
}

/** Generations and rejected specs, newest first. */
export function reloadsTable(state: State): Line[] {
  const { theme, size } = state;
  const most = reloadsListRows(size);
  const rows = reloadList(state);
  const placed = place(columnsFor(state), size.columns);
  const shown = page(rows, state.cursors.reloads, most);
  const lines: Line[] = [headerLine(placed, theme)];
  for (const [index, row] of shown.rows.entries()) lines.push(rowLine(placed, row, index === shown.selected, theme));
  if (rows.length === 0) {
    const all = state.snapshot?.reloads.length ?? 0;
    const none = 'the spec has not changed since the gateway started: save it, or press r';
    const text = all > 0 ? `none of ${plural(all, 'reload')} passes the filter` : none;
    lines.push(...centred([[span(text, 'dim')]], size.columns, most, theme));
  }
  while (lines.length < most + 1) lines.push([]);
  return lines;
}

export function reloadTitle(state: State): Line {
  const reload = shownReload(state);
  if (!reload) return [span('diagnostics', 'title')];
  const [text, tone] = outcome(reload, state.theme);
  const name = reload.generation === null ? '' : `generation ${reload.generation}  `;
  return [span(name, 'title'), span(text, tone), span(`  ${dateTime(reload.at)}`, 'dim')];
}

/** All traffic of the last two minutes: whether a reload has changed it. */
function trafficLines(state: State, columns: number): Line[] {
  if (!state.snapshot) return [];
  const { traffic, gateway } = state.snapshot;
  const show = (value: number): string => `${count(value)}/s`;
  const rows: PaneRow[] = [
    {
      label: 'requests',
      text: `${rate(recent(traffic.requestsPerSecond))}/s`,
      sparkline: { values: traffic.requestsPerSecond, show },
    },
    {
      label: '5xx replies',
      text: `${rate(recent(traffic.errorsPerSecond))}/s`,
      sparkline: { values: traffic.errorsPerSecond, show, tone: 'bad' },
    },
  ];
  return paneLines(rows, columns, state.theme, endSecond(gateway.now));
}

/** What changed, then the diagnostics as `gw validate` prints them. */
export function reloadDetail(state: State, columns: number): Line[] {
  const reload = shownReload(state);
  const traffic = trafficLines(state, columns);
  if (!reload) {
    return [...traffic, [], [span('what a reload changed shows here, and why a spec was rejected', 'dim')]];
  }
  // Where errors have to be read, they come first.
  return reload.outcome === 'rejected'
    ? [...changeLines(reload, state, columns), [], ...traffic]
    : [...traffic, [], ...changeLines(reload, state, columns)];
}

function changeLines(reload: ReloadSnapshot, state: State, columns: number): Line[] {
  const { theme } = state;
  const out: Line[] = [];
  if (reload.outcome === 'rejected') {
    const id = state.snapshot?.generation.id;
    out.push([span(`${plural(reload.errors, 'error')}: generation ${id ?? '?'} still serves`, 'bad')]);
  }
  // A rejected spec has changed nothing: its summary is the first of the errors below.
  const changes = reload.outcome === 'rejected' ? [] : reloadText(reload).split(/;\s*/);
  for (const text of changes)
    for (const line of wrap(printable(text, theme), columns)) out.push([span(line, TONES[text[0] ?? ''] ?? 'dim')]);
  if (reload.diagnostics === '') {
    out.push([], [span(reload.outcome !== 'rejected' ? 'no errors, no warnings' : 'no diagnostics', 'dim')]);
    return out;
  }
  out.push([]);
  for (const text of reload.diagnostics.trimEnd().split('\n')) {
    // Colour only for the line that names the severity: the rest is source text.
    const tone: Tone = /^\s*error\b/.test(text) ? 'bad' : /^\s*warning\b/.test(text) ? 'warn' : 'plain';
    for (const line of wrap(printable(text.replaceAll('\t', '    '), theme), columns)) out.push([span(line, tone)]);
  }
  return out;
}
