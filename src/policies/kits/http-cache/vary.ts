/** Variants of a reply, RFC 9111 section 4.1: the fields that Vary names, and a key from their values in a request. */
import { isToken } from '../../../field-syntax.js';
import { listOf, type ReadField, skipSpace, trimmed } from './fields.js';

/** Names in Vary beyond it: the reply is not stored. */
const MOST_NAMES = 16;

/** Fields that gw writes for each client or request, whatever it got: their values are not known here. */
const WRITTEN = new Set(['forwarded', 'x-forwarded-for', 'x-request-id']);

/**
 * The names in Vary, in lower case, sorted, each once; none if the field is absent. 'any' if it contains '*' or a field that gw writes,
 * is malformed or too long: the reply fits no other request.
 */
export function parseVary(field: string | undefined): readonly string[] | 'any' {
  if (field === undefined) return [];
  const names = listOf(field, MOST_NAMES);
  if (names === undefined || !names.every((name) => name !== '*' && isToken(name))) return 'any';
  const lower = names.map((name) => name.toLowerCase());
  return lower.some((name) => WRITTEN.has(name)) ? 'any' : [...new Set(lower)].sort();
}

/**
 * The values of the fields `names` in a request as text: two requests get the same text if and only if the same variant fits both.
 * An absent field differs from an empty one. The length is that of the fields: a store hashes it.
 */
export function variantKey(names: readonly string[], request: ReadField): string {
  let key = '';
  for (const name of names) {
    const value = request(name);
    // No field value contains a line break.
    key += value === undefined ? `${name}\n` : `${name}:${normalized(name, value)}\n`;
  }
  return key;
}

/** Whether the variant of `key` fits a request. */
export const matchesVariant = (names: readonly string[], key: string, request: ReadField): boolean =>
  variantKey(names, request) === key;

/** Fields that are no lists: a comma in them is part of the value, and the space after it too. */
const SINGLE = new Set([
  'authorization',
  'cookie',
  'date',
  'from',
  'host',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'origin',
  'range',
  'referer',
  'user-agent',
]);

/** A value in the form in which values of the same meaning are equal. Unknown fields keep the order and the case of their elements. */
function normalized(name: string, value: string): string {
  if (name === 'accept-encoding') return acceptedCodings(value);
  if (SINGLE.has(name)) return trimmed(value);
  const list = withoutListSpace(value);
  // Language ranges have no case, RFC 4647 section 2. Their order stays: among equal weights it may be a preference.
  return name === 'accept-language' ? list.toLowerCase() : list;
}

/** Without white space around commas outside of quoted strings, which also is what joining several lines adds. */
function withoutListSpace(value: string): string {
  let out = '';
  let begin = 0;
  let quoted = false;
  for (let at = 0; at < value.length; at++) {
    const char = value[at];
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (char === ',' && !quoted) {
      out += `${trimmed(value, begin, at)},`;
      at = skipSpace(value, at + 1) - 1;
      begin = at + 1;
    }
  }
  return out + trimmed(value, begin, value.length);
}

/**
 * Codings that the key tells apart, with their other names. A reply with another coding and Vary: Accept-Encoding is not stored, so
 * that other codings in the request need not count.
 */
const CODINGS: ReadonlyMap<string, string> = new Map([
  ...['br', 'compress', 'dcb', 'dcz', 'deflate', 'gzip', 'identity', 'zstd', '*'].map((name) => [name, name] as const),
  ['x-compress', 'compress'],
  ['x-gzip', 'gzip'],
]);
/** Elements of Accept-Encoding beyond it: the value counts as it is. */
const MOST_CODINGS = 32;

/** Whether all codings of a reply are among those that keys tell apart. */
export function knowsCodings(contentEncoding: string | undefined): boolean {
  if (contentEncoding === undefined) return true;
  const codings = listOf(contentEncoding, MOST_CODINGS);
  return codings?.every((coding) => coding !== '*' && CODINGS.has(coding.toLowerCase())) ?? false;
}

/**
 * The known codings that Accept-Encoding accepts, sorted, and those that it refuses with a minus: a bounded set of texts. Which of
 * the accepted codings is preferred is left to the origin's first reply. A malformed value counts as it is.
 */
function acceptedCodings(value: string): string {
  const elements = listOf(value, MOST_CODINGS);
  if (elements === undefined) return trimmed(value);
  const codings = new Set<string>();
  for (const element of elements) {
    const match = /^([^\s;]+)(?:[ \t]*;[ \t]*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?$/i.exec(element);
    if (match === null) return trimmed(value);
    const coding = CODINGS.get(match[1]!.toLowerCase());
    if (coding === undefined) continue;
    codings.add(match[2] !== undefined && Number(match[2]) === 0 ? `-${coding}` : coding);
  }
  return [...codings].sort().join();
}
