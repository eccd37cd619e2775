/** What is wrong with a config of the cache, beyond its types. */
import type { PolicyCode, PolicyContext, PolicyProblem } from '../contract.js';
import type { CacheConfig } from './schema.js';

export const CODES: readonly PolicyCode[] = [
  {
    code: 'cache/two-queries',
    severity: 'error',
    summary: 'The key of a cache both lists and excludes query parameters',
  },
  { code: 'cache/status', severity: 'error', summary: 'Replies with a status are never stored' },
  { code: 'cache/no-get', severity: 'warning', summary: 'A cache is on a route that takes no GET' },
  { code: 'cache/no-effect', severity: 'warning', summary: 'A setting of a cache has no effect' },
];

type Report = (problem: PolicyProblem) => void;

/** Answers to one request only: RFC 9110 sections 15.3.7, 15.4.5 and 15.5, RFC 6585. */
const NEVER_STORED = new Set(['304', '412', '416', '428', '429', '431', '511']);

export function lint(config: CacheConfig, { routes }: PolicyContext, report: Report): void {
  lintKey(config, report);
  for (const status of Object.keys(config.negative ?? {})) {
    if (!NEVER_STORED.has(status)) continue;
    report({
      code: 'cache/status',
      severity: 'error',
      at: ['negative', status],
      message: `A reply with status ${status} answers one request only: it is never stored, so a lifetime for it has no effect.`,
      help: 'Remove the status.',
    });
  }
  for (const { name, methods } of routes) {
    if (methods.length === 0 || methods.includes('GET')) continue;
    // A route with unsafe methods removes what they change.
    const unsafe = methods.some((method) => !['HEAD', 'OPTIONS', 'TRACE'].includes(method));
    if (unsafe && routes.length > 1) continue;
    report({
      code: 'cache/no-get',
      severity: 'warning',
      at: [],
      message: `Route \`${name}\` takes only ${methods.join(', ')}, and only replies to GET are stored: the cache never answers there.`,
      help: unsafe
        ? 'Take the policy from the route, or use it on the routes with GET too: then these methods remove what they change.'
        : 'Take the policy from the route, or let the route take GET.',
    });
  }
  lintEffect(config, report);
}

function lintKey({ key }: CacheConfig, report: Report): void {
  if (key.query !== undefined && key.query_except !== undefined) {
    report({
      code: 'cache/two-queries',
      severity: 'error',
      at: ['key', 'query_except'],
      related: [{ at: ['key', 'query'], message: 'the list of parameters' }],
      message: 'The key has only the parameters of `query`, so there is nothing to exclude.',
      help: 'Remove `query` or `query_except`.',
    });
  }
  if (!key.consumer && key.claims !== undefined) {
    report({
      code: 'cache/no-effect',
      severity: 'warning',
      at: ['key', 'claims'],
      message: 'With `consumer = false`, callers are no part of the key, so `claims` has no effect.',
      help: 'Remove `claims`, or `consumer = false`.',
    });
  }
}

function lintEffect(config: CacheConfig, report: Report): void {
  const idle = (at: string, message: string, help: string): void =>
    report({ code: 'cache/no-effect', severity: 'warning', at: [at], message, help });
  if (config.ttl !== undefined && config.heuristic !== undefined)
    idle(
      'heuristic',
      'With a `ttl`, replies have that lifetime, so `heuristic` is used only for statuses that are not stored by it.',
      'Remove `heuristic` or `ttl`.',
    );
  if (config.ttl === Number.POSITIVE_INFINITY)
    for (const at of ['stale_while_revalidate', 'stale_if_error'] as const)
      if (config[at] !== undefined)
        idle(at, `With \`ttl = "forever"\`, replies are never stale, so \`${at}\` has no effect.`, `Remove \`${at}\`.`);
  if (!config.collapse && config.collapse_wait !== 5000)
    idle('collapse_wait', 'With `collapse = false`, no request waits for another one.', 'Remove `collapse_wait`.');
}
