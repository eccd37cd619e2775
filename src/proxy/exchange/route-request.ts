/** Finds the route of an exchange: from a parsed head to a chain, for the engine and for explain. */
import { NO_ROUTE, WRONG_METHOD } from '../../bundle/match/match.js';
import { allowedMethods } from '../../bundle/match/possible.js';
import { normalizePath, refusedBecause } from '../../bundle/normalize.js';
import type { Reply } from '../../policies/contract.js';
import { BytesReply, HeaderMap } from '../../policies/run-kit.js';
import { Seen } from '../http/seen.js';
import { refuse } from './chain/refuse.js';
import { CLIENT_CERT_FIELDS, type ClientRules } from './client-certificate.js';
import type { GwExchange } from './exchange.js';
import { answerInFront } from './front.js';
import type { TlsPolicyLookup } from './peer.js';
import { preflightRoute, requestedMethod } from './preflight.js';

/** The methods in Allow for a route without a method: the common ones. */
const USUAL_METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'];

/**
 * Normalizes the path, matches, and sets route and parameters of the exchange. Returns a reply if the request ends
 * here.
 */
export function routeRequest(exchange: GwExchange): Reply | undefined {
  const { generation, peer } = exchange;
  if (peer.listener.policies !== undefined) {
    const refused = refuseByTls(exchange, peer.listener.policies);
    if (refused !== undefined) return refused;
  }
  // Targets may trust them: they are from gw or from a trusted proxy, RFC 9440 section 4.
  if (exchange.seen & Seen.ClientCert && !peer.trusted)
    for (const name of CLIENT_CERT_FIELDS) exchange.headers.remove(name);
  const { front } = peer.listener;
  if (front !== undefined) {
    const answer = answerInFront(exchange, front);
    if (answer !== undefined) return answer;
  }
  // An https URI over an insecure connection must be refused, unless it comes from a trusted gateway: RFC 9110 section 7.4.
  // Some proxies say `:scheme: https` on every HTTP/2 connection.
  if (exchange.seen & Seen.SecureTarget && exchange.scheme !== 'https' && !peer.trusted)
    return refuse(exchange, 'request/misdirected', 'the target is an https URL, and the connection has no TLS');
  // The asterisk form is about the whole server: no route has such a path.
  if (exchange.path === '*') return new BytesReply(204);
  const path = normalizePath(exchange.path, generation.program.normalize);
  if (path === undefined) return refusePath(exchange);
  exchange.path = path;
  if (exchange.seen & Seen.MaxForwards && Number(exchange.headers.received('max-forwards')) === 0)
    return lastHop(exchange);
  const { matcher } = generation;
  const index = matcher.match(exchange);
  if (exchange.method === 'OPTIONS' && takePreflight(exchange, index)) return undefined;
  if (index < 0) return noRoute(exchange, index);
  const compiled = generation.routes[index]!;
  exchange.compiled = compiled;
  const count = matcher.paramCount;
  if (count > 0) {
    const offsets: number[] = [];
    for (let i = 0; i < count; i++) offsets.push(matcher.paramStart(i), matcher.paramEnd(i));
    exchange.setParams(offsets);
  }
  exchange.decisions?.push({
    step: 'match',
    use: 'match',
    outcome: 'pass',
    why: `matched ${compiled.entry.match}`,
    details: { route: compiled.entry.name },
  });
  return undefined;
}

/**
 * On a listener with several TLS policies, a request for a name of another policy than its connection's would bypass that policy:
 * RFC 9110 section 7.4.
 */
function refuseByTls(exchange: GwExchange, policies: TlsPolicyLookup): Reply | undefined {
  const policy = policies.of(exchange.peer.tls?.serverName);
  if (policies.several && policies.of(exchange.host) !== policy) {
    const cause = 'the host has another TLS policy than the server name of the connection';
    exchange.decisions?.push({ step: 'TLS policy', use: 'tls', outcome: 'answer', why: cause });
    return refuse(exchange, 'request/misdirected', cause);
  }
  return policy.clients === undefined ? undefined : refuseClient(exchange, policy.clients);
}

/**
 * On a listener that asks for client certificates: refuses a connection whose certificate is not valid, or not any more.
 */
function refuseClient(exchange: GwExchange, clients: ClientRules): Reply | undefined {
  const { peer } = exchange;
  const presented = peer.tls?.presented;
  const cause =
    presented === undefined
      ? clients.required && 'no client certificate: the connection is older than `client_ca`'
      : presented.refusal(clients, exchange.startedAt);
  if (typeof cause === 'string') {
    exchange.decisions?.push({ step: 'client certificate', use: 'tls', outcome: 'answer', why: cause });
    exchange.endsConnection = true;
    return refuse(exchange, 'request/certificate', cause);
  }
  const certificate = presented?.facts;
  if (certificate !== undefined)
    exchange.decisions?.push({
      step: 'client certificate',
      use: 'tls',
      outcome: 'pass',
      why: `${certificate.subjectName}, issued by ${certificate.issuerName}`,
    });
  return undefined;
}

/**
 * Adds the certificate of the client for targets, if its listener says so. The certificate is valid: otherwise routeRequest() has
 * refused the request. A trusted proxy speaks for its own clients, and its certificate is not theirs.
 */
export function forwardCertificate({ decisions, headers, peer }: GwExchange): void {
  const { tls } = peer;
  if (peer.trusted || peer.listener.policies?.of(tls?.serverName).forwards !== true) return;
  const fields = tls?.presented?.fields;
  if (fields === undefined) return;
  headers.set('client-cert', fields.cert);
  if (fields.chain !== undefined) headers.set('client-cert-chain', fields.chain);
  const why = 'added client-cert: forward_client_cert';
  decisions?.push({ step: 'client certificate', use: 'tls', outcome: 'edit', why });
}

function refusePath(exchange: GwExchange): Reply {
  const why = refusedBecause(exchange.path, exchange.generation.program.normalize);
  exchange.decisions?.push({ step: 'normalize', use: 'normalize', outcome: 'answer', why: why ?? '' });
  return refuse(exchange, 'request/path', `the normalization rules refuse the path: ${why}`);
}

/**
 * TRACE and OPTIONS with Max-Forwards 0, RFC 9110 section 7.6.2: gw answers instead of the target. It does not echo a
 * TRACE, which would reveal the fields that gw adds to requests.
 */
function lastHop(exchange: GwExchange): Reply {
  const { matcher } = exchange.generation;
  const index = matcher.match(exchange);
  if (index === NO_ROUTE) return noRoute(exchange, index);
  const named = allowedMethods(matcher, exchange);
  if (exchange.method === 'TRACE') {
    // A route for any method names none, and an empty Allow would mean that no method is allowed.
    const all = index >= 0 && !named.includes('TRACE') ? [...new Set([...named, ...USUAL_METHODS])] : named;
    return refuse(exchange, 'route/method', WRONG_METHOD_CAUSE, {
      allow: all.filter((method) => method !== 'TRACE').join(', '),
    });
  }
  const allow = named.join(', ');
  return allow === '' ? new BytesReply(204) : new BytesReply(204, { headers: new HeaderMap([['allow', allow]]) });
}

/**
 * Assigns a CORS preflight to the route of the actual request. Returns false if it is not a preflight, or if no
 * matching route answers preflights. `index`: result of the match. A route with method OPTIONS handles preflights
 * itself.
 */
function takePreflight(exchange: GwExchange, index: number): boolean {
  const method = requestedMethod(exchange);
  const { matcher, routes } = exchange.generation;
  if (method === undefined || (index >= 0 && matcher.wonByMethod)) return false;
  const found = preflightRoute(exchange, method);
  if (found === undefined) {
    // The search has overwritten the parameters.
    if (index >= 0) matcher.match(exchange);
    return false;
  }
  const compiled = routes[found.route]!;
  exchange.compiled = compiled;
  if (found.params.length > 0) exchange.setParams(found.params);
  exchange.decisions?.push({
    step: 'match',
    use: 'match',
    outcome: 'pass',
    why: `a preflight that asks about ${method}: ${compiled.entry.match} answers it`,
    details: { route: compiled.entry.name },
  });
  return true;
}

function noRoute(exchange: GwExchange, index: typeof NO_ROUTE | typeof WRONG_METHOD | number): Reply {
  const wrongMethod = index === WRONG_METHOD;
  exchange.decisions?.push({
    step: 'match',
    use: 'match',
    outcome: 'answer',
    why: wrongMethod ? 'routes match the path, but not the method' : 'no route matches',
  });
  if (!wrongMethod) return refuse(exchange, 'route/none', 'no route matches the host, path and conditions');
  const allow = allowedMethods(exchange.generation.matcher, exchange).join(', ');
  return refuse(exchange, 'route/method', WRONG_METHOD_CAUSE, { allow });
}

const WRONG_METHOD_CAUSE = 'routes match the path, but not the method';
