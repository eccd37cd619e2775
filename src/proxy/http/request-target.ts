/** The request line: methods, versions, and request targets in their four forms, RFC 9112 section 3. */
import { equalsLower } from './chars.js';
import { byteText, type RequestFault } from './head-fault.js';
import { Authority, readAuthority } from './host.js';

/** Bit of TargetParts.seen: the target is an https URI. */
export const SECURE_TARGET = 262_144;
/** Bit of TargetParts.seen: the target is in the absolute form. */
export const ABSOLUTE_TARGET = 524_288;

/** The parts of a request target; a RequestHead has them. */
export interface TargetParts {
  readonly method: string;
  path: string;
  query: string;
  /** The target ends with `?`: an empty query, which differs from no query (RFC 3986 section 6.2.3). */
  bareQuery: boolean;
  authority: string;
  host: string;
  seen: number;
}

/**
 * Reads the target text[start, end), whose first `?` is at queryAt (-1: none), into `head`, which has its method already.
 * Returns why it must be refused, or undefined if it is valid.
 */
export function readTarget(
  head: TargetParts,
  text: string,
  start: number,
  queryAt: number,
  end: number,
): RequestFault | undefined {
  const pathEnd = queryAt < 0 ? end : queryAt;
  let pathAt = start;
  if (head.method === 'CONNECT') return readConnect(text, start, end);
  if (text.charCodeAt(start) !== 0x2f) {
    if (text.charCodeAt(start) === 0x2a && end === start + 1) {
      if (head.method !== 'OPTIONS') return 'request/malformed';
    } else {
      pathAt = readAbsolute(head, text, start, pathEnd);
      if (pathAt < 0) return 'request/malformed';
    }
  }
  if (pathAt < pathEnd) head.path = text.slice(pathAt, pathEnd);
  // OPTIONS with an absolute form without path means the asterisk form, RFC 9112 section 3.2.4.
  else head.path = queryAt < 0 && head.method === 'OPTIONS' ? '*' : '/';
  head.query = queryAt < 0 ? '' : text.slice(queryAt + 1, end);
  head.bareQuery = queryAt === end - 1;
  return undefined;
}

/** Why the target that begins at `start` is invalid at `at`; for the log. */
export function targetFault(text: string, start: number, at: number): string {
  if (at === start) return 'no request target';
  const code = text.charCodeAt(at);
  if (code === 0x0d || code === 0x0a) return 'no HTTP version (HTTP/0.9)';
  if (code === 0x23) return 'fragment in the request target';
  return `${byteText(text, at)} in the request target`;
}

interface VersionFault {
  readonly error: RequestFault;
  readonly rule: string;
  /** Offset of the fault. */
  readonly at: number;
}

/** Why the version at offset `at`, with the end of its line, is invalid; undefined for HTTP/1.x. */
export function versionFault(text: string, at: number): VersionFault | 'incomplete' | undefined {
  const malformed = (rule: string, where = at): VersionFault => ({ error: 'request/malformed', rule, at: where });
  if (!'HTTP/'.startsWith(text.slice(at, at + 5))) return malformed('no HTTP version after the request target');
  if (text.length < at + 10 && text.indexOf('\n', at) < 0) return 'incomplete';
  const found = /^HTTP\/(\d)\.(\d)/.exec(text.slice(at, at + 8));
  if (found === null) return malformed('invalid HTTP version');
  if (text.slice(at + 8, at + 10) !== '\r\n')
    return malformed(`${byteText(text, at + 8)} after the HTTP version`, at + 8);
  return found[1] === '1' ? undefined : { error: 'request/version', rule: `HTTP version ${found[1]}.${found[2]}`, at };
}

/** The absolute form, section 3.2.2: its authority replaces Host. Returns the offset of the path, or -1. */
function readAbsolute(head: TargetParts, text: string, start: number, end: number): number {
  const secure = equalsLower(text, start, start + 5, 'https');
  const at = start + (secure ? 5 : 4);
  if (!(secure || equalsLower(text, start, start + 4, 'http')) || !text.startsWith('://', at)) return -1;
  const authorityAt = at + 3;
  let pathAt = text.indexOf('/', authorityAt);
  if (pathAt < 0 || pathAt > end) pathAt = end;
  if (!readAuthority(head, text, authorityAt, pathAt)) return -1;
  head.seen |= secure ? ABSOLUTE_TARGET | SECURE_TARGET : ABSOLUTE_TARGET;
  return pathAt;
}

/** The authority form, host and port, for CONNECT, which gw does not support (RFC 9110 section 9.3.6). */
function readConnect(text: string, start: number, end: number): RequestFault {
  const into = new Authority();
  const valid = readAuthority(into, text, start, end) && into.authority.length > into.host.length;
  return valid ? 'request/not-implemented' : 'request/malformed';
}

/** The method text[start, end); common methods are constants, so that later comparisons compare pointers. */
export function methodText(text: string, start: number, end: number): string {
  switch (text.charCodeAt(start)) {
    case 0x47:
      if (end - start === 3 && text.startsWith('GET', start)) return 'GET';
      break;
    case 0x48:
      if (end - start === 4 && text.startsWith('HEAD', start)) return 'HEAD';
      break;
    case 0x50:
      if (end - start === 4 && text.startsWith('POST', start)) return 'POST';
      if (end - start === 3 && text.startsWith('PUT', start)) return 'PUT';
      break;
    case 0x44:
      if (end - start === 6 && text.startsWith('DELETE', start)) return 'DELETE';
      break;
  }
  return text.slice(start, end);
}
