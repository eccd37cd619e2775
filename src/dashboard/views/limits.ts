import type { LimitSnapshot } from '../../telemetry/snapshot.js';
import { bar } from '../chart.js';
import { count, percent, plural, rate, span as spanOf } from '../format.js';
import { listRows } from '../layout.js';
import { inverse, type Line, printable, type Span, span, spread } from '../line.js';
import { type LimitRow, limitRows } from '../rows.js';
import type { State } from '../state.js';
import { type Column, headerLine, place, rangeText, rowLine } from '../table.js';
import type { Theme, Tone } from '../theme.js';
import { page } from '../window.js';
import { listFooter } from './chrome.js';
import { centred } from './empty.js';

type KeyRow = LimitRow & { kind: 'key' };

function fillTone(used: number, capacity: number): Tone {
  if (used >= capacity) return 'bad';
  return used >= capacity * 0.8 ? 'warn' : 'good';
}

function columnsFor(theme: Theme): readonly Column<KeyRow>[] {
  return [
    { title: 'KEY', min: 14, grow: 2, max: 44, cell: ({ key }) => [key.key, 'title'] },
    {
      title: 'FILL',
      min: 16,
      grow: 2,
      max: 48,
      cell: () => '',
      draw: ({ key }, columns): Line => {
        const { full, rest } = bar(key.capacity > 0 ? key.used / key.capacity : 0, columns, theme.glyphs);
        return [span(full, fillTone(key.used, key.capacity)), span(rest, 'dim')];
      },
    },
    {
      title: 'USED',
      min: 11,
      align: 'right',
      cell: ({ key }) => [`${count(key.used)}/${count(key.capacity)}`, fillTone(key.used, key.capacity)],
    },
    {
      title: 'NEXT SLOT',
      min: 9,
      align: 'right',
      cell: ({ key }) => (key.nextFreeMs > 0 ? [`in ${spanOf(key.nextFreeMs)}`, 'bad'] : ['free', 'dim']),
    },
    {
      title: 'ALL FREE',
      min: 9,
      align: 'right',
      spare: 2,
      cell: ({ key }) => (key.resetMs > 0 ? `in ${spanOf(key.resetMs)}` : 'now'),
    },
    { title: 'ALLOWED', min: 7, align: 'right', spare: 1, cell: ({ key }) => count(key.allowed) },
    {
      title: 'REFUSED',
      min: 7,
      align: 'right',
      cell: ({ key }) => [count(key.refused), key.refused > 0 ? 'warn' : 'dim'],
    },
  ];
}

function headingLine(limit: LimitSnapshot, shown: number, selected: boolean, state: State): Line {
  const { theme, size } = state;
  const { glyphs } = theme;
  const routes =
    limit.routes.length > 3 ? [...limit.routes.slice(0, 3), `${limit.routes.length - 3} more`] : limit.routes;
  const left: Span[] = [
    span(selected ? glyphs.marker.padEnd(2) : '  ', 'accent'),
    span(printable(limit.policy, theme), 'title'),
    span(`  ${printable(limit.limit, theme)}`, 'accent'),
    span(` by ${printable(limit.by, theme)}`),
    span(`  on ${printable(routes.join(', ') || 'no route', theme)}`, 'dim'),
  ];
  const now = limit.refusedPerSecond > 0;
  const right: Span[] = [
    span(`  ${plural(shown, 'key')}  `, 'dim'),
    span(`${now ? `${glyphs.warn} ` : ''}${rate(limit.refusedPerSecond)}/s refused `, now ? 'bad' : 'dim'),
  ];
  const all = limit.allowed + limit.refused;
  if (size.columns >= 110) right.push(span(` ${percent(limit.refused, all)} of ${count(all)} `, 'dim'));
  const line = spread(left, right, size.columns, theme);
  return selected ? inverse(line) : line;
}

const EXAMPLE = ['[policy.polite]', 'use = "rate-limit"', 'limit = "100/min"', 'by = "consumer"'];

/** Each limit with the keys that it counts, the fullest first. */
export function limitsTable(state: State): Line[] {
  const { theme, size } = state;
  const most = listRows('limits', size);
  const rows = limitRows(state.snapshot, state.filters.limits);
  const placed = place(columnsFor(theme), size.columns);
  const shown = page(rows, state.cursors.limits, most);
  const lines: Line[] = [headerLine(placed, theme)];
  for (const [index, row] of shown.rows.entries()) {
    const selected = index === shown.selected;
    if (row.kind === 'key') lines.push(rowLine(placed, row, selected, theme));
    else if (row.kind === 'limit') lines.push(headingLine(row.limit, row.shown, selected, state));
    else lines.push([span('    nobody is counted yet: the first request on its routes is', 'dim')]);
  }
  if (rows.length === 0) lines.push(...centred(noLimits(state), size.columns, most, theme));
  while (lines.length < most + 1) lines.push([]);
  lines.push(listFooter(state, rangeText(shown.first, shown.rows.length, shown.total, 'row')));
  return lines;
}

function noLimits(state: State): Line[] {
  const limits = state.snapshot?.limits.length ?? 0;
  if (limits > 0) return [[span(`none of ${plural(limits, 'limit')} passes the filter`, 'dim')]];
  return [
    [span('no route of this spec has a limit: one looks like this', 'dim')],
    [],
    ...EXAMPLE.map((line): Line => [span(line.padEnd(52), 'accent')]),
    [],
    [span('and a route takes it by  policies = ["polite"]', 'dim')],
  ];
}
