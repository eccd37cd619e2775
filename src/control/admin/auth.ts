/** Authorization of the admin API over TCP. On the unix socket the file's mode decides. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

/** True if the request has the token. Compares digests in constant time, so timing reveals neither length nor content. */
export function carriesToken(request: IncomingMessage, token: string): boolean {
  const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  return given !== undefined && token !== '' && timingSafeEqual(digest(given), digest(token));
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/**
 * True if Host names this server by address, as `localhost`, or by a configured name. Protects against DNS rebinding: a web
 * page whose own name resolves to a loopback address fails here.
 */
export function namesThisServer(
  request: IncomingMessage,
  configured: { readonly host: string; readonly hosts: readonly string[] },
): boolean {
  const host = hostOf(request.headers.host ?? '');
  if (host === undefined) return false;
  if (host === 'localhost' || isIP(host) !== 0) return true;
  return host === configured.host.toLowerCase() || configured.hosts.includes(host);
}

/** Host without port and brackets, in lower case; undefined if malformed. */
function hostOf(authority: string): string | undefined {
  const found = /^(?:\[([0-9a-f:.]+)\]|([^:[\]/@\s]+))(?::\d{1,5})?$/i.exec(authority);
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}
