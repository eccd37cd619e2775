/** Edits that rules offer as fixes. */
import type { Edit, Position, Span } from '../schema/diagnostic.js';
import type { Model } from '../spec/model.js';

/** Takes an item out of the array that it stands in, with the comma that goes with it. Undefined: its file is unknown. */
export function removeItem(model: Model, span: Span): Edit | undefined {
  const text = model.files.find((file) => file.path === span.file)?.text;
  if (text === undefined) return undefined;
  let start = span.start.offset;
  let end = span.end.offset;
  const after = /^\s*,[ \t]*/.exec(text.slice(end));
  const before = commaBefore(text.slice(0, start));
  if (before) start -= before[0].length;
  else if (after) end += after[0].length;
  return { span: { file: span.file, start: positionAt(text, start), end: positionAt(text, end) }, text: '' };
}

/** A comma at the end of the text with the space behind it; not one of a comment, which only ends with its line. */
function commaBefore(text: string): RegExpExecArray | undefined {
  const found = /,\s*$/.exec(text);
  if (found === null) return undefined;
  if (!found[0].includes('\n')) return found;
  const line = text.slice(text.lastIndexOf('\n', found.index) + 1, found.index);
  return line.includes('#') ? undefined : found;
}

/** Line and column of an offset. */
export function positionAt(text: string, offset: number): Position {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1;
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < lineStart; at = text.indexOf('\n', at + 1)) line++;
  return { offset, line, column: offset - lineStart + 1 };
}

/** The span of `part` where it stands literally inside `span`; all of `span` where it does not (escapes). */
export function spanWithin(model: Model, span: Span, part: string): Span {
  const text = model.files.find((file) => file.path === span.file)?.text;
  const at = text?.slice(span.start.offset, span.end.offset).indexOf(part) ?? -1;
  if (text === undefined || at < 0) return span;
  const start = span.start.offset + at;
  return { file: span.file, start: positionAt(text, start), end: positionAt(text, start + part.length) };
}
