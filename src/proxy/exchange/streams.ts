/**
 * Streams: replies that last as long as there is something to say. The timeout of a route does not apply to them, and bytes
 * may be further apart than those of other replies.
 */
import type { RouteEntry } from '../../bundle/types.js';
import type { BodySink } from './body/types.js';
import type { GwExchange } from './exchange.js';

/** An exchange whose time is over. */
interface Timed {
  readonly route: RouteEntry;
  readonly startMs: number;
  readonly deadline: number;
  readonly grpc: { readonly lasts: boolean } | undefined;
  readonly source: { readonly isStream?: boolean | undefined } | undefined;
}

/** Whether the request or the reply of an exchange is a stream. The client's Content-Type alone makes it none. */
export function isStream({ route, grpc, source }: Pick<Timed, 'route' | 'grpc' | 'source'>): boolean {
  return route.stream ?? (source?.isStream === true || grpc?.lasts === true);
}

/**
 * Whether the client may take its time with the request's body, because its request is a stream that has a place at a target: then the
 * idle timeout of streams applies. Only with HTTP/2, where a place costs little.
 */
export const mayPause = (exchange: GwExchange, sink: Pick<BodySink, 'collecting'> | undefined): boolean =>
  sink?.collecting === false && exchange.compiled?.service?.entry.http2 !== undefined && isStream(exchange);

/** Whether the deadline of an exchange is the timeout of its route and does not apply, because it is a stream. (gRPC calls know.) */
export const outlivesTimeout = (exchange: Timed): boolean =>
  exchange.grpc === undefined && exchange.deadline === exchange.startMs + exchange.route.timeout && isStream(exchange);
