/** Names of the fields that gw itself writes or interprets. All in lower case. */

/** Forwarding fields other than X-Forwarded-*. */
const FORWARDING_NAMES = new Set(['forwarded', 'x-real-ip', 'x-request-id']);

/** Whether a field describes earlier hops, so that only trusted proxies may send it. `name` in lower case. */
export const isForwarding = (name: string): boolean => name.startsWith('x-forwarded-') || FORWARDING_NAMES.has(name);

/**
 * Hop-by-hop and framing fields, and the exchange's id. gw writes its own: if a policy edits one, later policies see the
 * edit, but it does not go on the wire.
 */
const OWN_FRAMING = new Set([
  'connection',
  'content-length',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-request-id',
]);

/** Whether only gw may write the field, since it belongs to one hop. `name` in lower case. */
export const isOwnFraming = (name: string): boolean => OWN_FRAMING.has(name);

/** Whether gw adds the field to requests (write-head.ts), so that a policy can remove it. `name` in lower case. */
export const isOwnLine = (name: string): boolean => name === 'via' || name === 'max-forwards' || isForwarding(name);

/** Fields for every recipient: content, destination and sender of a message. */
const END_TO_END = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'expect',
  'host',
  'max-forwards',
  'transfer-encoding',
  'via',
]);

/** Whether Connection must not list the field as hop-by-hop, RFC 9110 section 7.6.1. In lower case. */
export const isEndToEnd = (name: string): boolean => END_TO_END.has(name) || isForwarding(name);

/** Whether the field says who calls: only policies may set it, whoever sends the request. `name` in lower case. */
export const isCaller = (name: string): boolean => name.startsWith('x-consumer-');

/**
 * Whether a target could take a name for a field that gw writes or interprets, or that policies write (`written`): many read `_` and `-`
 * as the same (CGI, WSGI, Rack, PHP), and some every other character that is neither a letter nor a digit (lighttpd). A name in `written` that
 * itself has such a character is one that a policy asks clients for.
 */
export function isAlias(name: string, written: ReadonlySet<string>): boolean {
  const lower = name.toLowerCase();
  const meant = lower.replace(/[^a-z0-9]/g, '-');
  return OWN_FRAMING.has(meant) || isEndToEnd(meant) || isCaller(meant) || (written.has(meant) && !written.has(lower));
}
