/**
 * `application/x-www-form-urlencoded` as JSON and back.
 *
 * A name that occurs once is a string, one that occurs several times an array of strings; brackets and dots in names mean
 * nothing. Back, members are written in their order: an array as one pair for each item, null as an empty value, numbers and
 * booleans as JSON writes them. Objects and arrays within arrays cannot be written.
 */
import { isUtf8 } from 'node:buffer';
import { isLongNumber, type JsonValue, putMember } from '../json-text/index.js';

export interface FormLimits {
  readonly bytes: number;
  /** Pairs of name and value. */
  readonly pairs: number;
}

export const DEFAULT_FORM_LIMITS: FormLimits = { bytes: 1 << 20, pairs: 1000 };

export interface FormFault {
  readonly kind: 'encoding' | 'syntax' | 'size';
  /** A sentence for the client. */
  readonly detail: string;
}

export type FormRead =
  | { readonly value: { readonly [name: string]: string | readonly string[] }; readonly fault?: undefined }
  | { readonly fault: FormFault; readonly value?: undefined };

/**
 * Never throws. Stricter than browsers' servers: a `%` without two hexadecimal digits and bytes that are not UTF-8 are refused.
 * Empty pairs (`a=1&&b=2`) are left out; a name without `=` has an empty value.
 */
export function readForm(bytes: Uint8Array, limits: Partial<FormLimits> = {}): FormRead {
  const { bytes: maxBytes, pairs: maxPairs } = { ...DEFAULT_FORM_LIMITS, ...limits };
  if (bytes.length > maxBytes) return fault('size', `The form has more than ${maxBytes} bytes.`);
  if (!isUtf8(bytes)) return fault('encoding', 'The form is not valid UTF-8.');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const value: { [name: string]: string | string[] } = {};
  let pairs = 0;
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('&', start);
    const end = found < 0 ? text.length : found;
    if (end > start) {
      if (++pairs > maxPairs) return fault('size', `The form has more than ${maxPairs} pairs.`);
      // Not in all of the text, of which the rest would be searched for each pair.
      const pair = text.slice(start, end);
      const equals = pair.indexOf('=');
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals));
      const item = decoded(equals < 0 ? '' : pair.slice(equals + 1));
      if (name === undefined || item === undefined)
        return fault('syntax', `The form is not valid at its pair ${pairs}: its percent-encoding is wrong.`);
      add(value, name, item);
    }
    start = end + 1;
  }
  return { value };
}

const fault = (kind: FormFault['kind'], detail: string): FormRead => ({ fault: { kind, detail } });

function decoded(text: string): string | undefined {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

function add(table: { [name: string]: string | string[] }, name: string, item: string): void {
  const before = Object.hasOwn(table, name) ? table[name] : undefined;
  if (Array.isArray(before)) before.push(item);
  else putMember(table, name, before === undefined ? item : [before, item]);
}

export interface FormWriteError {
  /** A sentence for the operator: what cannot be written. */
  readonly error: string;
}

/** The text, or why there is none. Never throws. */
export function writeForm(value: JsonValue): { readonly text: string } | FormWriteError {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || isLongNumber(value))
    return { error: 'Only an object can be written as a form.' };
  let text = '';
  for (const [name, member] of Object.entries(value as { readonly [name: string]: JsonValue })) {
    for (const item of Array.isArray(member) ? (member as readonly JsonValue[]) : [member]) {
      const written = scalarText(item);
      if (written === undefined)
        return { error: `The member \`${name.slice(0, 100)}\` is no text, number or list of them.` };
      text += `${text === '' ? '' : '&'}${encoded(name)}=${encoded(written)}`;
    }
  }
  return { text };
}

function scalarText(value: JsonValue): string | undefined {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value !== 'object') return JSON.stringify(value);
  return isLongNumber(value) ? value.text : undefined;
}

/** As the URL standard serializes forms: all but letters, digits and `*-._`. */
function encoded(text: string): string {
  return encodeURIComponent(text.replace(/\p{Cs}/gu, '\ufffd'))
    .replaceAll('%20', '+')
    .replace(/[!'()~]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
