/** The protocols of an Upgrade field. */
import { isToken, trimSpaces } from './chars.js';

/** Protocols that carry HTTP themselves. */
const OTHER_HTTP = new Set(['h2', 'h2c', 'http', 'tls']);

/** Whether this is a valid list of protocols without other HTTP versions, whose requests would bypass all policies. */
export function isForwardedUpgrade(list: string): boolean {
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
