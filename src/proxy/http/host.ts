/** Host and authority, RFC 3986 section 3.2 without userinfo. */
import { isIP } from 'node:net';
import { HEX, HOST_NAME } from './chars.js';

/** No name in the DNS is longer. */
const MAX_NAME = 255;
const DOT = 0x2e;

/** A host, and the authority that it stands in, in the one form in which gw matches them and hands them on. */
export class Authority {
  /** Lower case, without the port and without the dot of the DNS root. */
  host = '';
  /** The host, and the port if one was sent. */
  authority = '';
}

/**
 * Reads text[start, end) into `into`; false when it is empty or malformed. A port is 1 to 65535, without zeros in front.
 * What is allowed by the RFC and used by nobody, like an empty port or an escape, is malformed.
 */
export function readAuthority(into: Authority, text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start);
  if (first === 0x5b) return readLiteral(into, text, start, end);
  let at = start;
  let upper = false;
  for (; at < end; at++) {
    const kind = HOST_NAME[text.charCodeAt(at)];
    if (kind === 1) continue;
    if (kind !== 2) break;
    upper = true;
  }
  if (at === start || first === DOT || at - start > MAX_NAME) return false;
  if (at < end && !isPort(text, at, end)) return false;
  const rooted = text.charCodeAt(at - 1) === DOT;
  const name = text.slice(start, at);
  if (name.includes('..')) return false;
  const host = rooted ? name.slice(0, -1) : name;
  into.host = upper ? host.toLowerCase() : host;
  if (at === end) into.authority = into.host;
  else into.authority = upper || rooted ? into.host + text.slice(at, end) : text.slice(start, end);
  return true;
}

/** `[v6]` with perhaps a port; neither zones nor addresses of a future version. */
function readLiteral(into: Authority, text: string, start: number, end: number): boolean {
  let at = start + 1;
  for (; at < end && text.charCodeAt(at) !== 0x5d; at++) {
    const code = text.charCodeAt(at);
    if (code !== 0x3a && code !== DOT && HEX[code] === 255) return false;
  }
  const close = at + 1;
  if (at >= end || isIP(text.slice(start + 1, at)) !== 6) return false;
  if (close < end && !isPort(text, close, end)) return false;
  into.host = text.slice(start, close).toLowerCase();
  into.authority = into.host + text.slice(close, end);
  return true;
}

function isPort(text: string, colon: number, end: number): boolean {
  if (text.charCodeAt(colon) !== 0x3a || end - colon > 6 || text.charCodeAt(colon + 1) === 0x30) return false;
  let value = 0;
  for (let at = colon + 1; at < end; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return false;
    value = value * 10 + digit;
  }
  return end > colon + 1 && value <= 65_535;
}
