/** Host and authority, RFC 3986 section 3.2 without userinfo. */
import { isIP } from 'node:net';
import { HEX, HOST_NAME } from './chars.js';

/** Longest name in the DNS. */
const MAX_NAME = 255;
const DOT = 0x2e;

/** A host and its authority, in the canonical form that gw matches and forwards. */
export class Authority {
  /** Lower case, without port and without a trailing dot. */
  host = '';
  /** The host, with the port if one was sent. */
  authority = '';
}

/**
 * Reads text[start, end) into `into`; false if it is empty or malformed. A port is 1 to 65535, without leading zeros. Unused
 * forms that the RFC allows, such as an empty port or an escape, count as malformed.
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

/** `[v6]` with an optional port; no zones, no addresses of future versions. */
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
