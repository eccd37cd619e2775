/** Serializes heads: one canonical form, whatever form was received. */
import { STATUS_CODES } from 'node:http';
import { TARGET } from './chars.js';
import type { RequestFields } from './fields.js';
import { forwardedNode } from './forwarded.js';
import { Authority, readAuthority } from './host.js';
import { flat, type ParsedRequest, SentFields } from './known-heads.js';
import { isForwarding, isOwnFraming } from './own-names.js';
import { FORWARDING, Seen } from './seen.js';

/** `HTTP/1.1 200 OK` and so on, with CRLF. */
const STATUS_LINES: string[] = [];
for (let status = 100; status < 600; status++)
  STATUS_LINES[status] = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`;

/** The status line of a status between 100 and 599, with CRLF. */
export const statusLine = (status: number): string => STATUS_LINES[status]!;

/** The connection that a request came by, as its head is written. */
export interface RequestPeer {
  readonly address: string;
  /** Its forwarding fields are extended instead of replaced. */
  readonly trusted: boolean;
  /** Via for its version of HTTP; HTTP/1.0 has its own. */
  readonly via: string;
  /** X-Forwarded-For, X-Forwarded-Proto and Via of the connection, as lines. */
  readonly ownLines: string;
  /** Set by the second request of the connection. */
  sentFields: SentFields | undefined;
}

/** A received request, to be sent to a target. */
export interface OutgoingRequest
  extends Pick<ParsedRequest, 'method' | 'minor' | 'seen' | 'authority' | 'contentLength'> {
  readonly id: string;
  readonly scheme: string;
  /** Address of the client; '' if unknown. */
  readonly remoteAddress: string;
  /** Host that a trusted proxy received; undefined if unknown. */
  readonly forwardedHost: string | undefined;
  readonly peer: RequestPeer;
  /** The fields as policies edited them. */
  readonly headers: RequestFields;
  readonly expectsContinue: boolean;
}

/** The target, as the head names it. */
export interface RequestDestination {
  readonly ownHost: string;
  /** That as a line. */
  readonly hostLine: string;
  /** Path in front of every path, without a slash at its end. */
  readonly basePath: string;
  /** `preserve`: Host is the client's; otherwise that of the target. */
  readonly settings: { readonly host: string };
}

/**
 * The head of a request to a target, with the empty line; undefined if a policy set a Host that must not go on the wire.
 * `path` and `query` (without `?`; undefined for none) are those for the target. `extra` are further lines.
 */
export function requestHead(
  request: OutgoingRequest,
  target: RequestDestination,
  path: string,
  query: string | undefined,
  extra: string,
): string | undefined {
  const host = destinationHost(request, target);
  if (host === undefined) return undefined;
  const line = `${request.method} ${requestTarget(target, path, query)} HTTP/1.1\r\n`;
  const known = isPlain(request) ? knownLines(request, target) : '';
  if (known !== '') return `${line}${known}${request.id}\r\n${extra}\r\n`;
  return `${line}host: ${host}\r\n${fieldsUpToId(request)}${request.id}\r\n${extra}${framing(request)}\r\n`;
}

/** The request target in origin form: RFC 9112 section 3.2.1. */
export function requestTarget(target: RequestDestination, path: string, query: string | undefined): string {
  const whole = path === '' && target.basePath === '' ? '/' : target.basePath + path;
  return query === undefined ? whole : `${whole}?${safeQuery(query)}`;
}

/** Makes a head depend on more than its fields and gw's own. */
const BEYOND = FORWARDING | Seen.MaxForwards | Seen.TransferEncoding | Seen.ContentLength | Seen.Expect;

/** Every HTTP/1.1 request has a Host. */
const isPlain = ({ seen, minor, headers }: OutgoingRequest): boolean =>
  (seen & BEYOND) === 0 && minor === 1 && headers.listed === '' && headers.text !== '';

/** The field lines of a plain head up to the id, if the connection's last request had the same; else ''. */
function knownLines(request: OutgoingRequest, target: RequestDestination): string {
  const { peer } = request;
  const last = peer.sentFields;
  if (last === undefined) peer.sentFields = new SentFields();
  const removed = removedField(request.headers);
  if (last === undefined || removed === undefined || !last.matches(request.headers, request.authority, removed))
    return '';
  if (target.settings.host !== 'preserve') {
    if (last.lines === '') last.lines = flat(fieldsUpToId(request));
    return target.hostLine + last.lines;
  }
  if (last.linesWithHost === '') last.linesWithHost = flat(`host: ${request.authority}\r\n${fieldsUpToId(request)}`);
  return last.linesWithHost;
}

/** '' without edits, the name of the field if one removed field is the only edit, undefined for other edits. */
function removedField(headers: RequestFields): string | undefined {
  if (!headers.edited) return '';
  const name = headers.removedAlone;
  // Without Host, the target's own is sent.
  return name === '' || name === 'host' ? undefined : name;
}

/** The field lines of every head, up to the id. */
const fieldsUpToId = (request: OutgoingRequest): string => `${endToEndLines(request)}x-request-id: `;

/** The field lines of every head, without the id. */
export const endToEndLines = (request: OutgoingRequest): string => request.headers.lines(ownLines(request));

function framing(request: OutgoingRequest): string {
  const expect = request.expectsContinue ? 'expect: 100-continue\r\n' : '';
  if (request.seen & Seen.TransferEncoding) return `${expect}transfer-encoding: chunked\r\n`;
  return request.contentLength >= 0 ? `${expect}content-length: ${request.contentLength}\r\n` : '';
}

/** The Host that a target gets; undefined if a policy set one that must not go on the wire. */
export function destinationHost(request: OutgoingRequest, target: RequestDestination): string | undefined {
  if (request.headers.touched('host')) {
    const host = request.headers.get('host');
    if (host === undefined) return target.ownHost;
    const authority = new Authority();
    return readAuthority(authority, host, 0, host.length) ? authority.authority : undefined;
  }
  return target.settings.host !== 'preserve' || request.authority === '' ? target.ownHost : request.authority;
}

/** Percent-encodes what a query must not contain: a policy may have set any text. */
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

/** gw's own fields: X-Forwarded-*, Via, and Forwarded if the request has one. */
function ownLines(request: OutgoingRequest): string {
  const { peer, seen } = request;
  let lines = request.authority === '' ? '' : `x-forwarded-host: ${request.authority}\r\n`;
  if (peer.trusted && seen & FORWARDING) lines = extendedLines(request, lines);
  else lines = (request.minor === 1 ? peer.ownLines : peer.ownLines.replace(peer.via, VIA_1_0)) + lines;
  return seen & Seen.MaxForwards ? `${lines}max-forwards: ${forwardsLeft(request)}\r\n` : lines;
}

/** One less than received, at most the largest number that gw can count: RFC 9110 section 7.6.2. */
const forwardsLeft = (request: OutgoingRequest): number =>
  Math.min(Number(request.headers.received('max-forwards')) - 1, Number.MAX_SAFE_INTEGER);

const VIA_1_0 = 'via: 1.0 gw\r\n';

/**
 * The forwarding fields of a trusted proxy, with this hop added. Of X-Forwarded-For and Forwarded only the one that gw reads
 * is sent on: the client may have made up the other, which the proxy passed through.
 */
function extendedLines(request: OutgoingRequest, ownHost: string): string {
  const { seen, peer } = request;
  const chain = seen & Seen.ForwardedFor ? request.headers.received('x-forwarded-for') : undefined;
  const node = peer.address || 'unknown';
  const forwarded = (seen & (Seen.Forwarded | Seen.ForwardedFor)) === Seen.Forwarded;
  const elements = forwarded ? request.headers.received('forwarded') : undefined;
  let lines =
    `x-forwarded-for: ${chain === undefined ? clientAndNode(request, node) : `${chain}, ${node}`}\r\n` +
    `x-forwarded-proto: ${request.scheme}\r\n${request.minor === 1 ? peer.via : VIA_1_0}` +
    (request.forwardedHost === undefined ? ownHost : `x-forwarded-host: ${request.forwardedHost}\r\n`) +
    (elements === undefined ? '' : `forwarded: ${elements}, for=${forwardedNode(peer.address)}\r\n`);
  if (seen & Seen.ForwardedOther) {
    for (const [name, value] of request.headers.receivedEntries())
      if (isForwarding(name) && !WRITTEN_HERE.has(name)) lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** Or with the path: X-Forwarded-Prefix. */
const WRITTEN_HERE = new Set([
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'x-forwarded-prefix',
  'forwarded',
  'x-request-id',
]);

/** For targets that read X-Forwarded-For only, after a proxy that writes Forwarded only. */
const clientAndNode = ({ remoteAddress }: OutgoingRequest, node: string): string =>
  remoteAddress === node || remoteAddress === '' ? node : `${remoteAddress}, ${node}`;

/** Field lines of a reply by gw, without the framing and hop-by-hop fields. */
export function fieldLines(headers: { entries(): Iterable<readonly [name: string, value: string]> }): string {
  let lines = '';
  for (const [name, value] of headers.entries()) if (!isOwnFraming(name)) lines += `${name}: ${value}\r\n`;
  return lines;
}
