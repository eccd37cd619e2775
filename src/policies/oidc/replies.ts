/** Replies of logins and logouts. None of them may be kept by a cache. */
import type { DeclaredProblem, Exchange, Reply } from '../contract.js';
import { BytesReply, HeaderMap, problem } from '../run-kit.js';

/** `cookies`: values of Set-Cookie. */
export function redirect(location: string, cookies: readonly string[]): Reply {
  const headers = new HeaderMap([
    ['location', location],
    ['cache-control', 'no-store'],
    // The URL of a callback has a code in it.
    ['referrer-policy', 'no-referrer'],
  ]);
  for (const cookie of cookies) headers.append('set-cookie', cookie);
  return new BytesReply(302, { headers });
}

export interface FailureOptions {
  /** A sentence for the person. */
  readonly detail?: string | undefined;
  /** For the log. */
  readonly cause?: string;
  readonly cookies?: readonly string[];
}

/** A problem for a person at a browser, which can also set or delete cookies. */
export function failure(exchange: Exchange, declared: DeclaredProblem, options: FailureOptions = {}): Reply {
  const { detail, cause, cookies = [] } = options;
  const { code, status, title } = declared;
  const reply = problem(exchange, {
    code,
    status,
    title,
    ...(detail === undefined ? {} : { detail }),
    ...(cause === undefined ? {} : { cause }),
    ...(status === 503 ? { headers: { 'retry-after': '5' } } : {}),
  });
  for (const cookie of cookies) reply.headers.append('set-cookie', cookie);
  return reply;
}

/** The value of a query parameter; undefined for none, null if it occurs several times (RFC 6749 section 3.1). */
export function parameter(query: URLSearchParams, name: string): string | undefined | null {
  const values = query.getAll(name);
  return values.length > 1 ? null : values[0];
}
