/** The heads that gw writes: one canonical form, whatever came in. */
import { STATUS_CODES } from 'node:http';
import type { HeaderFields } from '../../policies/contract.js';
import type { GwExchange } from '../exchange/exchange.js';
import { targetPath, targetQuery } from '../exchange/target-path.js';
import type { Target } from '../upstream/target.js';
import { TARGET } from './chars.js';
import { forwardedNode } from './forwarded.js';
import { Authority, readAuthority } from './host.js';
import { flat, LastFields } from './known-heads.js';
import { isForwarding, isOwnFraming } from './own-names.js';
import { FORWARDING, Seen } from './request-head.js';

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
  const asked = targetQuery(exchange);
  const query = asked === '' ? bareQuery(exchange) : `?${safeQuery(asked)}`;
  const whole = path === '' && target.basePath === '' ? '/' : target.basePath + path;
  const line = `${exchange.method} ${whole}${query} HTTP/1.1\r\n`;
  const again = extra === '' && isPlain(exchange) ? linesAgain(exchange, target) : '';
  if (again !== '') return `${line}${again}${exchange.id}\r\n\r\n`;
  return `${line}host: ${host}\r\n${lines(exchange)}${exchange.id}\r\n${extra}${framing(exchange)}\r\n`;
}

/** The lines with which an upgrade is asked of the target, for `extra` of requestHead(). */
export const upgradeLines = (exchange: GwExchange): string =>
  `connection: upgrade\r\nupgrade: ${exchange.received('upgrade') ?? ''}\r\n`;

/** An empty query goes on as one, unless the route's rewrite says what the query is. */
const bareQuery = ({ bareQuery: bare, query, route }: GwExchange): string =>
  bare && query === '' && route.rewriteQuery === undefined ? '?' : '';

/** What makes a head more than its fields and gw's own. */
const BEYOND = FORWARDING | Seen.MaxForwards | Seen.TransferEncoding | Seen.ContentLength | Seen.Expect;

/** Of HTTP/1.1: there is a Host. */
const isPlain = ({ seen, minor, listed }: GwExchange): boolean => (seen & BEYOND) === 0 && minor === 1 && listed === '';

/** The field lines of a plain head up to the id, where the connection's last request had the same; else ''. */
function linesAgain(exchange: GwExchange, target: Target): string {
  const { peer } = exchange;
  const last = peer.lastFields;
  if (last === undefined) peer.lastFields = new LastFields();
  const removed = exchange.lessField;
  if (last === undefined || removed === undefined || !last.wereOf(exchange, removed)) return '';
  if (target.settings.host === 'target') {
    if (last.lines === '') last.lines = flat(lines(exchange));
    return target.hostLine + last.lines;
  }
  if (last.linesWithHost === '') last.linesWithHost = flat(`host: ${exchange.authority}\r\n${lines(exchange)}`);
  return last.linesWithHost;
}

/** The field lines that every head has, up to the id. */
function lines(exchange: GwExchange): string {
  const own = ownLines(exchange);
  const untouched = !exchange.edited && exchange.listed === '';
  const fields = untouched ? exchange.kept + own : exchange.headers.lines(exchange.kept, exchange.listed, own);
  return `${fields}x-request-id: `;
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
    const authority = new Authority();
    return readAuthority(authority, host, 0, host.length) ? authority.authority : undefined;
  }
  return target.settings.host === 'target' || exchange.authority === '' ? target.authority : exchange.authority;
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
  const { peer, seen } = exchange;
  let lines = exchange.authority === '' ? '' : `x-forwarded-host: ${exchange.authority}\r\n`;
  if (peer.trusted && seen & FORWARDING) lines = extendedLines(exchange, lines);
  else lines = (exchange.minor === 1 ? peer.ownLines : peer.ownLines.replace(VIA, VIA_1_0)) + lines;
  return seen & Seen.MaxForwards ? `${lines}max-forwards: ${forwardsLeft(exchange)}\r\n` : lines;
}

/** One less than was received, or as many as gw can count: RFC 9110 section 7.6.2. */
const forwardsLeft = (exchange: GwExchange): number =>
  Math.min(Number(exchange.received('max-forwards')) - 1, Number.MAX_SAFE_INTEGER);

const VIA = 'via: 1.1 gw\r\n';
const VIA_1_0 = 'via: 1.0 gw\r\n';

/**
 * What a trusted proxy said, and this hop behind it. Of X-Forwarded-For and Forwarded only the one that was believed goes
 * on: the other may be the client's own invention that the proxy passed through.
 */
function extendedLines(exchange: GwExchange, ownHost: string): string {
  const { seen, peer } = exchange;
  const chain = seen & Seen.ForwardedFor ? exchange.received('x-forwarded-for') : undefined;
  const node = peer.address || 'unknown';
  const forwarded = (seen & (Seen.Forwarded | Seen.ForwardedFor)) === Seen.Forwarded;
  const elements = forwarded ? exchange.received('forwarded') : undefined;
  let lines =
    `x-forwarded-for: ${chain === undefined ? clientAndNode(exchange, node) : `${chain}, ${node}`}\r\n` +
    `x-forwarded-proto: ${exchange.scheme}\r\n${exchange.minor === 1 ? VIA : VIA_1_0}` +
    (exchange.toldHost === undefined ? ownHost : `x-forwarded-host: ${exchange.toldHost}\r\n`) +
    (elements === undefined ? '' : `forwarded: ${elements}, for=${forwardedNode(peer.address)}\r\n`);
  if (seen & Seen.ForwardedOther) {
    for (const [name, value] of exchange.receivedFields())
      if (isForwarding(name) && !WRITTEN_HERE.has(name)) lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

const WRITTEN_HERE = new Set(['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'forwarded', 'x-request-id']);

/** For targets that read X-Forwarded-For alone, behind a proxy that writes Forwarded alone. */
const clientAndNode = ({ remoteAddress }: GwExchange, node: string): string =>
  remoteAddress === node || remoteAddress === '' ? node : `${remoteAddress}, ${node}`;

/** Field lines of a reply that gw made: everything but what frames the message on this hop. */
export function fieldLines(headers: HeaderFields): string {
  let lines = '';
  for (const [name, value] of headers.entries()) if (!isOwnFraming(name)) lines += `${name}: ${value}\r\n`;
  return lines;
}
