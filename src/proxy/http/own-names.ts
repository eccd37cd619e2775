/** Field names that gw itself writes, frames by or steers by. All of them in lower case. */

/** What gw is told of the way so far, besides X-Forwarded-*. */
const FORWARDING_NAMES = new Set(['forwarded', 'x-real-ip', 'x-request-id']);

/** Whether a field tells of the way so far, and so is believed of trusted proxies alone. `name` in lower case. */
export const isForwarding = (name: string): boolean => name.startsWith('x-forwarded-') || FORWARDING_NAMES.has(name);

/**
 * Fields that frame or steer one hop, and the exchange's id. gw writes its own, whatever a policy sets: an edit of one of
 * these changes what later policies read, never what goes on the wire.
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

/** Whether a field frames or steers one hop, and so is gw's own to write. `name` in lower case. */
export const isOwnFraming = (name: string): boolean => OWN_FRAMING.has(name);

/** Whether gw itself tells targets this (write-head.ts): a policy may take it away again. `name` in lower case. */
export const isOwnLine = (name: string): boolean => name === 'via' || name === 'max-forwards' || isForwarding(name);

/** Fields that say what a message is, where it goes and who sends it: they are for every recipient. */
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

/** Whether no Connection field may make this one the affair of a single hop, RFC 9110 section 7.6.1. In lower case. */
export const isEndToEnd = (name: string): boolean => END_TO_END.has(name) || isForwarding(name);

/**
 * Whether a name with underscores is another way to write one that gw sets or steers by, or that policies set (`written`),
 * to a target that reads `_` and `-` as the same (CGI, WSGI, Rack, PHP). A name that stands in `written` as it is holds an
 * underscore because a policy asks clients for it.
 */
export function isAlias(name: string, written: ReadonlySet<string>): boolean {
  const lower = name.toLowerCase();
  const meant = lower.replaceAll('_', '-');
  return OWN_FRAMING.has(meant) || isEndToEnd(meant) || (written.has(meant) && !written.has(lower));
}
