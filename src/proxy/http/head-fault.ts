/** Why the parser refused a head, as a phrase for the log. Runs after the refusal, so it may read the bytes again. */
import { COLON, CR, HTAB, LF, SP } from './chars.js';

/** Most characters of a name in a phrase. */
const MAX_NAME = 64;

/** The kinds of refused requests; the slugs of docs/errors.md. */
export type RequestFault =
  | 'request/malformed'
  | 'request/host'
  | 'request/field-name'
  | 'request/target-too-long'
  | 'request/head-too-large'
  | 'request/expectation'
  | 'request/not-implemented'
  | 'request/version';

/** A listener's limits for heads. */
export interface HeadLimits {
  readonly maxHeaderBytes: number;
  readonly maxHeaders: number;
  readonly maxTargetBytes: number;
  readonly underscores: 'refuse-aliases' | 'refuse' | 'drop' | 'keep';
}

/** Names the byte at offset `at`. */
export function byteText(text: string, at: number): string {
  const code = text.charCodeAt(at);
  if (Number.isNaN(code)) return 'unexpected end';
  if (code === CR) return 'CR without LF';
  if (code === LF) return 'LF without CR';
  return `byte 0x${code.toString(16).padStart(2, '0')}`;
}

/** Why the field line that begins at `line` is invalid at `at`. */
export function lineFault(text: string, line: number, at: number): string {
  const colon = text.indexOf(':', line);
  if (colon > line && colon < at) return `${byteText(text, at)} in the value of field ${nameText(text, line, colon)}`;
  const code = text.charCodeAt(at);
  if (code === SP || code === HTAB) {
    if (at === line) return 'folded line: space at the beginning of a field line';
    let next = at;
    while (text.charCodeAt(next) === SP || text.charCodeAt(next) === HTAB) next++;
    if (text.charCodeAt(next) === COLON) return `space before the colon of field ${nameText(text, line, at)}`;
  }
  if (code === COLON) return 'field without a name';
  return `${byteText(text, at)} in the name of a field`;
}

/** The name text[start, end), shortened if it is long. */
export function nameText(text: string, start: number, end: number): string {
  return end - start <= MAX_NAME ? text.slice(start, end) : `${text.slice(start, start + MAX_NAME)}...`;
}
