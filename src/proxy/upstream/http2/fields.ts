/**
 * Heads of HTTP/2, RFC 9113 section 8. Requests are written from, and replies are read as, the text of an HTTP/1.1 head: the rules
 * of both versions are checked by the same code.
 */
import { type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2';
import type { HeaderFields } from '../../../contract/index.js';
import { FIELD, isToken, span } from '../../http/chars.js';
import { isOwnFraming } from '../../http/own-names.js';
import { statusLine } from '../../http/write-head.js';

/** Fields that belong to an HTTP/1.1 connection. `te` is the exception of RFC 9113 section 8.2.2. */
const OF_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/**
 * Credentials are kept out of the compression state, which all requests of a connection share: another client could guess them by
 * the size of its own requests (RFC 7541 section 7.1.3).
 */
const SENSITIVE = ['authorization', 'cookie'];

/** The fields of a request, from the head that gw has written with its empty line. */
export function requestFields(text: string, scheme: 'http' | 'https'): OutgoingHttpHeaders {
  const lineEnd = text.indexOf('\r\n');
  const space = text.indexOf(' ');
  const fields: OutgoingHttpHeaders = {
    ':method': text.slice(0, space),
    ':scheme': scheme,
    ':authority': '',
    ':path': text.slice(space + 1, text.lastIndexOf(' ', lineEnd)),
    [sensitiveHeaders]: SENSITIVE,
  };
  for (let at = lineEnd + 2; at < text.length - 2; ) {
    const end = text.indexOf('\r\n', at);
    const colon = text.indexOf(':', at);
    const name = text.slice(at, colon).toLowerCase();
    const value = text.slice(colon + 2, end);
    at = end + 2;
    if (name === 'host') fields[':authority'] = value;
    else if (!OF_CONNECTION.has(name)) add(fields, name, value);
  }
  return fields;
}

/** Lines with the same name become one (RFC 9110 section 5.3, RFC 9113 section 8.2.3 for cookies). */
function add(fields: OutgoingHttpHeaders, name: string, value: string): void {
  const before = fields[name];
  fields[name] = before === undefined ? value : `${String(before)}${name === 'cookie' ? '; ' : ', '}${value}`;
}

/** Trailer fields of a request. */
export function trailerObject(trailers: HeaderFields): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = {};
  for (const [name, value] of trailers.entries()) if (!isOwnFraming(name)) add(fields, name, value);
  return fields;
}

/** Names and values in turn, as received. */
export type RawFields = readonly string[];

/** The status of a reply, from its first field; 0 if it is invalid. */
export function statusOf(raw: RawFields): number {
  if (raw[0] !== ':status') return 0;
  const status = raw[1]!;
  return /^[1-5]\d\d$/.test(status) ? Number(status) : 0;
}

/**
 * A reply's head as the text of an HTTP/1.1 head with its empty line; undefined if a field has no place there: a further
 * pseudo-field, a name that is not a token in lower case, or a value with control characters.
 */
export function headText(status: number, raw: RawFields): string | undefined {
  let text = statusLine(status);
  for (let i = 2; i < raw.length; i += 2) {
    const line = fieldLine(raw[i]!, raw[i + 1]!);
    if (line === undefined) return undefined;
    text += line;
  }
  return `${text}\r\n`;
}

/** Trailer fields as lines; undefined if one is invalid. */
export function trailerLines(raw: RawFields): string | undefined {
  let text = '';
  for (let i = 0; i < raw.length; i += 2) {
    const line = fieldLine(raw[i]!, raw[i + 1]!);
    if (line === undefined) return undefined;
    text += line;
  }
  return text;
}

function fieldLine(name: string, value: string): string | undefined {
  if (!isToken(name) || name !== name.toLowerCase() || OF_CONNECTION.has(name)) return undefined;
  return span(FIELD, value, 0) === value.length ? `${name}: ${value}\r\n` : undefined;
}
