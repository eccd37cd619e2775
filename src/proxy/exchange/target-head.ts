/** The head of an exchange's request, as its target sees it. */
import { Seen } from '../http/seen.js';
import { type RequestDestination, requestTarget, requestHead as writeHead } from '../http/write-head.js';
import type { GwExchange } from './exchange.js';
import { targetPath, targetQuery } from './target-path.js';

/**
 * The request head, with the empty line; undefined if the route's rewrite or a policy's edit makes a path or Host that must
 * not go on the wire. `extra` are further lines (of an upgrade).
 */
export function requestHead(exchange: GwExchange, target: RequestDestination, extra = ''): string | undefined {
  const path = targetPath(exchange);
  if (path === undefined) return undefined;
  const query = targetQuery(exchange);
  const lines = `${prefixLine(exchange, path)}${extra}`;
  return writeHead(exchange, target, path, query === '' && !isBare(exchange) ? undefined : query, lines);
}

const PREFIX = 'x-forwarded-prefix';

/** X-Forwarded-Prefix: what the target does not see of the path, after what a trusted proxy has removed from it. */
function prefixLine({ headers, path: received, peer, seen }: GwExchange, path: string): string {
  const given = peer.trusted && (seen & Seen.ForwardedOther) !== 0 ? headers.received(PREFIX) : undefined;
  const removed = path === received ? '' : removedPrefix(received, path);
  if ((given === undefined && removed === '') || headers.touched(PREFIX)) return '';
  const before = given === undefined ? '' : removed === '' ? given : given.replace(/\/+$/, '');
  return `${PREFIX}: ${before}${removed}\r\n`;
}

/** What is in front of `path` in the path that was received; '' if that does not end with it. */
function removedPrefix(received: string, path: string): string {
  // Without a rest, the target gets the slash that every path has.
  const rest = path === '/' && !received.endsWith('/') ? '' : path;
  return received.endsWith(rest) ? received.slice(0, received.length - rest.length) : '';
}

/** Path and query as the target gets them; undefined for a path that must not go on the wire. */
export function pathAndQuery(exchange: GwExchange, target: RequestDestination): string | undefined {
  const path = targetPath(exchange);
  if (path === undefined) return undefined;
  const query = targetQuery(exchange);
  return requestTarget(target, path, query === '' && !isBare(exchange) ? undefined : query);
}

/** The lines that ask the target for an upgrade, for `extra` of requestHead(). */
export const upgradeLines = (exchange: GwExchange): string =>
  `connection: upgrade\r\nupgrade: ${exchange.headers.received('upgrade') ?? ''}\r\n`;

/** Whether trailers of the reply are read: by the client, or because gRPC cannot do without. */
export const readsTrailers = ({ seen, headers }: GwExchange): boolean =>
  (seen & Seen.Trailers) !== 0 || headers.get('content-type')?.startsWith('application/grpc') === true;

/** The line that tells an HTTP/2 target that they are. */
export const trailersLine = (exchange: GwExchange): string => (readsTrailers(exchange) ? 'te: trailers\r\n' : '');

/** Whether the target gets `?` without a query: the client sent it so, and the route's rewrite does not set the query. */
const isBare = ({ bareQuery, query, route }: GwExchange): boolean =>
  bareQuery && query === '' && route.rewriteQuery === undefined;
