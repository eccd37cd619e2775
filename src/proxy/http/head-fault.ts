/** Why a head was refused, in words for the log: a second look at the bytes, once the parser has refused them. */
import { COLON, CR, HTAB, LF, SP } from './chars.js';

/** Characters of a name that are shown. */
const MAX_NAME = 64;

/** The byte at `at` of a text, as a reader of the log knows it. */
export function byteText(text: string, at: number): string {
  const code = text.charCodeAt(at);
  if (Number.isNaN(code)) return 'unexpected end';
  if (code === CR) return 'CR without LF';
  if (code === LF) return 'LF without CR';
  return `byte 0x${code.toString(16).padStart(2, '0')}`;
}

/** What is wrong at `at` with the field line that begins at `line`. */
export function lineFault(text: string, line: number, at: number): string {
  const colon = text.indexOf(':', line);
  if (colon > line && colon < at) return `${byteText(text, at)} in the value of field ${nameText(text, line, colon)}`;
  const code = text.charCodeAt(at);
  if (code === SP || code === HTAB) {
    if (at === line) return 'folded line: space at the begin of a field line';
    let next = at;
    while (text.charCodeAt(next) === SP || text.charCodeAt(next) === HTAB) next++;
    if (text.charCodeAt(next) === COLON) return `space before the colon of field ${nameText(text, line, at)}`;
  }
  if (code === COLON) return 'field without a name';
  return `${byteText(text, at)} in the name of a field`;
}

/** The name text[start, end), which the parser has read as one. */
export function nameText(text: string, start: number, end: number): string {
  return end - start <= MAX_NAME ? text.slice(start, end) : `${text.slice(start, start + MAX_NAME)}...`;
}
