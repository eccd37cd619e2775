/** What limits count by: the key of a request; and how long their answers tell a caller to wait. */
import type { Awaitable, ConsumerEntry, Exchange, LimitAnswer } from '../contract.js';

/** As limitKeyOf() of the compile kit makes it of `by`. */
export interface LimitKey {
  readonly by: 'ip' | 'consumer' | 'route' | 'header';
  /** Lower case; with by = header. */
  readonly header?: string;
}

/** Longer header fields are cut for the key, so that a long field does not cost more. */
const MAX_HEADER_KEY = 256;

export const consumerKey = ({ name }: ConsumerEntry): string => `consumer:${name}`;

/** The key of a request. One without a consumer, or without the header field, counts by its address. */
export function limitKey(exchange: Exchange, { by, header }: LimitKey): string {
  if (by === 'route') return `route:${exchange.route.name}`;
  if (by === 'consumer' && exchange.consumer !== undefined) return consumerKey(exchange.consumer);
  const value = header === undefined ? undefined : exchange.headers.get(header);
  return value ? `header:${value.slice(0, MAX_HEADER_KEY)}` : `ip:${networkOf(exchange.remoteAddress)}`;
}

/**
 * The part of an address that identifies a client. IPv4: the whole address. IPv6: its /64 network, since a subscriber has
 * a whole /64; counting by the address would give each of them 2^64 counts. `::ffff:192.0.2.1` is the IPv4 address.
 */
export function networkOf(address: string): string {
  if (!address.includes(':')) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = address.split('%', 1)[0]!.split('::');
  const left = head === '' ? [] : head.split(':');
  if (tail !== undefined && left.length < 4) {
    const right = tail === '' ? [] : tail.split(':');
    // A dotted tail stands for two groups.
    const groups = right.length + (tail.includes('.') ? 1 : 0);
    const filled = [...left, ...new Array<string>(Math.max(0, 8 - left.length - groups)).fill('0'), ...right];
    return networkText(filled);
  }
  return networkText(left);
}

const networkText = (groups: readonly string[]): string =>
  `${groups
    .slice(0, 4)
    .map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;

/** Milliseconds to wait; 0 if the answer allows the request. Reads it at once, since a store in memory uses it again. */
export function waitOf(answer: Awaitable<LimitAnswer>): Awaitable<number> {
  if (answer instanceof Promise) return answer.then(waitOf);
  return answer.allowed ? 0 : answer.retryMs;
}
