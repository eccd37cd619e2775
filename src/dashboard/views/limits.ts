import { bar } from '../chart.js';
import { count, percent, plural, rate, span as spanOf } from '../format.js';
import { keyId } from '../history.js';
import { listRows, paneHeight } from '../layout.js';
import { inverse, type Line, printable, type Span, span, spread } from '../line.js';
import { type LimitRow, type LimitSort, limitRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, headerLine, place, rangeText, rowLine } from '../table.js';
import { type Theme, usedTone } from '../theme.js';
import { indexOf, page } from '../window.js';
import { listFooter } from './chrome.js';
import { concurrencyRows, holdColumns, holdsState, maxText } from './concurrency.js';
import { centred } from './empty.js';
import { endSecond, type PaneRow, paneFrame, paneLines } from './pane.js';

type KeyRow = LimitRow & { kind: 'key' };

const inTime = (ms: number): string => (ms > 0 ? `in ${spanOf(ms)}` : 'now');

function columnsFor(theme: Theme): readonly Column<KeyRow>[] {
  return [
    { title: 'KEY', min: 14, grow: 2, max: 60, cell: ({ key }) => [key.key, 'title'] },
    {
      title: 'USED',
      min: 8,
      grow: 3,
      max: 80,
      cell: () => '',
      draw: ({ key }, columns): Line => {
        const { full, rest } = bar(key.capacity > 0 ? key.used / key.capacity : 0, columns, theme.glyphs);
        return [span(full, usedTone(key.used, key.capacity)), span(rest, 'dim')];
      },
    },
    {
      title: 'USED/LIMIT',
      min: 11,
      align: 'right',
      cell: ({ key }) => [`${count(key.used)}/${count(key.capacity)}`, usedTone(key.used, key.capacity)],
    },
    {
      title: 'NEXT ALLOWED',
      min: 13,
      align: 'right',
      cell: ({ key }) => [inTime(key.nextFreeMs), key.nextFreeMs > 0 ? 'bad' : 'dim'],
    },
    { title: 'FULL QUOTA', min: 10, align: 'right', spare: 2, cell: ({ key }) => inTime(key.resetMs) },
    { title: 'ALLOWED', min: 8, align: 'right', spare: 1, cell: ({ key }) => count(key.allowed) },
    {
      title: 'REFUSED',
      min: 8,
      align: 'right',
      cell: ({ key }) => [count(key.refused), key.refused > 0 ? 'warn' : 'dim'],
    },
  ];
}

const SORT_TITLES: Readonly<Record<LimitSort, string>> = {
  used: 'USED/LIMIT',
  wait: 'NEXT ALLOWED',
  refused: 'REFUSED',
  name: 'KEY',
};

export function limitList(state: State): readonly LimitRow[] {
  return limitRows(state.snapshot, state.filters.limits, state.limitSort, state.limitReverse);
}

function headingLine(row: LimitRow & { kind: 'limit' | 'concurrency' }, selected: boolean, state: State): Line {
  const { theme, size } = state;
  const { glyphs } = theme;
  const { limit } = row;
  const routes =
    limit.routes.length > 3 ? [...limit.routes.slice(0, 3), `${limit.routes.length - 3} more`] : limit.routes;
  const left: Span[] = [
    span(selected ? glyphs.marker.padEnd(2) : '  ', 'accent'),
    span(printable(limit.policy, theme), 'title'),
    span(`  ${row.kind === 'limit' ? printable(row.limit.limit, theme) : maxText(row)}`, 'accent'),
    span(` by ${printable(limit.by, theme)}`),
    span(`  on ${printable(routes.join(', ') || 'no route', theme)}`, 'dim'),
  ];
  const right = row.kind === 'limit' ? rateState(row, state) : holdsState(row, state);
  const line = spread(left, right, size.columns, theme);
  return selected ? inverse(line) : line;
}

/** The right end of the line above the keys. */
function rateState({ limit, shown }: LimitRow & { kind: 'limit' }, { size, theme }: State): Span[] {
  const { glyphs } = theme;
  const now = limit.refusedPerSecond > 0;
  const right: Span[] = [
    span(`  ${plural(shown, 'key')}  `, 'dim'),
    span(`${now ? `${glyphs.warn} ` : ''}${rate(limit.refusedPerSecond)}/s refused `, now ? 'bad' : 'dim'),
  ];
  const all = limit.allowed + limit.refused;
  if (size.columns >= 110) right.push(span(` ${percent(limit.refused, all)} of ${count(all)} `, 'dim'));
  return right;
}

const EXAMPLE = ['[policy.polite]', 'use = "rate-limit"', 'limit = "100/min"', 'by = "consumer"'];

/** Each limit with its keys, and the selected row in detail below. */
export function limitsTable(state: State): Line[] {
  const { theme, size } = state;
  const most = listRows('limits', size);
  const rows = limitList(state);
  const placed = place(columnsFor(theme), size.columns);
  const holds = holdColumns(placed, theme);
  const shown = page(rows, state.cursors.limits, most);
  const sorted = { title: SORT_TITLES[state.limitSort], reverse: state.limitReverse };
  const lines: Line[] = [headerLine(placed, theme, sorted)];
  for (const [index, row] of shown.rows.entries()) {
    const selected = index === shown.selected;
    if (row.kind === 'key') lines.push(rowLine(placed, row, selected, theme));
    else if (row.kind === 'hold') lines.push(rowLine(holds, row, selected, theme));
    else if (row.kind === 'limit' || row.kind === 'concurrency') lines.push(headingLine(row, selected, state));
    else
      lines.push([
        span(`    ${row.kind === 'idle' ? 'no request is in progress' : 'no request has been counted yet'}`, 'dim'),
      ]);
  }
  if (rows.length === 0) lines.push(...centred(noLimits(state), size.columns, most, theme));
  while (lines.length < most + 1) lines.push([]);
  const height = paneHeight(size);
  if (height > 0) {
    const pane = limitDetail(state, size.columns - 4);
    lines.push(...paneFrame(limitTitle(state), pane, height, size.columns, theme));
  }
  lines.push(listFooter(state, rangeText(shown.first, shown.rows.length, shown.total, 'row')));
  return lines;
}

function noLimits(state: State): Line[] {
  const limits = (state.snapshot?.limits.length ?? 0) + (state.snapshot?.concurrency.length ?? 0);
  if (limits > 0) return [[span(`none of ${plural(limits, 'limit')} passes the filter`, 'dim')]];
  return [
    [span('no route of this spec has a limit: one looks like this', 'dim')],
    [],
    ...EXAMPLE.map((line): Line => [span(line.padEnd(52), 'accent')]),
    [],
    [span('and a route takes it by  policies = ["polite"]', 'dim')],
  ];
}

/** The row in detail: the selected one, else the first key. */
function detailRow(state: State): LimitRow | undefined {
  const rows = limitList(state);
  return (
    rows[indexOf(rows, state.cursors.limits)] ?? rows.find(({ kind }) => kind === 'key' || kind === 'hold') ?? rows[0]
  );
}

export function limitTitle(state: State): Line {
  const row = detailRow(state);
  if (!row) return [span('limit', 'title')];
  const policy = span(printable(row.limit.policy, state.theme), 'title');
  return row.kind === 'key' || row.kind === 'hold'
    ? [policy, span(`  ${printable(row.key.key, state.theme)}`, 'accent')]
    : [policy];
}

/** All about a limit, or one of its keys. */
export function limitDetail(state: State, columns: number): Line[] {
  const row = detailRow(state);
  if (!row) return [[span('the selected limit shows here', 'dim')]];
  return paneLines(paneRows(row, state), columns, state.theme, endSecond(state.snapshot?.gateway.now ?? 0));
}

function paneRows(row: LimitRow, state: State): PaneRow[] {
  if (row.kind === 'key') return keyPaneRows(row, state);
  if (row.kind === 'limit' || row.kind === 'empty') return limitPaneRows(row, state);
  return concurrencyRows(row, state);
}

const perSecond = (value: number): string => `${rate(value)}/s`;

function limitPaneRows({ limit }: LimitRow & { kind: 'limit' | 'empty' }, state: State): PaneRow[] {
  const series = state.shown?.history.limits.get(limit.policy)?.series;
  const all = limit.allowed + limit.refused;
  const full = limit.keys.filter(({ used, capacity }) => used >= capacity).length;
  return [
    { label: 'limit', text: `${limit.limit} for each ${limit.by}`, tone: 'accent' },
    {
      label: 'allowed',
      text: `${count(limit.allowed)} since start`,
      sparkline: { values: series?.['allowed'] ?? [], show: perSecond },
    },
    {
      label: 'refused',
      text: `${count(limit.refused)} (${percent(limit.refused, all)}), ${rate(limit.refusedPerSecond)}/s now`,
      tone: limit.refusedPerSecond > 0 ? 'bad' : 'plain',
      sparkline: { values: series?.['refused'] ?? [], show: perSecond, tone: 'bad' },
    },
    {
      label: 'keys',
      text: `${plural(limit.keys.length, 'key')} shown, ${full} at the limit; ${count(limit.evicted)} evicted`,
    },
    { label: 'routes', text: limit.routes.join(', ') || 'none' },
  ];
}

function keyPaneRows({ limit, key }: KeyRow, state: State): PaneRow[] {
  const series = state.shown?.history.keys.get(keyId(limit.policy, key.key))?.series;
  const next = key.nextFreeMs > 0 ? `refused; allowed in ${spanOf(key.nextFreeMs)}` : 'allowed';
  return [
    { label: 'limit', text: `${limit.limit} for each ${limit.by}`, tone: 'accent' },
    {
      label: 'used',
      text: `${count(key.used)} of ${count(key.capacity)}, ${count(key.remaining)} left`,
      tone: usedTone(key.used, key.capacity),
      sparkline: { values: series?.['used'] ?? [], show: count },
    },
    {
      label: 'allowed',
      text: `${count(key.allowed)} since start`,
      sparkline: { values: series?.['allowed'] ?? [], show: perSecond },
    },
    {
      label: 'refused',
      text: `${count(key.refused)} since start`,
      tone: key.refused > 0 ? 'warn' : 'plain',
      sparkline: { values: series?.['refused'] ?? [], show: perSecond, tone: 'bad' },
    },
    { label: 'next', text: `${next}; full quota of ${count(key.capacity)} ${inTime(key.resetMs)}` },
    { label: 'routes', text: limit.routes.join(', ') || 'none' },
  ];
}
