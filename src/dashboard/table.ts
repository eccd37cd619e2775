/** Tables: which columns fit, how wide each is, and the lines. */
import { count, plural } from './format.js';
import { cell, inverse, type Line, type Span, span } from './line.js';
import type { Theme, Tone } from './theme.js';

export interface Column<Row> {
  readonly title: string;
  /** Its least width; the title has to fit. */
  readonly min: number;
  readonly align?: 'left' | 'right';
  /** Share of the room that is left over. Without it the width is `min`. */
  readonly grow?: number;
  /** Where growing ends. */
  readonly max?: number;
  /** When not all fit, the greatest goes first; columns without it stay. */
  readonly spare?: number;
  /** Paths and addresses are cut at their front. */
  readonly keep?: 'start' | 'end';
  readonly cell: (row: Row) => string | readonly [text: string, tone: Tone];
  /** Instead of `cell`, for what is more than text: a line of exactly `columns`. */
  readonly draw?: (row: Row, columns: number) => Line;
}

/** A cell with a count; zero is dimmed. */
export const counted = (value: number, tone: Tone): readonly [text: string, tone: Tone] => [
  count(value),
  value > 0 ? tone : 'dim',
];

export interface Placed<Row> {
  readonly column: Column<Row>;
  readonly width: number;
}

const GAP = 1;
/** Columns of the marker of the selected row. */
const MARKER = 2;

/** Chooses the columns that fit into `columns` and gives each its width. */
export function place<Row>(all: readonly Column<Row>[], columns: number): Placed<Row>[] {
  const need = (list: readonly Column<Row>[]): number =>
    MARKER + list.reduce((sum, column) => sum + column.min, 0) + GAP * Math.max(0, list.length - 1);
  let kept = [...all];
  while (need(kept) > columns) {
    const spare = kept.reduce<Column<Row> | undefined>(
      (most, column) => (column.spare !== undefined && column.spare > (most?.spare ?? 0) ? column : most),
      undefined,
    );
    if (!spare) break;
    kept = kept.filter((column) => column !== spare);
  }
  const widths = kept.map((column) => column.min);
  let left = columns - need(kept);
  // Round by round, since a column that reaches its greatest width leaves the rest to others.
  for (let growing = left > 0; growing; ) {
    growing = false;
    const open = kept.flatMap((column, index) =>
      column.grow && (widths[index] ?? 0) < (column.max ?? Number.POSITIVE_INFINITY) ? [index] : [],
    );
    const shares = open.reduce((sum, index) => sum + (kept[index]?.grow ?? 0), 0);
    const round = left;
    for (const index of open) {
      const column = kept[index];
      if (!column || left <= 0) break;
      const now = widths[index] ?? 0;
      const wanted = Math.max(1, Math.floor((round * (column.grow ?? 0)) / shares));
      const added = Math.min(wanted, left, (column.max ?? Number.POSITIVE_INFINITY) - now);
      widths[index] = now + added;
      left -= added;
      growing ||= added > 0 && left > 0;
    }
  }
  return kept.map((column, index) => ({ column, width: widths[index] ?? column.min }));
}

/** Titles; the sorted column's carries the direction. */
export function headerLine<Row>(
  placed: readonly Placed<Row>[],
  theme: Theme,
  sorted?: { readonly title: string; readonly reverse: boolean },
): Line {
  const spans: Span[] = [span(' '.repeat(MARKER))];
  for (const [index, { column, width: columns }] of placed.entries()) {
    if (index > 0) spans.push(span(' '.repeat(GAP)));
    const own = sorted?.title === column.title;
    const mark = own ? (sorted.reverse ? theme.glyphs.ascending : theme.glyphs.descending) : '';
    spans.push(
      cell(column.title + mark, columns, theme, { align: column.align ?? 'left', tone: own ? 'accent' : 'dim' }),
    );
  }
  return spans;
}

export function rowLine<Row>(placed: readonly Placed<Row>[], row: Row, selected: boolean, theme: Theme): Line {
  const spans: Span[] = [span(selected ? theme.glyphs.marker.padEnd(MARKER) : ' '.repeat(MARKER), 'accent')];
  for (const [index, { column, width: columns }] of placed.entries()) {
    if (index > 0) spans.push(span(' '.repeat(GAP)));
    if (column.draw) {
      spans.push(...column.draw(row, columns));
      continue;
    }
    const made = column.cell(row);
    const [text, tone] = typeof made === 'string' ? ([made, 'plain'] as const) : made;
    spans.push(cell(text, columns, theme, { align: column.align ?? 'left', keep: column.keep ?? 'start', tone }));
  }
  return selected ? inverse(spans) : spans;
}

/** `1-12 of 240 routes`, for under a table. */
export function rangeText(first: number, shown: number, total: number, word: string): string {
  if (total === 0) return `no ${word}s`;
  if (shown >= total) return plural(total, word);
  return `${first + 1}-${first + shown} of ${total} ${word}s`;
}
