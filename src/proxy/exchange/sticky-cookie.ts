/** The cookie of a service that keeps clients at their targets: taken from requests, and set on replies. */
import type { Reply } from '../../policies/contract.js';
import { cookieField, cookieValues, removeCookies } from '../../policies/kits/cookies.js';
import type { Service } from '../upstream/service.js';
import type { Target } from '../upstream/target.js';
import type { GwExchange } from './exchange.js';
import { TargetReply } from './target-reply.js';

/** Removes the cookie from the request, since it is not for the target. Its value; undefined if there is none. */
export function takeStickyCookie(exchange: GwExchange, { sticky }: Service): string | undefined {
  if (sticky === undefined) return undefined;
  const field = cookieField(exchange.headers);
  if (field === undefined || !field.includes(sticky.name)) return undefined;
  const value = cookieValues(field, sticky.name)[0];
  removeCookies(exchange.headers, (name) => name === sticky.name);
  return value;
}

/** The value of Set-Cookie for a reply of `target` to a request that had the value `given`; undefined if none is to be set. */
export const stickyCookieOf = (
  { scheme }: GwExchange,
  { sticky }: Service,
  target: Target | undefined,
  given: string | undefined,
): string | undefined => (target === undefined ? undefined : sticky?.cookieFor(target, given, scheme === 'https'));

/**
 * Adds the cookie to a reply of a target, as the last step: what caches of gw keep has none. A reply that shared caches may keep gets
 * none either, as they would hand it to all clients.
 */
export function setStickyCookie(reply: Reply, cookie: string): void {
  if (!(reply instanceof TargetReply)) return;
  const control = reply.headers.get('cache-control');
  if (control !== undefined && /\b(public|s-maxage)\b/i.test(control)) return;
  reply.headers.append('set-cookie', cookie);
}
