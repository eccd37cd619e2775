/**
 * The head of an HTTP/2 request (RFC 9113 section 8) in the form that the parser of HTTP/1.1 reads: the same rules, limits and
 * descriptions for both. nghttp2 has refused malformed fields and pseudo-fields before, as far as it knows them; what would
 * change the meaning of the text is refused here again.
 */
import { randomBytes } from 'node:crypto';
import { grpcBit } from '../../http/field-values.js';
import { Authority, readAuthority } from '../../http/host.js';
import type { KnownFields } from '../../http/known-heads.js';
import type { HeadLimits, RequestHead } from '../../http/request-head.js';
import { Seen } from '../../http/seen.js';

/** Fields of one connection of HTTP/1.1. nghttp2 refuses them, RFC 9113 section 8.2.2. */
const OF_HTTP1 =
  Seen.TransferEncoding | Seen.Close | Seen.KeepAlive | Seen.ConnectionUpgrade | Seen.Listed | Seen.Upgrade;

/** Methods whose requests have content, for which HTTP/1.1 wants a length: RFC 9110 section 8.6. */
const WITH_CONTENT = new Set(['POST', 'PUT', 'PATCH']);

/** Name and value by turns, as node:http2 lists them. */
type RawFields = readonly string[];

class PseudoFields {
  method = '';
  scheme = '';
  path = '';
  authority: string | undefined = undefined;
  host: string | undefined = undefined;
  protocol = '';
}

export class RequestFault {
  readonly error: RequestHead['error'];
  readonly cause: string;

  constructor(error: RequestHead['error'], cause: string) {
    this.error = error;
    this.cause = cause;
  }
}

/**
 * Parses the fields of a request into `head`. `ended`: it has no body. `known` are the fields of the connection's last request.
 * Returns why the request must be refused, or undefined.
 */
export function readRequest(
  head: RequestHead,
  raw: RawFields,
  ended: boolean,
  limits: HeadLimits,
  known: KnownFields,
): RequestFault | undefined {
  const pseudo = new PseudoFields();
  const lines = fieldLines(raw, pseudo);
  if (typeof lines !== 'string') return lines;
  const { method, scheme, path, protocol } = pseudo;
  const host = hostOf(pseudo);
  if (host === undefined) return new RequestFault('request/host', 'invalid request: Host differs from :authority');
  if (protocol !== '') return readExtended(head, pseudo, host, lines, ended, limits, known);
  const target = method === 'CONNECT' ? host : path;
  if (method !== 'CONNECT') {
    if (scheme !== 'https' && scheme !== 'http') return malformed(':scheme is neither http nor https');
    if (path.charCodeAt(0) !== 0x2f && path !== '*') return malformed(':path does not begin with a slash');
  }
  const text = `${method} ${target} HTTP/1.1\r\nhost: ${host}\r\n${lines}\r\n`;
  const length = head.parse(text, limits, known);
  if (length < 0) return new RequestFault(head.error, head.cause);
  if (length !== text.length || head.method !== method) return malformed('more than one head');
  return framing(head, ended, scheme);
}

/** Fields of the handshake of HTTP/1.1 (RFC 6455) that RFC 8441 section 5 leaves out. */
const OF_HANDSHAKE = /^(?:connection|upgrade|sec-websocket-key|sec-websocket-accept): [^\r]*\r\n/gm;

/**
 * Extended CONNECT for a WebSocket, RFC 8441: the request of HTTP/1.1 for the same, so that routes and policies see no difference. The key is
 * for the target, whose answer to it gw checks.
 */
function readExtended(
  head: RequestHead,
  { method, scheme, path, protocol }: PseudoFields,
  host: string,
  lines: string,
  ended: boolean,
  limits: HeadLimits,
  known: KnownFields,
): RequestFault | undefined {
  if (method !== 'CONNECT') return malformed(':protocol without CONNECT');
  if (protocol !== 'websocket')
    return new RequestFault('request/not-implemented', 'extended CONNECT to another protocol than websocket');
  if (scheme !== 'https' && scheme !== 'http') return malformed(':scheme is neither http nor https');
  if (path.charCodeAt(0) !== 0x2f) return malformed(':path does not begin with a slash');
  if (ended) return malformed('extended CONNECT with END_STREAM');
  const key = randomBytes(16).toString('base64');
  const text = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n${lines.replace(OF_HANDSHAKE, '')}connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: ${key}\r\n\r\n`;
  const length = head.parse(text, limits, known);
  if (length < 0) return new RequestFault(head.error, head.cause);
  if (length !== text.length || head.method !== 'GET') return malformed('more than one head');
  if (head.contentLength >= 0 || head.seen & (Seen.TransferEncoding | Seen.Listed))
    return malformed('CONNECT with content');
  if (scheme === 'https') head.seen |= Seen.SecureTarget;
  return undefined;
}

const malformed = (rule: string): RequestFault => new RequestFault('request/malformed', `invalid request: ${rule}`);

/** nghttp2 has left out a field, as it does when name or value have characters that RFC 9113 section 8.2.1 forbids. */
export const INVALID_FIELD = malformed('field with invalid characters');

/** The fields as lines, without pseudo-fields and Host; several Cookie fields become one (RFC 9113 section 8.2.3). */
function fieldLines(raw: RawFields, pseudo: PseudoFields): string | RequestFault {
  let lines = '';
  let cookies = '';
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    const value = raw[at + 1]!;
    if (value.includes('\n') || value.includes('\r')) return malformed('line break in a field');
    if (name.charCodeAt(0) === 0x3a) {
      if (!pseudoField(pseudo, name, value)) return malformed('unknown pseudo-field');
    } else if (name === 'cookie') cookies = cookies === '' ? value : `${cookies}; ${value}`;
    else if (name === 'host' && pseudo.host === undefined) pseudo.host = value;
    else if (name.includes(':')) return malformed('colon in the name of a field');
    else lines += `${name}: ${value}\r\n`;
  }
  return cookies === '' ? lines : `${lines}cookie: ${cookies}\r\n`;
}

/** Trailer fields as lines, RFC 9113 section 8.1: no pseudo-fields, within the limits of a head. */
export function trailerLines(raw: RawFields, limits: HeadLimits): string | RequestFault {
  const lines = fieldLines(raw, new PseudoFields());
  if (typeof lines !== 'string') return lines;
  if (lines.length > limits.maxHeaderBytes || raw.length / 2 > limits.maxHeaders)
    return new RequestFault('request/head-too-large', 'trailer fields above max_header or max_headers');
  return raw[0]?.charCodeAt(0) === 0x3a ? malformed('pseudo-field in trailers') : lines;
}

function pseudoField(pseudo: PseudoFields, name: string, value: string): boolean {
  switch (name) {
    case ':method':
      pseudo.method = value;
      return true;
    case ':scheme':
      pseudo.scheme = value;
      return true;
    case ':path':
      pseudo.path = value;
      return true;
    case ':authority':
      pseudo.authority = value;
      return true;
    case ':protocol':
      pseudo.protocol = value;
      return true;
    default:
      return false;
  }
}

/** Whether the fields of a request say that it is one of gRPC. */
export function isGrpc(raw: RawFields): boolean {
  for (let at = 0; at < raw.length; at += 2)
    if (raw[at] === 'content-type') return grpcBit(raw[at + 1]!, 0, raw[at + 1]!.length) !== 0;
  return false;
}

/** The value for Host; undefined if there are two different ones, RFC 9113 section 8.3.1. */
function hostOf({ authority, host }: PseudoFields): string | undefined {
  if (authority === undefined || host === undefined || authority === host) return authority ?? host ?? '';
  const [one, other] = [new Authority(), new Authority()];
  const valid = readAuthority(one, authority, 0, authority.length) && readAuthority(other, host, 0, host.length);
  return valid && one.authority === other.authority ? authority : undefined;
}

/** What HTTP/1.1 says by fields, and HTTP/2 by frames. */
function framing(head: RequestHead, ended: boolean, scheme: string): RequestFault | undefined {
  if (head.seen & OF_HTTP1) return malformed('field of an HTTP/1.1 connection');
  if (scheme === 'https') head.seen |= Seen.SecureTarget;
  if (ended) {
    if (head.contentLength > 0) return malformed('Content-Length without a body');
    if (head.contentLength < 0 && WITH_CONTENT.has(head.method)) {
      head.contentLength = 0;
      head.seen |= Seen.ContentLength;
    }
    return undefined;
  }
  if (head.method === 'TRACE') return malformed('TRACE with a body');
  if (head.contentLength < 0) head.seen |= Seen.TransferEncoding;
  return undefined;
}
