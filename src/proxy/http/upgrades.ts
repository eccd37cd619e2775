/** The protocols of an Upgrade field. */
import { isToken, trimSpaces } from './chars.js';
import { Seen } from './seen.js';

/**
 * Whether a request is an upgrade that gw forwards; others are ignored, as RFC 9110 section 7.8 permits. The HTTP client for
 * upgrades writes every method in capitals: a `get`, which no route treats as GET, would reach the target as GET.
 */
export function asksForUpgrade(request: {
  readonly seen: number;
  readonly minor: number;
  readonly method: string;
  readonly headers: { received(name: string): string | undefined };
}): boolean {
  const both = Seen.Upgrade | Seen.ConnectionUpgrade;
  if ((request.seen & both) !== both || request.minor !== 1) return false;
  const { method, headers } = request;
  return method === method.toUpperCase() && isForwardedUpgrade(headers.received('upgrade') ?? '');
}

/** Protocols that carry HTTP themselves. */
const OTHER_HTTP = new Set(['h2', 'h2c', 'http', 'tls']);

/** Whether this is a valid list of protocols without other HTTP versions, whose requests would bypass all policies. */
function isForwardedUpgrade(list: string): boolean {
  let count = 0;
  for (const item of list.split(',')) {
    const protocol = trimSpaces(item);
    if (protocol === '') continue;
    const slash = protocol.indexOf('/');
    const name = slash < 0 ? protocol : protocol.slice(0, slash);
    if (!isToken(name) || (slash >= 0 && !isToken(protocol.slice(slash + 1)))) return false;
    if (OTHER_HTTP.has(name.toLowerCase())) return false;
    count++;
  }
  return count > 0;
}
