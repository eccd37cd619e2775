/**
 * CORS (the Fetch standard) where no route has taken the request as it came: a preflight carries neither the method nor
 * the header fields of the request that it asks about, and a miss must be readable for the page that caused it. Runs for
 * preflights and for misses alone.
 */
import { type PossibleRoute, possibleRoutes, routesOfPath } from '../../bundle/match/possible.js';
import type { Reply } from '../../policies/contract.js';
import type { GwExchange } from './exchange.js';

/** The method that a CORS preflight asks about; undefined for every other request. */
export function askedMethod(exchange: GwExchange): string | undefined {
  if (exchange.method !== 'OPTIONS' || exchange.header('origin') === undefined) return undefined;
  return exchange.header('access-control-request-method');
}

/**
 * The route that answers a preflight about `method`, where a policy of it answers preflights. Routes that the request may
 * go to are those that take its host, path, method and query; which of them does, its header fields decide, and a
 * preflight has none of their values. So of these routes, in the order of precedence, the first answers that permits the
 * request, and if none does, the first.
 */
export function preflightRoute(exchange: GwExchange, method: string): PossibleRoute | undefined {
  const { generation, host, path, query, listener } = exchange;
  if (!generation.answersPreflights) return undefined;
  const view = { method, host, path, query, listener, header: () => undefined };
  return permitting(exchange, possibleRoutes(generation.matcher, view));
}

/** Gives a 404 or 405 the CORS fields of the routes that have its path, whatever their methods and conditions. */
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
