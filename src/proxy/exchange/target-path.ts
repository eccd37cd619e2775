/** Path and query for the target: as matched, with a prefix stripped, rewritten, or as a policy has set the path. */
import { normalizePath } from '../../bundle/normalize.js';
import type { NormalizeEntry, TemplateEntry } from '../../bundle/types.js';
import type { Exchange } from '../../policies/contract.js';
import { decodeQuery, encodeByte } from '../../policies/run-kit.js';
import type { ErrorSlug } from '../errors/errors.js';

/** The parts of an exchange that path and query for the target depend on. */
export interface Routed extends Pick<Exchange, 'path' | 'query' | 'route' | 'rawParam'> {
  readonly generation: {
    readonly rewriteRules: NormalizeEntry;
    /** The text of one variable of a route's rewrite. */
    render(part: Variable, exchange: Exchange): string;
  };
  /** Set by a policy, normalised. */
  readonly givenPath: string | undefined;
}

type RoutedExchange = Exchange & Routed;

type Variable = { readonly var: string };

/** Path without query; '' if only the target's base path is left. Undefined if the path is invalid. */
export function targetPath(exchange: RoutedExchange): string | undefined {
  if (exchange.givenPath !== undefined) return exchange.givenPath;
  const { rewrite, stripPrefix } = exchange.route;
  if (rewrite !== undefined) return rewritten(exchange, rewrite, render);
  const path = exchange.path;
  if (stripPrefix === undefined || !path.startsWith(stripPrefix)) return path;
  const rest = path.slice(stripPrefix.length);
  return rest === '' || rest.charCodeAt(0) === 0x2f ? rest : path;
}

/** Sets a path for the target, in normal form. Returns false if it cannot be sent. */
export function setTargetPath(
  exchange: Pick<Routed, 'generation'> & { givenPath: string | undefined },
  path: string,
): boolean {
  const normal = normalizePath(path, exchange.generation.rewriteRules);
  exchange.givenPath = normal ?? exchange.givenPath;
  return normal !== undefined;
}

/** A path parameter, percent-decoded; as it is in the path if it is not UTF-8. */
export function decodedParam(raw: string): string {
  if (!raw.includes('%')) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}

/** Why targetPath() returned undefined: a value of the request, or else of the spec (a consumer's name or tag). */
export function rewriteFault(exchange: RoutedExchange): ErrorSlug {
  const { rewrite } = exchange.route;
  if (rewrite === undefined) return 'policy/failed';
  const harmless = (part: Variable, of: RoutedExchange): string => {
    if (part.var === 'request.path') return '/x';
    return isOfRequest(part.var) ? 'x' : render(part, of);
  };
  return rewritten(exchange, rewrite, harmless) === undefined ? 'route/rewrite' : 'request/rewrite';
}

const isOfRequest = (name: string): boolean =>
  name.startsWith('param.') || name.startsWith('request.') || name === 'client.ip';

/**
 * One variable of a rewritten path. Parameters and the path are used as in the normalized path of the request; all
 * other values are percent-encoded.
 */
function render(part: Variable, exchange: RoutedExchange): string {
  if (part.var.startsWith('param.')) return exchange.rawParam(part.var.slice(6)) ?? '';
  if (part.var === 'request.path') return exchange.path;
  return encodeValue(part, exchange);
}

/** Header values have one byte per character; all other values are text. */
function encodeValue(part: Variable, exchange: RoutedExchange): string {
  const value = exchange.generation.render(part, exchange);
  return part.var.startsWith('request.header.') ? value.replace(NOT_PLAIN, encodeByte) : encodeURIComponent(value);
}

/**
 * A variable that leaves its whole segment empty makes the path invalid: merging slashes would shift the segments after
 * it.
 */
function rewritten(
  exchange: RoutedExchange,
  parts: TemplateEntry,
  text: (part: Variable, exchange: RoutedExchange) => string,
): string | undefined {
  let path = '';
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (typeof part === 'string') {
      path += part;
      continue;
    }
    const value = text(part, exchange);
    const next = parts[i + 1];
    if (value === '' && !part.var.startsWith('param.') && path.endsWith('/') && startsSegment(next)) return undefined;
    path += value;
  }
  return normalizePath(path, exchange.generation.rewriteRules);
}

const startsSegment = (part: TemplateEntry[number] | undefined): boolean =>
  typeof part === 'string' && part.startsWith('/');

/**
 * The query for the target, raw, without `?`: the client's, or that of the rewrite followed by the client's parameters
 * that the rewrite does not name. So the rewrite's value counts for every target, whether it reads the first or the
 * last of two values.
 */
export function targetQuery(exchange: RoutedExchange): string {
  const { rewriteQuery } = exchange.route;
  if (rewriteQuery === undefined) return exchange.query;
  let query = '';
  for (const part of rewriteQuery) query += typeof part === 'string' ? part : queryValue(part, exchange, query);
  if (query === '' || exchange.query === '') return query;
  const named = new Set(query.split('&').map(nameOf));
  const others = exchange.query.split('&').filter((pair) => pair !== '' && !named.has(nameOf(pair)));
  return others.length === 0 ? query : `${query}&${others.join('&')}`;
}

/** One variable, encoded so that it stays within its parameter. `{request.query}` as a parameter is the whole query. */
function queryValue(part: Variable, exchange: RoutedExchange, before: string): string {
  if (part.var === 'request.query' && (before === '' || before.endsWith('&'))) return exchange.query;
  // In a path every escape is valid, and all other characters are ASCII.
  if (part.var === 'request.path') return encodeRaw(exchange.path);
  if (part.var.startsWith('param.')) return encodeRaw(exchange.rawParam(part.var.slice(6)) ?? '');
  return encodeValue(part, exchange);
}

const NOT_PLAIN = /[^A-Za-z0-9\-._~]/g;

const encodeRaw = (raw: string): string => raw.replace(/[^A-Za-z0-9\-._~%]/g, encodeByte);

function nameOf(pair: string): string {
  const equals = pair.indexOf('=');
  return decodeQuery(equals < 0 ? pair : pair.slice(0, equals));
}
