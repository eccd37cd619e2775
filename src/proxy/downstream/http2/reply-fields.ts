/** Reply fields in the form that node:http2 sends. */
import type { OutgoingHttpHeaders } from 'node:http2';
import type { HeaderFields, Reply } from '../../../policies/contract.js';
import { ConstantReply } from '../../../policies/run-kit.js';
import type { GwExchange } from '../../exchange/exchange.js';
import { TargetReply } from '../../exchange/target-reply.js';
import { fieldLines } from '../../http/write-head.js';
import { hasDate, replyLines } from '../http1/reply-writer.js';

/** Sets of fields that are kept; the fields of most replies repeat. */
const MOST_KEPT = 64;
/** Longer sets are parsed each time. */
const LONGEST_KEPT = 2048;

/** node:http2 refuses to send these twice, unlike HTTP/1.1 and its targets. */
const SINGLE = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-encoding',
  'content-language',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
]);

type Fields = { [name: string]: string | string[] };

/** The field sets of a connection's replies. */
export class ReplyFields {
  readonly #kept = new Map<string, Fields>();

  /**
   * The fields of a reply. `length` of the body in bytes, -1 if unknown. `date` is the line of Date with its end, for a reply
   * without one.
   */
  of(exchange: GwExchange, reply: Reply, length: number, date: string): OutgoingHttpHeaders {
    const { status } = reply;
    const fields: OutgoingHttpHeaders = { ':status': status, ...this.#fields(linesOf(reply)) };
    if (!hasDate(reply)) fields.date = date.slice(6, -2);
    fields['x-request-id'] = exchange.id;
    const bare = status === 204 || 'grpc-status' in fields;
    if (length >= 0 && !bare && (status !== 304 || reply instanceof TargetReply)) fields['content-length'] = length;
    return fields;
  }

  /** Those of a reply to what is not a request; `id` is that of its log line. */
  ofRefusal({ status, headers, body }: Reply, id: string, date: string): OutgoingHttpHeaders {
    const length = body instanceof Uint8Array ? body.length : 0;
    return {
      ':status': status,
      ...fieldsOf(headers),
      date: date.slice(6, -2),
      'x-request-id': id,
      ...(body === null ? {} : { 'content-length': length }),
    };
  }

  #fields(lines: string): Fields {
    const known = this.#kept.get(lines);
    if (known !== undefined) return known;
    const fields = parseLines(lines);
    if (lines.length > LONGEST_KEPT) return fields;
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear();
    this.#kept.set(lines, fields);
    return fields;
  }
}

/** The field lines of a constant reply are written once. */
function linesOf(reply: Reply): string {
  if (!(reply instanceof ConstantReply)) return replyLines(reply);
  if (reply.lines === '') reply.lines = replyLines(reply);
  return reply.lines;
}

/** Of interim replies and trailers. */
export const fieldsOf = (headers: HeaderFields): Fields => parseLines(fieldLines(headers));

/** Lines `name: value CRLF`, each complete. */
function parseLines(lines: string): Fields {
  const fields: Fields = {};
  for (let at = 0; at < lines.length; ) {
    const colon = lines.indexOf(':', at);
    const end = lines.indexOf('\r', colon);
    const name = lines.slice(at, colon).toLowerCase();
    const value = lines.slice(colon + 1, end).trim();
    const before = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (before === undefined) fields[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else if (!SINGLE.has(name)) fields[name] = [before, value];
    at = end + 2;
  }
  return fields;
}

/** Whether a reply ends with its fields, whatever length they name. */
export const isBodiless = (method: string, status: number): boolean =>
  method === 'HEAD' || status === 204 || status === 205 || status === 304;
