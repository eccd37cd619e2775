/** What all parts of the kit say about messages: fields as a function or as a list, and the elements of a list field. */
import { TOKEN } from '../../../field-syntax.js';

/** The value of a field, all values joined with ', '; `name` in lower case. Undefined if the field is absent. */
export type ReadField = (name: string) => string | undefined;

/** Fields in order, names in lower case; plain data, as they are stored with a reply. */
export type FieldList = readonly (readonly [name: string, value: string])[];

/** Reads a list: all values of a field joined. */
export function readFrom(fields: FieldList): ReadField {
  return (name) => {
    let joined: string | undefined;
    for (const [key, value] of fields) if (key === name) joined = joined === undefined ? value : `${joined}, ${value}`;
    return joined;
  };
}

const SPACE = 0x20;
const TAB = 0x09;
const COMMA = 0x2c;

/**
 * The elements of a list without quoted strings, RFC 9110 section 5.6.1, without white space around them and without empty ones.
 * Undefined for more than `most`.
 */
export function listOf(value: string, most: number): string[] | undefined {
  const found: string[] = [];
  for (let at = 0; at <= value.length; ) {
    let end = value.indexOf(',', at);
    if (end < 0) end = value.length;
    const element = trimmed(value, at, end);
    if (element !== '') {
      if (found.length >= most) return undefined;
      found.push(element);
    }
    at = end + 1;
  }
  return found;
}

/** The characters from `start` to `end` without spaces and tabs around them. */
export function trimmed(text: string, start = 0, end = text.length): string {
  let [from, to] = [start, end];
  while (from < to && isSpace(text.charCodeAt(from))) from++;
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

export const isSpace = (char: number): boolean => char === SPACE || char === TAB;

/** The position after spaces and tabs. */
export function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** The position after the token that begins at `from`; `from` if none does. */
export function skipToken(text: string, from: number): number {
  let at = from;
  while (at < text.length && TOKEN[text.charCodeAt(at)] === 1) at++;
  return at;
}

/** The position of the next comma, or the end. */
export function nextComma(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charCodeAt(at) !== COMMA) at++;
  return at;
}
