/** Edits that rules offer as fixes. */
import type { Edit, Position, Span } from '../schema/diagnostic.js';
import type { Model } from '../spec/model.js';
import { valueOffsets } from '../spec/string-offsets.js';

/** Removes an item from its array, including its comma. Undefined if the file is unknown. */
export function removeItem(model: Model, span: Span): Edit | undefined {
  const text = model.files.find((file) => file.path === span.file)?.text;
  if (text === undefined) return undefined;
  const before = commaBefore(text, span.start.offset);
  const start = before ?? span.start.offset;
  let end = span.end.offset;
  if (before === undefined) {
    COMMA_AFTER.lastIndex = end;
    end += COMMA_AFTER.exec(text)?.[0].length ?? 0;
  }
  const place = { file: span.file, start: positionAt(text, start, span.start), end: positionAt(text, end, span.end) };
  return { span: place, text: '' };
}

const COMMA_AFTER = /\s*,[ \t]*/y;

/** Offset of the comma before `end` with only space between; commas in comments do not count. */
function commaBefore(text: string, end: number): number | undefined {
  let at = end - 1;
  let sameLine = true;
  for (; at >= 0 && /\s/.test(text[at]!); at--) if (text[at] === '\n') sameLine = false;
  if (text[at] !== ',') return undefined;
  if (sameLine) return at;
  const line = text.slice(text.lastIndexOf('\n', at) + 1, at);
  return line.includes('#') ? undefined : at;
}

const BEGINNING: Position = { offset: 0, line: 1, column: 1 };

/** Line and column of an offset. Scans only the text between it and the `known` position. */
export function positionAt(text: string, offset: number, known: Position = BEGINNING): Position {
  let { line } = known;
  let lineStart = known.offset - known.column + 1;
  while (offset < lineStart) {
    line--;
    lineStart = lineStart < 2 ? 0 : text.lastIndexOf('\n', lineStart - 2) + 1;
  }
  for (let at = known.offset; at < offset; at++) {
    if (text[at] !== '\n') continue;
    line++;
    lineStart = at + 1;
  }
  return { offset, line, column: offset - lineStart + 1 };
}

/** The span of `part` inside `span`; all of `span` if the source spells it differently (escapes). */
export function spanWithin(model: Model, span: Span, part: string): Span {
  const text = model.files.find((file) => file.path === span.file)?.text;
  const at = text?.slice(span.start.offset, span.end.offset).indexOf(part) ?? -1;
  if (text === undefined || at < 0) return span;
  const start = span.start.offset + at;
  const first = positionAt(text, start, span.start);
  return { file: span.file, start: first, end: positionAt(text, start + part.length, first) };
}

/** The span of the part start..end of the string `value`, whose span is given; all of it if its source is not known. */
export function spanOfPart(model: Model, span: Span, value: string, start: number, end: number): Span {
  const text = model.files.find((file) => file.path === span.file)?.text;
  const offsets = text && valueOffsets(text.slice(span.start.offset, span.end.offset), value);
  if (!offsets) return span;
  const first = positionAt(text, span.start.offset + offsets(start), span.start);
  return { file: span.file, start: first, end: positionAt(text, span.start.offset + offsets(end), first) };
}
