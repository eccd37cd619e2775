/**
 * The only path normalisation (RFC 3986 section 6.2.2, with safe refusals): the compiler applies it to literals, the
 * proxy and explain to requests. docs/path-normalisation.md describes it for users.
 */
import type { NormalizeEntry } from './types.js';

/** Classes of raw bytes in a path. */
const PLAIN = 0;
const SLASH = 1;
const PERCENT = 2;
/** Not allowed raw by RFC 3986 but sent by clients; percent-encoded, so that one path has one form. */
const ENCODE = 3;
const REFUSE = 4;

const RAW = classifyRaw();

function classifyRaw(): Uint8Array {
  const classes = new Uint8Array(128).fill(REFUSE);
  const mark = (text: string, kind: number): void => {
    for (let i = 0; i < text.length; i++) classes[text.charCodeAt(i)] = kind;
  };
  mark('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~', PLAIN);
  mark("!$&'()*+,;=:@", PLAIN);
  mark('"<>[]^`{|}', ENCODE);
  classes[0x2f] = SLASH;
  classes[0x25] = PERCENT;
  return classes;
}

const UNRESERVED = /^[A-Za-z0-9\-._~]$/;
const DOT = 0x2e;

/**
 * The normal form of a request path; undefined if the request must be refused (400). A normal path is returned as the same
 * string after one scan. Idempotent; the result contains no dot segments. An empty path is `/` (RFC 3986 section 6.2.3).
 * `rules.trailingSlash` has no effect here: only the matcher uses it.
 */
export function normalizePath(path: string, rules: NormalizeEntry): string | undefined {
  const length = path.length;
  if (length === 0) return '/';
  if (path.charCodeAt(0) !== 0x2f) return undefined;
  let afterSlash = true;
  for (let i = 1; i < length; i++) {
    const code = path.charCodeAt(i);
    if (code >= 128) return undefined;
    switch (RAW[code]) {
      case PLAIN:
        if (afterSlash && code === DOT) return rebuild(path, rules);
        afterSlash = false;
        break;
      case SLASH:
        if (afterSlash && rules.doubleSlashes !== 'keep') return rebuild(path, rules);
        afterSlash = true;
        break;
      case REFUSE:
        return undefined;
      default:
        return rebuild(path, rules);
    }
  }
  return path;
}

function rebuild(path: string, rules: NormalizeEntry): string | undefined {
  const raw = path.split('/');
  const kept: string[] = [];
  for (let i = 1; i < raw.length; i++) {
    const last = i === raw.length - 1;
    const segment = normalizeSegment(raw[i]!, rules);
    if (segment === undefined) return undefined;
    if (segment === '.' || segment === '..') {
      if (rules.dotSegments === 'refuse') return undefined;
      if (segment === '..' && kept.pop() === undefined) return undefined;
      if (last) kept.push('');
    } else if (segment === '' && !last) {
      if (rules.doubleSlashes === 'refuse') return undefined;
      if (rules.doubleSlashes === 'keep') kept.push('');
    } else {
      kept.push(segment);
    }
  }
  const result = `/${kept.join('/')}`;
  return result === path ? path : result;
}

function normalizeSegment(segment: string, rules: NormalizeEntry): string | undefined {
  let out = '';
  for (let i = 0; i < segment.length; i++) {
    const code = segment.charCodeAt(i);
    const kind = code < 128 ? RAW[code] : REFUSE;
    if (kind === REFUSE) return undefined;
    if (kind === PLAIN) {
      out += segment[i];
    } else if (kind === ENCODE) {
      out += percent(code);
    } else {
      const byte = hexByte(segment, i + 1);
      if (byte < 0 || byte < 0x20 || byte === 0x7f) return undefined;
      if ((byte === 0x2f || byte === 0x5c) && rules.encodedSlashes === 'refuse') return undefined;
      const char = String.fromCharCode(byte);
      out += UNRESERVED.test(char) ? char : percent(byte);
      i += 2;
    }
  }
  return hidesDotSegment(out) ? undefined : out;
}

/**
 * Whether a segment is a disguised dot segment. Some targets treat a kept `%2F` or `%5C` as a slash, and servlet containers
 * treat `..;x` as `..`, also `..%3Bx` behind a proxy that decodes paths. The caller resolves a plain `.` or `..`.
 */
function hidesDotSegment(segment: string): boolean {
  if (segment.charCodeAt(0) !== DOT && !segment.includes('%')) return false;
  if (segment === '.' || segment === '..') return false;
  return segment.split(/%2F|%5C/).some((piece) => /^\.{1,2}(;|%3B|$)/.test(piece));
}

/**
 * Why normalizePath() refuses a path, as a short phrase with rule and place; undefined if it does not.
 * Only for logs and explain.
 */
export function refusedBecause(path: string, rules: NormalizeEntry): string | undefined {
  if (normalizePath(path, rules) !== undefined) return undefined;
  if (path.charCodeAt(0) !== 0x2f) return 'the path does not begin with a slash';
  let depth = 0;
  let at = 1;
  const segments = path.slice(1).split('/');
  for (const [index, raw] of segments.entries()) {
    const last = index === segments.length - 1;
    const fault = segmentFault(raw, at, rules);
    if (fault !== undefined) return fault;
    const segment = normalizeSegment(raw, rules);
    const shown = `\`${excerpt(raw)}\` at byte ${at} of the path`;
    if (segment === undefined) return `a disguised dot segment: ${shown}`;
    if (segment === '.' || segment === '..') {
      if (rules.dotSegments === 'refuse') return `dot_segments = "refuse": ${shown}`;
      if (segment === '..' && --depth < 0) return `a dot segment that leads above the root: ${shown}`;
    } else if (segment === '' && !last) {
      if (rules.doubleSlashes === 'refuse')
        return `double_slashes = "refuse": an empty segment at byte ${at} of the path`;
      if (rules.doubleSlashes === 'keep') depth++;
    } else depth++;
    at += raw.length + 1;
  }
  return 'the path cannot be normalised';
}

/** Why a byte or escape of a segment is refused. `offset`: position of the segment in the path. */
function segmentFault(segment: string, offset: number, rules: NormalizeEntry): string | undefined {
  for (let i = 0; i < segment.length; i++) {
    const code = segment.charCodeAt(i);
    const place = `at byte ${offset + i} of the path`;
    if (code >= 128 || RAW[code] === REFUSE) return `a character that must be percent-encoded ${place}`;
    if (RAW[code] !== PERCENT) continue;
    const byte = hexByte(segment, i + 1);
    const shown = `\`${segment.slice(i, i + 3)}\` ${place}`;
    if (byte < 0) return `an invalid escape: ${shown}`;
    if (byte < 0x20 || byte === 0x7f) return `an escaped control character: ${shown}`;
    if ((byte === 0x2f || byte === 0x5c) && rules.encodedSlashes === 'refuse')
      return `encoded_slashes = "refuse": ${shown}`;
    i += 2;
  }
  return undefined;
}

const excerpt = (text: string): string => (text.length > 40 ? `${text.slice(0, 37)}...` : text);

/** The byte of the two hex digits at `at`, or -1. */
export function hexByte(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

const percent = (byte: number): string => `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;

/**
 * A literal of a spec in normal form: characters that are not allowed raw are percent-encoded as UTF-8, escapes are upper
 * case, escaped unreserved characters are decoded. A `%` that starts no escape is a literal percent sign.
 */
export function normalizeLiteral(text: string): string {
  if (/^[A-Za-z0-9._~-]*$/.test(text)) return text;
  let out = '';
  for (let i = 0; i < text.length; ) {
    const point = text.codePointAt(i)!;
    const char = String.fromCodePoint(point);
    const byte = point === 0x25 ? hexByte(text, i + 1) : -1;
    if (byte >= 0) {
      const plain = String.fromCharCode(byte);
      out += UNRESERVED.test(plain) ? plain : percent(byte);
      i += 3;
    } else {
      out += point < 128 && RAW[point] === PLAIN ? char : encodeUtf8(char);
      i += char.length;
    }
  }
  return out;
}

function encodeUtf8(char: string): string {
  let out = '';
  for (const byte of new TextEncoder().encode(char)) out += percent(byte);
  return out;
}
