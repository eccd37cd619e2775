/** Lists longer than the screen: which part shows, and where a step leads. */

/** The selected row of a list (by identity, so that it follows its row), and the first row shown. */
export interface Cursor {
  readonly id: string | undefined;
  readonly offset: number;
}

export const TOP: Cursor = { id: undefined, offset: 0 };

export interface Identified {
  readonly id: string;
}

/** Where the cursor's row is now; -1 when nothing is selected or the row is gone. */
export function indexOf(rows: readonly Identified[], cursor: Cursor): number {
  return cursor.id === undefined ? -1 : rows.findIndex((row) => row.id === cursor.id);
}

/** First row to show so that `selected` (or none: -1) is among `size` rows and no row is left empty without need. */
export function offsetFor(length: number, size: number, selected: number, offset: number): number {
  let first = offset;
  if (selected >= 0) {
    if (selected < first) first = selected;
    else if (selected >= first + size) first = selected - size + 1;
  }
  return Math.max(0, Math.min(first, length - size));
}

/** Moves the cursor by `delta` rows (Infinity: to an end). From nothing selected, a step lands on the first row shown. */
export function move(rows: readonly Identified[], cursor: Cursor, delta: number, size: number): Cursor {
  if (rows.length === 0) return TOP;
  const now = indexOf(rows, cursor);
  const start = offsetFor(rows.length, size, now, cursor.offset);
  const wanted = now === -1 ? (Number.isFinite(delta) ? start + (delta > 0 ? delta - 1 : 0) : delta) : now + delta;
  const next = Math.max(0, Math.min(rows.length - 1, wanted));
  return { id: rows[next]?.id, offset: offsetFor(rows.length, size, next, start) };
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly first: number;
  readonly total: number;
  /** Index within `rows`; -1 when the selected row is not shown or there is none. */
  readonly selected: number;
}

/** The rows to draw. */
export function page<Row extends Identified>(rows: readonly Row[], cursor: Cursor, size: number): Page<Row> {
  const selected = indexOf(rows, cursor);
  const first = offsetFor(rows.length, size, selected, cursor.offset);
  return {
    rows: rows.slice(first, first + Math.max(0, size)),
    first,
    total: rows.length,
    selected: selected === -1 ? -1 : selected - first,
  };
}
