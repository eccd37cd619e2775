/** Limits of requests in progress: rows of the Limits view, after those of rates. */
import { bar } from '../chart.js';
import { count, plural, rate } from '../format.js';
import { keyId } from '../history.js';
import { type Line, printable, type Span, span } from '../line.js';
import type { LimitRow } from '../rows.js';
import type { State } from '../state.js';
import type { Column, Placed } from '../table.js';
import { type Theme, usedTone } from '../theme.js';
import type { PaneRow } from './pane.js';

export type ConcurrencyRow = LimitRow & { kind: 'concurrency' | 'hold' | 'idle' };
export type HoldRow = LimitRow & { kind: 'hold' };

const perSecond = (value: number): string => `${rate(value)}/s`;

/** `max 4`, as in a spec. */
export const maxText = ({ limit: { max, enforced } }: ConcurrencyRow): string =>
  `max ${max === 0 ? 'of the plan' : count(max)}${enforced ? '' : ' (observe)'}`;

/** The columns of keys of rates, with what a key in progress has for them. */
export function holdColumns<Row>(placed: readonly Placed<Row>[], theme: Theme): Placed<HoldRow>[] {
  const cells: { readonly [title: string]: Column<HoldRow>['cell'] } = {
    KEY: ({ key }) => [key.key, 'title'],
    'USED/LIMIT': ({ key }) => [`${count(key.taken)}/${count(key.capacity)}`, usedTone(key.taken, key.capacity)],
    'NEXT ALLOWED': ({ key, limit }) =>
      key.taken >= key.capacity && limit.enforced ? ['when one ends', 'bad'] : ['now', 'dim'],
  };
  const draw: Column<HoldRow>['draw'] = ({ key }, columns): Line => {
    const { full, rest } = bar(key.capacity > 0 ? key.taken / key.capacity : 0, columns, theme.glyphs);
    return [span(full, usedTone(key.taken, key.capacity)), span(rest, 'dim')];
  };
  return placed.map(({ column: { title, min, align = 'left' }, width }) => {
    const cell = cells[title] ?? ((): readonly [string, 'dim'] => ['-', 'dim']);
    return { column: { title, min, align, cell, ...(title === 'USED' ? { draw } : {}) }, width };
  });
}

/** The right end of the line above the keys. */
export function holdsState({ limit, shown }: LimitRow & { kind: 'concurrency' }, { size, theme }: State): Span[] {
  const now = limit.refusedPerSecond > 0;
  const spans: Span[] = [span(`  ${count(limit.inProgress)} in progress  `, 'dim')];
  if (size.columns >= 110) spans.unshift(span(`  ${plural(shown, 'key')}`, 'dim'));
  const text = `${now ? `${theme.glyphs.warn} ` : ''}${rate(limit.refusedPerSecond)}/s refused `;
  const all = size.columns >= 110 ? [span(` ${count(limit.refused)} since start `, 'dim')] : [];
  return [...spans, span(text, now ? 'bad' : 'dim'), ...all];
}

/** All about a limit of requests in progress, or one of its keys. */
export function concurrencyRows(row: ConcurrencyRow, state: State): PaneRow[] {
  const { limit } = row;
  const history = state.shown?.history;
  const ends: PaneRow[] = [{ label: 'routes', text: limit.routes.join(', ') || 'none' }];
  const observed = limit.enforced ? '' : '; not enforced (observe)';
  const text = `at most ${limit.max === 0 ? 'what the plan says' : count(limit.max)} in progress for each ${printable(limit.by, state.theme)}${observed}`;
  const head: PaneRow = { label: 'limit', text, tone: 'accent' };
  if (row.kind === 'hold') {
    const { key, taken, capacity } = row.key;
    const full = taken >= capacity && limit.enforced;
    return [
      head,
      {
        label: 'in progress',
        text: `${count(taken)} of ${count(capacity)}`,
        tone: usedTone(taken, capacity),
        sparkline: { values: history?.keys.get(keyId(limit.policy, key))?.series['used'] ?? [], show: count },
      },
      { label: 'next', text: full ? 'refused until a request has ended' : 'allowed' },
      ...ends,
    ];
  }
  const series = history?.limits.get(limit.policy)?.series;
  const fullKeys = limit.keys.filter(({ taken, capacity }) => taken >= capacity).length;
  const more = limit.keysInUse > limit.keys.length ? `, ${count(limit.keys.length)} of them shown` : '';
  return [
    head,
    {
      label: 'in progress',
      text: `${count(limit.inProgress)} over all keys`,
      sparkline: { values: series?.['inProgress'] ?? [], show: count },
    },
    {
      label: 'refused',
      text: `${count(limit.refused)} since start, ${rate(limit.refusedPerSecond)}/s now`,
      tone: limit.refusedPerSecond > 0 ? 'bad' : 'plain',
      sparkline: { values: series?.['refused'] ?? [], show: perSecond, tone: 'bad' },
    },
    { label: 'keys', text: `${plural(limit.keysInUse, 'key')} in use${more}; ${fullKeys} at the limit` },
    ...ends,
  ];
}
