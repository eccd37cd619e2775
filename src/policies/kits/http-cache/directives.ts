/**
 * Cache directives, RFC 9111 section 5.2. A field is read in one pass. What cannot be read never makes a reply more storable or
 * fresher: a malformed value of a known directive counts in its strictest sense, and a field whose members cannot be told apart
 * counts as malformed as a whole.
 */
import { isToken } from '../../../field-syntax.js';
import { listOf, nextComma, type ReadField, skipSpace, skipToken } from './fields.js';

/** Members of Cache-Control beyond it make it malformed. */
const MOST_DIRECTIVES = 64;
/** Names in no-cache="..." or private="..." beyond it: the directive counts for the whole reply. */
const MOST_NAMES = 64;
/** RFC 9111 section 1.2.2: larger numbers of seconds count as this. */
export const LONGEST_S = 2_147_483_648;

/** The value of a directive that has one; true for one without. */
export type DirectiveValue = string | true;

export interface Directives {
  /**
   * By name in lower case. The first value of a directive counts. `undefined` is a value that could not be read. For no-cache and
   * private, the whole reply if any of the values says so, otherwise all the names together.
   */
  readonly values: ReadonlyMap<string, DirectiveValue | undefined>;
  /** Members could not be told apart (an open quote, too many): nothing may be concluded from what is absent. */
  readonly malformed: boolean;
}

export const NO_DIRECTIVES: Directives = { values: new Map(), malformed: false };
const MALFORMED: Directives = { values: new Map(), malformed: true };

/** Directives whose values add up instead of the first one counting: they name fields, and none of them may be lost. */
const NAMES_FIELDS = new Set(['no-cache', 'private']);

/** Reads Cache-Control of a request or reply, all values joined. */
export function readDirectives(field: string | undefined): Directives {
  if (field === undefined) return NO_DIRECTIVES;
  const values = new Map<string, DirectiveValue | undefined>();
  let count = 0;
  for (let at = skipSpace(field, 0); at < field.length; at = skipSpace(field, at + 1)) {
    if (field.charCodeAt(at) === COMMA) continue;
    if (++count > MOST_DIRECTIVES) return MALFORMED;
    const member = readMember(field, at);
    if (member === undefined) return MALFORMED;
    if (member.name !== '') addTo(values, member.name.toLowerCase(), member.value);
    at = member.end;
  }
  return { values, malformed: false };
}

const COMMA = 0x2c;
const QUOTE = 0x22;
const EQUALS = 0x3d;

interface Member {
  readonly name: string;
  readonly value: DirectiveValue | undefined;
  /** The position of the comma after it, or the end. */
  readonly end: number;
}

/** The member that begins at `from`; undefined if its end cannot be told. */
function readMember(field: string, from: number): Member | undefined {
  const nameEnd = skipToken(field, from);
  const name = field.slice(from, nameEnd);
  let at = nameEnd;
  let value: DirectiveValue | undefined = true;
  if (nameEnd > from && field.charCodeAt(at) === EQUALS) {
    if (field.charCodeAt(at + 1) === QUOTE) {
      const quoted = readQuoted(field, at + 1);
      if (quoted === undefined) return undefined;
      ({ value, end: at } = quoted);
    } else {
      const end = skipToken(field, at + 1);
      value = end > at + 1 ? field.slice(at + 1, end) : undefined;
      at = end;
    }
  }
  const rest = skipSpace(field, at);
  if (rest >= field.length || field.charCodeAt(rest) === COMMA) return { name, value, end: rest };
  // Something follows that the grammar does not allow, such as a space around '='. A quote in it could hide commas, and it must not
  // hide a directive, as in `max-age=60; private`.
  const end = nextComma(field, rest);
  const more = field.slice(rest, end);
  return more.includes('"') || FORBIDS.test(more) ? undefined : { name, value: undefined, end };
}

/** A directive without which a reply would be used more freely. */
const FORBIDS = /(?:^|[^\w-])(?:no-store|no-cache|private|(?:must|proxy)-revalidate)(?![\w-])/i;

/** A quoted string that begins at `from`, RFC 9110 section 5.6.4; undefined if it does not end. */
function readQuoted(field: string, from: number): { readonly value: string; readonly end: number } | undefined {
  let escaped = false;
  for (let at = from + 1; at < field.length; at++) {
    const char = field[at];
    if (char === '\\') {
      escaped = true;
      at++;
    } else if (char === '"') {
      const text = field.slice(from + 1, at);
      return { value: escaped ? text.replace(/\\(.)/gs, '$1') : text, end: at + 1 };
    }
  }
  return undefined;
}

function addTo(values: Map<string, DirectiveValue | undefined>, name: string, value: DirectiveValue | undefined): void {
  if (!values.has(name)) values.set(name, value);
  else if (NAMES_FIELDS.has(name)) {
    const present = values.get(name);
    const both = typeof present === 'string' && typeof value === 'string';
    values.set(name, both ? `${present},${value}` : true);
  }
}

/** Whether the directive is there, with or without a value: for those that forbid something. */
export const hasDirective = ({ values }: Directives, name: string): boolean => values.has(name);

/** Whether the directive is there without a value: for those that allow something and define no value. */
export const hasFlag = ({ values }: Directives, name: string): boolean => values.get(name) === true;

/**
 * The milliseconds of a directive with seconds, RFC 9111 section 1.2.2: undefined if it is absent, 'invalid' if its value is no
 * number of seconds.
 */
export function spanOf({ values }: Directives, name: string): number | 'invalid' | undefined {
  if (!values.has(name)) return undefined;
  return secondsOf(values.get(name)) ?? 'invalid';
}

function secondsOf(value: DirectiveValue | undefined): number | undefined {
  if (typeof value !== 'string' || !/^\d+$/.test(value)) return undefined;
  return Math.min(Number(value), LONGEST_S) * 1000;
}

/**
 * The fields that no-cache="..." or private="..." names, in lower case; 'all' if it is meant for the whole reply (also if the names
 * cannot be read); undefined if the directive is absent. RFC 9111 sections 5.2.2.4 and 5.2.2.7.
 */
export function namedFields(
  { values }: Directives,
  name: 'no-cache' | 'private',
): readonly string[] | 'all' | undefined {
  if (!values.has(name)) return undefined;
  const value = values.get(name);
  const names = typeof value === 'string' ? listOf(value, MOST_NAMES) : undefined;
  if (names === undefined || names.length === 0 || !names.every(isToken)) return 'all';
  return names.map((one) => one.toLowerCase());
}

/**
 * The directives of a request. Pragma: no-cache counts as no-cache if there is no Cache-Control, RFC 9111 section 5.4. A malformed
 * Cache-Control counts as no-cache: the client wanted something that is not known.
 */
export function requestDirectives(read: ReadField): Directives {
  const field = read('cache-control');
  if (field !== undefined) {
    const directives = readDirectives(field);
    return directives.malformed ? ONLY_NO_CACHE : directives;
  }
  const pragma = read('pragma');
  if (pragma === undefined) return NO_DIRECTIVES;
  return hasDirective(readDirectives(pragma), 'no-cache') ? ONLY_NO_CACHE : NO_DIRECTIVES;
}

const ONLY_NO_CACHE: Directives = { values: new Map([['no-cache', true]]), malformed: false };
