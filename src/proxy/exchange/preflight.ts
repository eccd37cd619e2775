/**
 * CORS (the Fetch standard) for requests that match no route: a preflight has neither the method nor the header fields
 * of the actual request, and the page must be able to read a 404 or 405. Runs only for preflights and such replies.
 */
import { type PossibleRoute, possibleRoutes, routesOfPath } from '../../bundle/match/possible.js';
import type { Reply } from '../../policies/contract.js';
import type { GwExchange } from './exchange.js';

/** The method that a CORS preflight requests; undefined for every other request. */
export function requestedMethod(exchange: GwExchange): string | undefined {
  if (exchange.method !== 'OPTIONS' || exchange.header('origin') === undefined) return undefined;
  return exchange.header('access-control-request-method');
}

/**
 * The route that answers a preflight for `method`, if one of its policies answers preflights. Candidates are the routes
 * that match scheme, host, path, method and query of the request. Its header fields would select one of them, but a preflight
 * does not contain their values. So the first candidate in order of precedence that permits the request answers, or
 * else the first.
 */
export function preflightRoute(exchange: GwExchange, method: string): PossibleRoute | undefined {
  const { generation, host, path, query, listener, scheme } = exchange;
  if (!generation.answersPreflights) return undefined;
  const view = { method, host, path, query, listener, scheme, header: () => undefined };
  return permitting(exchange, possibleRoutes(generation.matcher, view));
}

/** Adds to a 404 or 405 the CORS fields of the routes with its path, regardless of their methods and conditions. */
export function markMiss(exchange: GwExchange, reply: Reply): Reply {
  const { error, generation } = exchange;
  if (error !== 'route/none' && error !== 'route/method') return reply;
  if (!generation.answersPreflights || exchange.header('origin') === undefined) return reply;
  const found = permitting(exchange, routesOfPath(generation.matcher, exchange));
  return found === undefined ? reply : generation.routes[found.route]!.chain.missed(exchange, reply);
}

function permitting(exchange: GwExchange, possible: readonly PossibleRoute[]): PossibleRoute | undefined {
  const { routes } = exchange.generation;
  const answering = possible.filter(({ route }) => routes[route]!.chain.answersPreflight);
  return answering.find(({ route }) => routes[route]!.chain.permits(exchange)) ?? answering[0];
}
