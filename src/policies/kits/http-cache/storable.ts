/** Whether a reply may be stored, RFC 9111 section 3. */
import { type Directives, hasDirective, hasFlag, namedFields, readDirectives, spanOf } from './directives.js';
import type { ReadField } from './fields.js';
import { knowsCodings, parseVary } from './vary.js';

export interface AssessedRequest {
  readonly method: string;
  /** As the client sent them, with Authorization. */
  readonly fields: ReadField;
  /** Whether the request had credentials that are no longer among its fields. */
  readonly authorized?: boolean;
}

export interface AssessedReply {
  readonly status: number;
  readonly fields: ReadField;
}

/** Statuses that may be stored without explicit freshness, RFC 9110 section 15.1; 206 is never stored. */
export const HEURISTIC_STATUSES: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

/** Statuses whose rules for caches are those that this kit follows: what must-understand asks for, RFC 9111 section 5.2.2.3. */
const UNDERSTOOD = new Set([
  ...HEURISTIC_STATUSES,
  ...[201, 202, 205, 302, 303, 307, 400, 401, 402, 403, 406, 407, 408, 409, 411, 413, 415, 417, 421, 422, 426],
  ...[500, 502, 503, 504, 505],
]);

/** Replies to one request only: parts, answers to a condition or range, and those that RFC 6585 forbids to store. */
const NEVER_STORED = new Set([206, 304, 412, 416, 428, 429, 431, 511]);

/**
 * Why a reply is for its request only, as a phrase; undefined if it is not. Such a reply is not stored, and changes nothing that is.
 * `clientDirectives`: whether no-store of the request counts.
 */
export function onlyForRequest(
  request: AssessedRequest,
  directives: Directives,
  { shared, clientDirectives }: { readonly shared: boolean; readonly clientDirectives: boolean },
): string | undefined {
  if (clientDirectives && forbidsRequest(request.fields)) return 'the request forbids it (no-store)';
  return shared && isAuthorized(request) && !allowsAuthorized(directives) ? 'the request has credentials' : undefined;
}

/** Why a reply must not be stored, as a phrase; undefined if it may. Whether it has explicit freshness is decided by assess(). */
export function forbidsStoring(
  request: AssessedRequest,
  reply: AssessedReply,
  directives: Directives,
  shared: boolean,
): string | undefined {
  const { status, fields } = reply;
  if (request.method !== 'GET') return `replies to ${request.method} are not stored`;
  if (status < 200 || NEVER_STORED.has(status)) return `status ${status} is not stored`;
  if (directives.malformed) return 'its cache directives are malformed';
  if (hasFlag(directives, 'must-understand')) {
    if (!UNDERSTOOD.has(status)) return `status ${status} is not understood (must-understand)`;
  } else if (hasDirective(directives, 'no-store')) return 'the reply forbids it (no-store)';
  if (shared && namedFields(directives, 'private') === 'all') return 'the reply is for one user (private)';
  return forbidsVariant(fields);
}

function forbidsRequest(read: ReadField): boolean {
  const field = read('cache-control');
  if (field === undefined) return false;
  const directives = readDirectives(field);
  return directives.malformed || hasDirective(directives, 'no-store');
}

const isAuthorized = ({ authorized, fields }: AssessedRequest): boolean =>
  authorized === true || fields('authorization') !== undefined;

/** Whether a reply to a request with Authorization may be stored for all callers, RFC 9111 section 3.5. */
export function allowsAuthorized(directives: Directives): boolean {
  const shared = spanOf(directives, 's-maxage');
  return (
    hasFlag(directives, 'public') ||
    hasDirective(directives, 'must-revalidate') ||
    (shared !== undefined && shared !== 'invalid')
  );
}

function forbidsVariant(reply: ReadField): string | undefined {
  const vary = parseVary(reply('vary'));
  if (vary === 'any') return 'it varies by more than fields of the request (Vary)';
  if (vary.includes('accept-encoding') && !knowsCodings(reply('content-encoding')))
    return 'it varies by Accept-Encoding and has an unknown coding';
  return undefined;
}
