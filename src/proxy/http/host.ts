/** Host and authority, RFC 3986 section 3.2 without userinfo. */
import { HEX, HOST_NAME } from './chars.js';

/**
 * The host in lower case, without the port, of the authority text[start, end); undefined when it is malformed.
 * A port is one to five digits, at most 65535. '' for an empty authority.
 */
export function scanHost(text: string, start: number, end: number): string | undefined {
  if (end <= start) return '';
  if (text.charCodeAt(start) === 0x5b) return scanLiteral(text, start, end);
  let at = start;
  let upper = false;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    if (HOST_NAME[code] !== 1) break;
    if (code >= 0x41 && code <= 0x5a) upper = true;
  }
  if (at === start || (at < end && !isPort(text, at, end))) return undefined;
  const host = text.slice(start, at);
  return upper ? host.toLowerCase() : host;
}

/** `[v6]` with perhaps a port. */
function scanLiteral(text: string, start: number, end: number): string | undefined {
  let at = start + 1;
  let colons = 0;
  for (; at < end && text.charCodeAt(at) !== 0x5d; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x3a) colons++;
    else if (code !== 0x2e && HEX[code] === 255) return undefined;
  }
  if (at >= end || colons < 2) return undefined;
  const close = at + 1;
  if (close < end && !isPort(text, close, end)) return undefined;
  return text.slice(start, close).toLowerCase();
}

function isPort(text: string, colon: number, end: number): boolean {
  if (text.charCodeAt(colon) !== 0x3a || end - colon > 6) return false;
  let value = 0;
  for (let at = colon + 1; at < end; at++) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return false;
    value = value * 10 + digit;
  }
  return end > colon + 1 && value <= 65_535;
}
