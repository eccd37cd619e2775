/** Whether a stored reply may answer a request, RFC 9111 sections 4.2.4 and 5.2.1, RFC 5861, RFC 8246. */
import type { Assessment } from './assess.js';
import { type Directives, hasDirective, NO_DIRECTIVES, spanOf } from './directives.js';

export type Use =
  /** Send it. */
  | 'fresh'
  /** Send it although it is stale: the client allows it. */
  | 'stale'
  /** Send it although it is stale, and validate it meanwhile. */
  | 'stale-while-revalidate'
  /** Ask the origin first. */
  | 'validate'
  /** The origin must not be asked (only-if-cached): answer 504. */
  | 'unavailable';

export interface Decision {
  readonly use: Use;
  /** For the Age field. */
  readonly ageSeconds: number;
  /** Seconds for which it remains fresh; negative if it is stale. For Cache-Status. */
  readonly ttlSeconds: number;
  /** As a phrase. */
  readonly why: string;
}

export interface ReuseOptions {
  /** Whether the directives of requests count. */
  readonly clientDirectives: boolean;
  /** Whether the reply was purged softly: it counts as stale. */
  readonly soft: boolean;
  /** Milliseconds since then: it has been stale for that time. Default 0. */
  readonly softForMs?: number;
}

/** The age of a reply now, in milliseconds; a clock that was set back takes nothing off. */
export const currentAge = ({ initialAgeMs, receivedAt }: Assessment, now: number): number =>
  initialAgeMs + Math.max(0, now - receivedAt);

/** What to do with a stored reply. `directives` are those of the request, from requestDirectives(). */
export function decide(stored: Assessment, directives: Directives, now: number, options: ReuseOptions): Decision {
  const asked = options.clientDirectives ? directives : NO_DIRECTIVES;
  const age = currentAge(stored, now);
  const remaining = stored.lifetimeMs - age;
  const { soft, softForMs = 0 } = options;
  const { use, why } = choose(stored, asked, { age, remaining, soft, softForMs });
  const refused = use === 'validate' && hasDirective(asked, 'only-if-cached');
  return {
    use: refused ? 'unavailable' : use === 'stale-while-revalidate' && onlyCached(asked) ? 'stale' : use,
    why,
    ageSeconds: Math.floor(age / 1000),
    ttlSeconds: Math.floor(remaining / 1000),
  };
}

/** Whether a reply answers requests without directives. */
export const isFresh = (assessment: Assessment, now: number): boolean =>
  !assessment.noCache && currentAge(assessment, now) < assessment.lifetimeMs;

/** Whether a request asks for a validation whatever the age of the stored reply: a reload. */
export const asksForValidation = (asked: Directives): boolean =>
  hasDirective(asked, 'no-cache') || spanOf(asked, 'max-age') === 0;

const onlyCached = (asked: Directives): boolean => hasDirective(asked, 'only-if-cached');

interface Times {
  readonly age: number;
  /** Of the lifetime; negative if it is over. */
  readonly remaining: number;
  readonly soft: boolean;
  readonly softForMs: number;
}

function choose(stored: Assessment, asked: Directives, times: Times): { readonly use: Use; readonly why: string } {
  if (stored.noCache) return { use: 'validate', why: 'the reply is validated before each use (no-cache)' };
  const objection = objectionOf(stored, asked, times);
  if (objection !== undefined) return { use: 'validate', why: objection };
  const { remaining, soft, softForMs } = times;
  if (remaining > 0 && !soft) return { use: 'fresh', why: 'the reply is fresh' };
  const why = soft ? 'the reply was purged' : 'the reply is stale';
  if (stored.mustRevalidate) return { use: 'validate', why: `${why} and must be validated` };
  const staleFor = Math.max(softForMs, -remaining);
  if (staleFor < stored.staleWhileRevalidateMs)
    return { use: 'stale-while-revalidate', why: `${why}, stale-while-revalidate` };
  if (!soft && allowsStale(asked, staleFor)) return { use: 'stale', why: `${why}, the request allows it (max-stale)` };
  return { use: 'validate', why };
}

/** Why the client does not want a reply of that age, as a phrase. An invalid number of seconds is one that nothing satisfies. */
function objectionOf(stored: Assessment, asked: Directives, { age, remaining: left, soft }: Times): string | undefined {
  if (asked.values.size === 0) return undefined;
  const remaining = soft ? Math.min(0, left) : left;
  if (hasDirective(asked, 'no-cache')) return 'the request asks for validation (no-cache)';
  const minFresh = spanOf(asked, 'min-fresh');
  if (minFresh !== undefined && (minFresh === 'invalid' || remaining < minFresh))
    return 'the reply is not fresh for as long as the request asks (min-fresh)';
  const maxAge = spanOf(asked, 'max-age');
  if (maxAge === undefined || (stored.immutable && remaining > 0)) return undefined;
  if (maxAge === 'invalid') return 'the request has an invalid max-age';
  // An age of exactly the limit is allowed, but max-age=0 is how clients ask for a validation.
  const excess = age - maxAge;
  if ((excess > 0 || maxAge === 0) && !allowsStale(asked, excess))
    return 'the reply is older than the request allows (max-age)';
  return undefined;
}

/** max-stale, RFC 9111 section 5.2.1.2: without a value, any age. An invalid value allows nothing. */
function allowsStale(asked: Directives, staleFor: number): boolean {
  if (asked.values.get('max-stale') === true) return true;
  const most = spanOf(asked, 'max-stale');
  return typeof most === 'number' && staleFor <= most;
}

/** Statuses that count as an error for stale-if-error, RFC 5861 section 4; so does a request that fails. */
export const ERROR_STATUSES: ReadonlySet<number> = new Set([500, 502, 503, 504]);

/**
 * Whether a stored reply may be sent after its validation has failed: the origin was not reached, or answered with one of
 * ERROR_STATUSES.
 */
export function usableOnError(
  stored: Assessment,
  directives: Directives,
  now: number,
  { clientDirectives, softForMs = 0 }: ReuseOptions,
): boolean {
  const asked = clientDirectives ? directives : NO_DIRECTIVES;
  if (stored.mustRevalidate || stored.noCache || hasDirective(asked, 'no-cache')) return false;
  const staleFor = Math.max(softForMs, currentAge(stored, now) - stored.lifetimeMs);
  if (staleFor <= stored.staleIfErrorMs && stored.staleIfErrorMs > 0) return true;
  const span = spanOf(asked, 'stale-if-error');
  return typeof span === 'number' && staleFor <= span;
}
