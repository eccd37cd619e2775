/** The heads that gw writes: one canonical form, whatever came in. */
import { STATUS_CODES } from 'node:http';
import { normalizePath } from '../../bundle/normalize.js';
import type { HeaderFields } from '../../policies/contract.js';
import type { GwExchange } from '../exchange.js';
import type { Target } from '../upstream/target.js';
import { TARGET } from './chars.js';
import { isOwnFraming } from './fields.js';
import { scanHost } from './host.js';
import { Seen } from './request-head.js';

/** `HTTP/1.1 200 OK` and so on, with the line's end. */
const STATUS_LINES: string[] = [];
for (let status = 100; status < 600; status++)
  STATUS_LINES[status] = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;

/** The status line for a status between 100 and 599. */
export const statusLine = (status: number): string => STATUS_LINES[status]!;

/**
 * The request head as the target sees it, with the empty line; undefined where the route's rewrite or a policy's edit
 * makes a path or Host that may not go on the wire. `extra` are further lines (those of an upgrade).
 */
export function requestHead(exchange: GwExchange, target: Target, extra = ''): string | undefined {
  const path = targetPath(exchange);
  const host = targetHost(exchange, target);
  if (path === undefined || host === undefined) return undefined;
  const query = exchange.query === '' ? '' : `?${safeQuery(exchange.query)}`;
  const own = ownLines(exchange);
  const fields = exchange.edited
    ? exchange.headers.lines(exchange.kept, exchange.listed, own)
    : exchange.listed === ''
      ? exchange.kept + own
      : exchange.headers.lines(exchange.kept, exchange.listed, own);
  const last = `x-request-id: ${exchange.id}\r\n${extra}${framing(exchange)}\r\n`;
  return `${exchange.method} ${target.basePath}${path}${query} HTTP/1.1\r\nhost: ${host}\r\n${fields}${last}`;
}

function framing(exchange: GwExchange): string {
  const expect = exchange.expectsContinue ? 'expect: 100-continue\r\n' : '';
  if (exchange.seen & Seen.TransferEncoding) return `${expect}transfer-encoding: chunked\r\n`;
  return exchange.contentLength >= 0 ? `${expect}content-length: ${exchange.contentLength}\r\n` : '';
}

function targetHost(exchange: GwExchange, target: Target): string | undefined {
  if (exchange.edited && exchange.headers.touched('host')) {
    const host = exchange.headers.get('host');
    if (host === undefined) return target.authority;
    const scanned = scanHost(host, 0, host.length);
    return scanned === undefined || scanned === '' ? undefined : host;
  }
  return target.settings.host === 'target' || exchange.authority === '' ? target.authority : exchange.authority;
}

/** Path without query: rewritten, stripped, or as matched. */
export function targetPath(exchange: GwExchange): string | undefined {
  const { rewrite, stripPrefix } = exchange.route;
  if (rewrite !== undefined) return rewritten(exchange, rewrite);
  const path = exchange.path;
  if (stripPrefix === undefined || !path.startsWith(stripPrefix)) return path;
  const rest = path.slice(stripPrefix.length);
  if (rest === '') return '/';
  return rest.charCodeAt(0) === 0x2f ? rest : path;
}

/** Parameters stand in a rewritten path as they stood in the request's; other variables are percent-encoded. */
function rewritten(exchange: GwExchange, parts: readonly (string | { readonly var: string })[]): string | undefined {
  let path = '';
  for (const part of parts) {
    if (typeof part === 'string') path += part;
    else if (part.var.startsWith('param.')) path += exchange.rawParam(part.var.slice(6)) ?? '';
    else path += encodeURIComponent(exchange.generation.render(part, exchange));
  }
  return normalizePath(path, exchange.generation.program.normalize);
}

/** A policy may have put anything into the query; what no target may hold is percent-encoded. */
function safeQuery(query: string): string {
  for (let i = 0; i < query.length; i++) if (TARGET[query.charCodeAt(i)] !== 1) return encodeUnsafe(query);
  return query;
}

function encodeUnsafe(query: string): string {
  let out = '';
  for (const byte of Buffer.from(query, 'utf8')) {
    if (TARGET[byte] === 1) out += String.fromCharCode(byte);
    else out += `%${byte < 16 ? '0' : ''}${byte.toString(16).toUpperCase()}`;
  }
  return out;
}

/** What gw says of itself and of the way so far: X-Forwarded-*, Via, and Forwarded where there is one. */
function ownLines(exchange: GwExchange): string {
  const { peer } = exchange;
  const forwardedHost = exchange.authority === '' ? '' : `x-forwarded-host: ${exchange.authority}\r\n`;
  const forwarding = Seen.ForwardedFor | Seen.ForwardedProto | Seen.ForwardedHost | Seen.Forwarded;
  if (!peer.trusted || !(exchange.seen & forwarding)) return peer.ownLines + forwardedHost;
  const chain = exchange.received('x-forwarded-for');
  const node = peer.address || 'unknown';
  const host = exchange.received('x-forwarded-host');
  const forwarded = exchange.received('forwarded');
  return (
    `x-forwarded-for: ${chain === undefined ? node : `${chain}, ${node}`}\r\n` +
    `x-forwarded-proto: ${exchange.scheme}\r\nvia: 1.1 gw\r\n` +
    (host === undefined ? forwardedHost : `x-forwarded-host: ${host}\r\n`) +
    (forwarded === undefined ? '' : `forwarded: ${forwarded}, for=${node.includes(':') ? `"[${node}]"` : node}\r\n`)
  );
}

/** Field lines of a reply that gw made: everything but what frames the message on this hop. */
export function fieldLines(headers: HeaderFields): string {
  let lines = '';
  for (const [name, value] of headers.entries()) if (!isOwnFraming(name)) lines += `${name}: ${value}\r\n`;
  return lines;
}
