/** For how long a reply is fresh, RFC 9111 section 4.2.1. Pure: every time is given, in milliseconds since 1970. */
import { dateOfReply, initialAge, type ReplyTimes } from './age.js';
import { readDate } from './date.js';
import { type Directives, hasDirective, readDirectives, spanOf } from './directives.js';
import type { ReadField } from './fields.js';

export interface Heuristic {
  /** Of the time since Last-Modified, such as 0.1. */
  readonly fraction: number;
  /** Milliseconds: the greatest lifetime. */
  readonly mostMs: number;
}

export type LifetimeSource = 's-maxage' | 'max-age' | 'expires' | 'heuristic' | 'ttl' | 'none';

export interface Lifetime {
  readonly ms: number;
  readonly source: LifetimeSource;
}

/**
 * What the reply itself says. An invalid value counts as 0. Undefined if it says nothing. `expires` is false if the directives are
 * from a targeted field.
 */
export function explicitLifetime(
  read: ReadField,
  directives: Directives,
  receivedAt: number,
  options: { readonly shared: boolean; readonly expires: boolean },
): Lifetime | undefined {
  if (directives.malformed) return { ms: 0, source: 'max-age' };
  for (const source of options.shared ? (['s-maxage', 'max-age'] as const) : (['max-age'] as const)) {
    const span = spanOf(directives, source);
    if (span !== undefined) return { ms: span === 'invalid' ? 0 : span, source };
  }
  const expires = options.expires ? read('expires') : undefined;
  if (expires === undefined) return undefined;
  const end = readDate(expires, receivedAt);
  return { ms: end === undefined ? 0 : Math.max(0, end - dateOfReply(read, receivedAt)), source: 'expires' };
}

/** A lifetime from Last-Modified, RFC 9111 section 4.2.2. Undefined if it is absent, invalid or not in the past. */
export function heuristicLifetime(
  read: ReadField,
  receivedAt: number,
  { fraction, mostMs }: Heuristic,
): Lifetime | undefined {
  const field = read('last-modified');
  const modified = field === undefined ? undefined : readDate(field, receivedAt);
  if (modified === undefined) return undefined;
  const since = dateOfReply(read, receivedAt) - modified;
  return since > 0 ? { ms: Math.min(mostMs, Math.floor(since * fraction)), source: 'heuristic' } : undefined;
}

/**
 * Milliseconds for which a reply that was received at `times.receivedAt` can be used from then on without asking again; 0 for not
 * at all (stale, `no-cache`, `no-store`, for a shared cache `private`). Undefined if it says nothing about it. For a single value
 * that is kept in memory: a cache of replies uses assess().
 */
export function freshFor(
  read: ReadField,
  times: ReplyTimes,
  { shared }: { readonly shared: boolean },
): number | undefined {
  const directives = readDirectives(read('cache-control'));
  if (directives.malformed || hasDirective(directives, 'no-store') || hasDirective(directives, 'no-cache')) return 0;
  if (shared && hasDirective(directives, 'private')) return 0;
  const lifetime = explicitLifetime(read, directives, times.receivedAt, { shared, expires: true });
  return lifetime && Math.max(0, lifetime.ms - initialAge(read, times));
}
