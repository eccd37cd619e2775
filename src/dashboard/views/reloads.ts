import { reloadText } from '../../telemetry/changes.js';
import type { ReloadSnapshot } from '../../telemetry/snapshot.js';
import { age, dateTime, latency, plural, timeOfDay } from '../format.js';
import { reloadsListRows } from '../layout.js';
import { type Line, printable, span } from '../line.js';
import { type ReloadRow, reloadRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, headerLine, place, rowLine } from '../table.js';
import { wrap } from '../text.js';
import type { Theme, Tone } from '../theme.js';
import { indexOf, page } from '../window.js';
import { centred } from './empty.js';

const TONES: { readonly [sign: string]: Tone } = { '+': 'good', '~': 'warn', '-': 'bad' };
const DAY = 24 * 3600 * 1000;

function outcome(reload: ReloadSnapshot, theme: Theme): readonly [string, Tone] {
  if (reload.outcome === 'replaced') return ['  replaced', 'dim'];
  return reload.outcome === 'live' ? [`${theme.glyphs.good} live`, 'good'] : [`${theme.glyphs.bad} rejected`, 'bad'];
}

function columnsFor({ theme, now }: State): readonly Column<ReloadRow>[] {
  const time = (at: number): string => (now - at < DAY ? timeOfDay(at) : dateTime(at).slice(5, 16));
  return [
    { title: 'TIME', min: 11, spare: 1, cell: ({ reload }) => [time(reload.at), 'dim'] },
    { title: 'AGO', min: 4, align: 'right', cell: ({ reload }) => [age(now - reload.at), 'dim'] },
    { title: 'OUTCOME', min: 10, cell: ({ reload }) => outcome(reload, theme) },
    {
      title: 'GEN',
      min: 5,
      align: 'right',
      cell: ({ reload }) => (reload.generation === null ? ['-', 'dim'] : [String(reload.generation), 'title']),
    },
    { title: 'TOOK', min: 6, align: 'right', cell: ({ reload }) => latency(reload.tookMs) },
    { title: 'CHANGE', min: 18, grow: 1, cell: ({ reload }) => reloadText(reload) || '-' },
    {
      title: 'ERR',
      min: 4,
      align: 'right',
      cell: ({ reload }) => [String(reload.errors), reload.errors > 0 ? 'bad' : 'dim'],
    },
    {
      title: 'WARN',
      min: 4,
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

/** What changed, then the diagnostics as `gw validate` words them. */
export function reloadDetail(state: State, columns: number): Line[] {
  const reload = shownReload(state);
  if (!reload) return [[span('what a reload changed shows here, and why a spec was rejected', 'dim')]];
  const { theme } = state;
  const out: Line[] = [];
  if (reload.outcome === 'rejected') {
    const still = state.snapshot
      ? `generation ${state.snapshot.generation.id} serves on`
      : 'the old generation serves on';
    out.push([span(`${plural(reload.errors, 'error')}: ${still}`, 'bad')]);
  }
  // What was rejected has changed nothing: its summary is the first of the errors below.
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
