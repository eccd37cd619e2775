/**
 * Text for a terminal. Paths, header values and messages come from clients: none of it may move the cursor, change colours
 * or reorder a line, and every cell must be as wide as the table assumes.
 */
import stringWidth from 'string-width';

const PLAIN = /^[\x20-\x7e]*$/;
/** Controls, format characters (bidi overrides, joiners), lone surrogates, private and unassigned code points, breaks. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/gu;
/** Terminals disagree on how wide a character with a variation selector is. */
const SELECTORS = /[\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]/gu;
/** More combining marks than any script uses on one character. */
const STACKED = /(\p{M}{3})\p{M}+/gu;

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x1b': '\\e', '\0': '\\0' };

function escapeCharacter(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return `\\u{${code.toString(16)}}`;
}

/** The same text with everything that a terminal would act on made visible (`\e[31m`, `\u{202e}`); one line always. */
export function clean(text: string): string {
  if (PLAIN.test(text)) return text;
  return text.replace(SELECTORS, '').replace(UNSAFE, escapeCharacter).replace(STACKED, '$1');
}

/** For terminals without UTF-8: what is not ASCII becomes `?`, one for each character seen. */
export function toAscii(text: string): string {
  if (PLAIN.test(text)) return text;
  let out = '';
  for (const { segment } of segmenter.segment(text)) out += PLAIN.test(segment) ? segment : '?';
  return out;
}

/** Columns that cleaned text takes. */
export function width(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

const segmenter = new Intl.Segmenter();

function take(text: string, columns: number): string {
  if (PLAIN.test(text)) return text.slice(0, columns);
  let used = 0;
  let out = '';
  for (const { segment } of segmenter.segment(text)) {
    const next = stringWidth(segment);
    if (used + next > columns) break;
    used += next;
    out += segment;
  }
  return out;
}

function takeEnd(text: string, columns: number): string {
  if (PLAIN.test(text)) return columns === 0 ? '' : text.slice(-columns);
  const segments = [...segmenter.segment(text)].map((part) => part.segment);
  let used = 0;
  let start = segments.length;
  while (start > 0) {
    const next = stringWidth(segments[start - 1] ?? '');
    if (used + next > columns) break;
    used += next;
    start--;
  }
  return segments.slice(start).join('');
}

/** At most `columns` wide; what is cut off shows as `mark`. `keep: 'end'` cuts at the front (paths). */
export function truncate(text: string, columns: number, mark = '…', keep: 'start' | 'end' = 'start'): string {
  if (columns <= 0) return '';
  // A cell never shows more than its columns, so a megabyte of path costs no more than a screenful to measure.
  const most = columns * 8 + 64;
  const long = text.length > most;
  const safe = clean(long ? (keep === 'start' ? text.slice(0, most) : text.slice(-most)) : text);
  if (!long && width(safe) <= columns) return safe;
  const markWidth = width(mark);
  if (markWidth >= columns) return take(mark, columns);
  return keep === 'start' ? take(safe, columns - markWidth) + mark : mark + takeEnd(safe, columns - markWidth);
}

export interface FitOptions {
  readonly align?: 'left' | 'right';
  readonly mark?: string;
  readonly keep?: 'start' | 'end';
}

/** Exactly `columns` wide: cut or padded. */
export function fit(text: string, columns: number, options: FitOptions = {}): string {
  const cut = truncate(text, columns, options.mark, options.keep);
  const gap = ' '.repeat(Math.max(0, columns - width(cut)));
  return options.align === 'right' ? gap + cut : cut + gap;
}

/** Breaks a long text into lines of at most `columns`, between words where one ends in the second half of a line. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let rest = clean(text);
  if (columns <= 0) return lines;
  while (width(rest) > columns) {
    const most = take(rest, columns);
    if (most === '') break;
    const space = rest[most.length] === ' ' ? most.length : most.lastIndexOf(' ');
    const head = space > columns / 2 ? rest.slice(0, space) : most;
    lines.push(head);
    rest = rest.slice(head.length).replace(/^ /, '');
  }
  lines.push(rest);
  return lines;
}
