/** One line of source with a mark under a span. Handles tabs, wide characters, control bytes and very long lines. */
import type { Span } from '../../schema/diagnostic.js';
import { secretRanges } from './masked.js';
import { displayWidth } from './width.js';

export interface Frame {
  readonly line: number;
  readonly source: string;
  /** Spaces, then the marks. */
  readonly mark: string;
}

/** Maximum columns of source in a frame if the terminal width is unknown. */
export const WIDEST = 100;
/** UTF-16 units around the span that are read: a line may be a whole large file. */
const NEARBY = 400;
/** UTF-16 units before these that may hold the beginning of a secret. */
const LONGEST_SECRET = 2000;
/** Columns to keep after the start of the mark; with less room, the beginning of the line is cut off. */
const ROOM_AFTER = 30;
const TAB = 4;

interface Cell {
  readonly text: string;
  readonly width: number;
  readonly marked: boolean;
}

/** Source ranges of one file that must not be printed. */
export class Secrets {
  /** Sorted, without overlaps. */
  readonly #places: { readonly start: number; end: number }[] = [];

  constructor(spans: readonly Span[]) {
    const places = spans.map(({ start, end }) => ({ start: start.offset, end: end.offset }));
    for (const place of places.sort((a, b) => a.start - b.start)) {
      const last = this.#places.at(-1);
      if (last && place.start <= last.end) last.end = Math.max(last.end, place.end);
      else this.#places.push(place);
    }
  }

  has(offset: number): boolean {
    let [low, high] = [0, this.#places.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#places[middle]!.end <= offset) low = middle + 1;
      else high = middle;
    }
    const place = this.#places[low];
    return place !== undefined && place.start <= offset;
  }
}

const NO_SECRETS = new Secrets([]);

/** Draws the line of `span` with a mark below. `secrets` are masked. Reads only the text near the span. */
export function frameOf(text: string, span: Span, mark: string, secrets = NO_SECRETS, widest = WIDEST): Frame {
  const start = Math.min(span.start.offset, text.length);
  const before = text.slice(Math.max(0, start - NEARBY - 1), start);
  const lineBreak = before.lastIndexOf('\n') + 1 + start - before.length;
  // A byte order mark is not shown.
  const lineStart = lineBreak === 0 && start > 0 && text.startsWith('\ufeff') ? 1 : lineBreak;
  const beyond = start + 2 * NEARBY;
  const found = text.slice(start, beyond + 1).indexOf('\n');
  // If no line end is near, the line ends beyond the visible part.
  const lineEnd = found === -1 ? Math.min(text.length, beyond + 1) : start + found;
  const end = Math.min(Math.max(span.end.offset, start), lineEnd);
  const from = Math.max(lineStart, start - NEARBY);
  const to = Math.min(lineEnd, Math.max(start + NEARBY, Math.min(end, start + NEARBY) + NEARBY));
  const readFrom = Math.max(lineStart, from - LONGEST_SECRET);
  const masked = secretRanges(text.slice(readFrom, to)).map(
    ([first, last]) => [first + readFrom, last + readFrom] as const,
  );
  const cells = cellsOf(
    text.slice(from, to).replace(/\r$/, ''),
    start - from,
    end - from,
    (index) =>
      secrets.has(index + from) || masked.some(([first, last]) => first <= index + from && index + from < last),
  );
  const window = windowOf(cells, from > lineStart, to < lineEnd, widest);
  return { line: span.start.line, ...draw(window, mark) };
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

function cellsOf(text: string, start: number, end: number, isSecret: (index: number) => boolean): Cell[] {
  const cells: Cell[] = [];
  let column = 0;
  for (const { segment, index } of graphemes.segment(text)) {
    const marked = index >= start && index < end;
    const shown = isSecret(index) ? '•' : display(segment, column);
    const width = displayWidth(shown);
    cells.push({ text: shown, width, marked });
    column += width;
  }
  // An empty span, or one after the end of the line, still gets a mark of one column.
  if (!cells.some(({ marked }) => marked)) {
    let at = 0;
    let index = 0;
    for (const { segment } of graphemes.segment(text)) {
      if (at >= start) break;
      at += segment.length;
      index++;
    }
    const cell = cells[index];
    if (cell) cells[index] = { ...cell, marked: true };
    else cells.push({ text: ' ', width: 1, marked: true });
  }
  return cells;
}

function display(grapheme: string, column: number): string {
  if (grapheme === '\t') return ' '.repeat(TAB - (column % TAB));
  return plainText(grapheme);
}

/** Characters that control a terminal or reorder text; they are shown as escapes. */
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text that is safe to print: control characters are escaped, newlines and tabs are kept. */
export const plainText = (text: string): string =>
  text.replace(CONTROL, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** The cells around the mark that fit, with an ellipsis at each cut. */
function windowOf(cells: readonly Cell[], cutBefore: boolean, cutAfter: boolean, widest: number): Cell[] {
  if (widthOf(cells) <= widest && !cutBefore && !cutAfter) return [...cells];
  const first = Math.max(
    0,
    cells.findIndex(({ marked }) => marked),
  );
  let from = cutBefore || widthOf(cells.slice(0, first + 1)) > widest - ROOM_AFTER ? first : 0;
  for (let room = widest / 4; from > 0 && room >= cells[from - 1]!.width; from--) room -= cells[from - 1]!.width;
  let to = from;
  for (let room = widest; to < cells.length && room >= cells[to]!.width; to++) room -= cells[to]!.width;
  const ellipsis: Cell = { text: '…', width: 1, marked: false };
  return [
    ...(from > 0 || cutBefore ? [ellipsis] : []),
    ...cells.slice(from, to),
    ...(to < cells.length || cutAfter ? [ellipsis] : []),
  ];
}

const widthOf = (cells: readonly Cell[]): number => cells.reduce((sum, { width }) => sum + width, 0);

function draw(cells: readonly Cell[], mark: string): { source: string; mark: string } {
  const source = cells.map(({ text }) => text).join('');
  const marks = cells.map(({ width, marked }) => (marked ? mark : ' ').repeat(width)).join('');
  return { source: source.trimEnd(), mark: marks.trimEnd() };
}
