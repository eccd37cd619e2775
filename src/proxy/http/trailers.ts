/** Trailer fields of requests and replies, RFC 9110 section 6.5. */
import { HeadFields } from './fields.js';
import { isAlias, isCaller, isEndToEnd, isOwnFraming } from './own-names.js';
import { fieldLines } from './write-head.js';

/**
 * Fields that must be known before the content, RFC 9110 section 6.5.1: request modifiers, authentication, response controls and
 * content format. Those of framing, routing and forwarding are in own-names.ts.
 */
const BEFORE_CONTENT = new Set([
  'age',
  'cache-control',
  'content-range',
  'date',
  'expires',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'location',
  'pragma',
  'range',
  'retry-after',
  'set-cookie',
  'vary',
  'warning',
  'www-authenticate',
]);

/** Whether a field must not be in a trailer section: merged into the head, it would change the meaning of the message. */
export const isForbiddenTrailer = (name: string): boolean =>
  isOwnFraming(name) || isEndToEnd(name) || BEFORE_CONTENT.has(name);

/** Trailer fields of a target's reply that clients get. `lines`: each `name:value CRLF`. */
export function replyTrailers(lines: string): HeadFields {
  const fields = new HeadFields(lines, 0, lines.length, lines, '');
  for (const [name] of fields.receivedEntries()) if (isForbiddenTrailer(name)) fields.remove(name);
  return fields;
}

/**
 * Trailer fields of a request that targets get. A target may merge them into the head, where `written`, the fields that policies
 * write, say who calls: neither those nor names that many targets read as the same are passed on.
 */
export function requestTrailers(lines: string, written: ReadonlySet<string>): HeadFields {
  const fields = new HeadFields(lines, 0, lines.length, lines, '');
  for (const [name] of fields.receivedEntries())
    if (isForbiddenTrailer(name) || isCaller(name) || written.has(name) || isUnclear(name, written))
      fields.remove(name);
  return fields;
}

const isUnclear = (name: string, written: ReadonlySet<string>): boolean =>
  !/^[a-z0-9-]*$/.test(name) && (name.includes('_') || isAlias(name, written));

/** The last chunk of a body with its trailer fields, RFC 9112 section 7.1.2. */
export const lastChunk = (trailers: Parameters<typeof fieldLines>[0] | undefined): string =>
  trailers === undefined ? '0\r\n\r\n' : `0\r\n${fieldLines(trailers)}\r\n`;
