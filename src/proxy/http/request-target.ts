/** Request targets in their four forms, RFC 9112 section 3.2, and methods. */
import type { ErrorSlug } from '../errors/errors.js';
import { equalsLower } from './chars.js';
import { byteText } from './head-fault.js';
import { Authority, readAuthority } from './host.js';

/** Bit of TargetParts.seen: the target is an https URI. */
export const SECURE_TARGET = 262_144;
/** Bit of TargetParts.seen: the target is in the absolute form. */
export const ABSOLUTE_TARGET = 524_288;

/** What a target says; a RequestHead. */
export interface TargetParts {
  readonly method: string;
  path: string;
  query: string;
  /** It ends with `?`: an empty query, which is not the same as none (RFC 3986 section 6.2.3). */
  bareQuery: boolean;
  authority: string;
  host: string;
  seen: number;
}

/**
 * Reads the target text[start, end), whose first `?` is at queryAt (-1: none), into `head`. The method is known by then.
 * Undefined when it is well, else why it must be refused.
 */
export function readTarget(
  head: TargetParts,
  text: string,
  start: number,
  queryAt: number,
  end: number,
): ErrorSlug | undefined {
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
  // An absolute form without path is the asterisk form of OPTIONS, RFC 9112 section 3.2.4.
  else head.path = queryAt < 0 && head.method === 'OPTIONS' ? '*' : '/';
  head.query = queryAt < 0 ? '' : text.slice(queryAt + 1, end);
  head.bareQuery = queryAt === end - 1;
  return undefined;
}

/** Why the target that begins at `start` ends at `at`, where no space follows it; for the log. */
export function targetFault(text: string, start: number, at: number): string {
  if (at === start) return 'no request target';
  const code = text.charCodeAt(at);
  if (code === 0x0d || code === 0x0a) return 'no HTTP version (HTTP/0.9)';
  if (code === 0x23) return 'fragment in the request target';
  return `${byteText(text, at)} in the request target`;
}

interface VersionFault {
  readonly error: ErrorSlug;
  readonly rule: string;
  /** Offset of what breaks it. */
  readonly at: number;
}

/** What is wrong with the version that stands at `at`, with the end of its line; undefined for one of HTTP/1.x. */
export function versionFault(text: string, at: number): VersionFault | 'incomplete' | undefined {
  const malformed = (rule: string, where = at): VersionFault => ({ error: 'request/malformed', rule, at: where });
  if (!'HTTP/'.startsWith(text.slice(at, at + 5))) return malformed('no HTTP version behind the request target');
  if (text.length < at + 10 && text.indexOf('\n', at) < 0) return 'incomplete';
  const found = /^HTTP\/(\d)\.(\d)/.exec(text.slice(at, at + 8));
  if (found === null) return malformed('HTTP version is not valid');
  if (text.slice(at + 8, at + 10) !== '\r\n')
    return malformed(`${byteText(text, at + 8)} behind the HTTP version`, at + 8);
  return found[1] === '1' ? undefined : { error: 'request/version', rule: `HTTP version ${found[1]}.${found[2]}`, at };
}

/** The absolute form, section 3.2.2: its authority replaces Host. Returns where the path begins, or -1. */
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

/** The authority form, host and port, for CONNECT alone: gw is nobody's tunnel (RFC 9110 section 9.3.6). */
function readConnect(text: string, start: number, end: number): ErrorSlug {
  const into = new Authority();
  const valid = readAuthority(into, text, start, end) && into.authority.length > into.host.length;
  return valid ? 'request/not-implemented' : 'request/malformed';
}

/** The method text[start, end); one constant for each common one, so that comparing it later is comparing pointers. */
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
