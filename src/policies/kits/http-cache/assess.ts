/**
 * What a cache must know about a reply, computed once when it arrives: whether it may be stored, for how long it is fresh, and what
 * may be done with it when it is stale. Plain data that is stored with the reply.
 */
import { initialAge, type ReplyTimes } from './age.js';
import { type Directives, hasDirective, hasFlag, namedFields, spanOf } from './directives.js';
import {
  explicitLifetime,
  type Heuristic,
  heuristicLifetime,
  type Lifetime,
  type LifetimeSource,
} from './freshness.js';
import {
  type AssessedReply,
  type AssessedRequest,
  forbidsStoring,
  HEURISTIC_STATUSES,
  onlyForRequest,
} from './storable.js';
import { replyDirectives } from './targeted.js';
import { readValidators } from './validators.js';
import { parseVary } from './vary.js';

export type { AssessedReply, AssessedRequest };

/** Milliseconds: the lifetime of replies that never change. A time since 1970 plus this remains an exact number, and JSON. */
export const FOREVER_MS = 1e15;

/** The lifetime that a policy gives replies, whatever the origin says. */
export interface Ttl {
  /** From the moment in which the reply was received; FOREVER_MS for ever. */
  readonly ms: number;
  /** Statuses that it is for. By default 200, 203, 204, 300, 301 and 308. */
  readonly statuses?: readonly number[];
}

export interface AssessOptions {
  /**
   * For more than one user: s-maxage, proxy-revalidate, private and Authorization count. False only if the key of the cache holds
   * the identity of the caller.
   */
  readonly shared: boolean;
  /** Targeted fields in order of precedence, in lower case, RFC 9213. */
  readonly targets: readonly string[];
  /** Whether no-store of the request counts. */
  readonly clientDirectives: boolean;
  /** How replies without explicit freshness get a lifetime; undefined: they get none. */
  readonly heuristic?: Heuristic;
  /**
   * Replaces the lifetime that the reply has and lets replies without one be stored. It does not override no-store, private,
   * no-cache, must-revalidate, Vary and the rules for Authorization. Replies with Set-Cookie are not stored.
   */
  readonly ttl?: Ttl;
  /** Milliseconds: for replies that do not say how long they may be used stale, and do not forbid it. */
  readonly staleWhileRevalidateMs?: number;
  readonly staleIfErrorMs?: number;
}

export interface Assessment {
  readonly store: boolean;
  /** Why it is stored or not, as a phrase. */
  readonly why: string;
  /**
   * The reply is for this request only (it has credentials, or no-store): it is not stored, and must not replace, update or remove
   * what is stored.
   */
  readonly requestOnly: boolean;
  /** When the head of the reply was received, in milliseconds since 1970. */
  readonly receivedAt: number;
  /** From the creation of the reply; `lifetimeMs - initialAgeMs` remain at `receivedAt`. */
  readonly lifetimeMs: number;
  readonly lifetimeFrom: LifetimeSource;
  readonly initialAgeMs: number;
  /** Not to be used without validation at all. */
  readonly noCache: boolean;
  /** Not to be used without validation once it is stale: must-revalidate, proxy-revalidate, s-maxage or no-cache. */
  readonly mustRevalidate: boolean;
  /** Milliseconds after the end of the lifetime; 0 if mustRevalidate. RFC 5861. */
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** RFC 8246: while it is fresh, max-age of a request does not cause a validation. A value of it means nothing. */
  readonly immutable: boolean;
  /** Fields that are not stored, named by no-cache="..." or private="...". Lower case. */
  readonly withheldFields: readonly string[];
  /** The request fields that select the variant, as parseVary() returns them. */
  readonly vary: readonly string[];
  /** Whether it can be validated. */
  readonly validators: boolean;
}

const TTL_STATUSES: readonly number[] = [200, 203, 204, 300, 301, 308];

/** Assesses a reply to a request. Never throws. */
export function assess(
  request: AssessedRequest,
  reply: AssessedReply,
  times: ReplyTimes,
  options: AssessOptions,
): Assessment {
  const read = reply.fields;
  const { directives, from } = replyDirectives(read, options.targets);
  const age = initialAge(read, times);
  const lifetime = lifetimeOf(reply, directives, from === 'cache-control', age, times.receivedAt, options);
  const noCache = namedFields(directives, 'no-cache');
  const mustRevalidate = forbidsStale(directives, options.shared);
  const vary = parseVary(read('vary'));
  const assessed = {
    receivedAt: times.receivedAt,
    lifetimeMs: lifetime?.ms ?? 0,
    lifetimeFrom: lifetime?.source ?? ('none' as const),
    initialAgeMs: age,
    noCache: noCache === 'all',
    mustRevalidate,
    staleWhileRevalidateMs: mustRevalidate
      ? 0
      : staleSpan(directives, 'stale-while-revalidate', options.staleWhileRevalidateMs),
    staleIfErrorMs: mustRevalidate ? 0 : staleSpan(directives, 'stale-if-error', options.staleIfErrorMs),
    immutable: hasDirective(directives, 'immutable'),
    withheldFields: withheld(directives, options.shared),
    vary: vary === 'any' ? [] : vary,
    validators: readValidators(read, times.receivedAt) !== undefined,
  };
  const own = onlyForRequest(request, directives, options);
  const against =
    own ??
    forbidsStoring(request, reply, directives, options.shared) ??
    uselessness(reply, directives, lifetime, assessed, options);
  return {
    store: against === undefined,
    why: against ?? reason(assessed),
    requestOnly: own !== undefined,
    ...assessed,
  };
}

function lifetimeOf(
  { status, fields }: AssessedReply,
  directives: Directives,
  expires: boolean,
  ageMs: number,
  receivedAt: number,
  { shared, ttl, heuristic }: AssessOptions,
): Lifetime | undefined {
  // From its arrival: an age that the reply already has is not taken off.
  if (ttl !== undefined && (ttl.statuses ?? TTL_STATUSES).includes(status)) {
    return { ms: ttl.ms + ageMs, source: 'ttl' };
  }
  const explicit = explicitLifetime(fields, directives, receivedAt, { shared, expires });
  if (explicit !== undefined || heuristic === undefined) return explicit;
  return HEURISTIC_STATUSES.has(status) || hasFlag(directives, 'public')
    ? heuristicLifetime(fields, receivedAt, heuristic)
    : undefined;
}

/** RFC 9111 section 4.2.4. */
const forbidsStale = (directives: Directives, shared: boolean): boolean =>
  directives.malformed ||
  hasDirective(directives, 'must-revalidate') ||
  namedFields(directives, 'no-cache') === 'all' ||
  (shared && (hasDirective(directives, 'proxy-revalidate') || hasDirective(directives, 's-maxage')));

function staleSpan(directives: Directives, name: string, otherwise: number | undefined): number {
  const span = spanOf(directives, name);
  if (span === undefined) return otherwise ?? 0;
  return span === 'invalid' ? 0 : span;
}

function withheld(directives: Directives, shared: boolean): readonly string[] {
  if (directives.values.size === 0) return [];
  const names = [namedFields(directives, 'no-cache'), shared ? namedFields(directives, 'private') : undefined];
  const all = names.flatMap((some) => (some === undefined || some === 'all' ? [] : some));
  return [...new Set(all)];
}

/** Why a reply that may be stored is not worth it, or lacks what RFC 9111 section 3 wants of replies without explicit freshness. */
function uselessness(
  { status, fields }: AssessedReply,
  directives: Directives,
  lifetime: Lifetime | undefined,
  assessed: Pick<Assessment, 'noCache' | 'initialAgeMs' | 'validators' | 'staleWhileRevalidateMs' | 'staleIfErrorMs'>,
  { shared, ttl }: AssessOptions,
): string | undefined {
  if (ttl !== undefined && fields('set-cookie') !== undefined) return 'it sets a cookie';
  const marked = hasFlag(directives, 'public') || (!shared && hasDirective(directives, 'private'));
  if (lifetime === undefined && !marked && !HEURISTIC_STATUSES.has(status))
    return `status ${status} without a lifetime is not stored`;
  if (assessed.validators) return undefined;
  const stale = Math.max(assessed.staleWhileRevalidateMs, assessed.staleIfErrorMs);
  if (!assessed.noCache && (lifetime?.ms ?? 0) + stale > assessed.initialAgeMs) return undefined;
  return 'it would never be used: it is stale and has no validator';
}

const reason = ({ lifetimeFrom, noCache }: Pick<Assessment, 'lifetimeFrom' | 'noCache'>): string => {
  if (noCache) return 'stored, validated before each use (no-cache)';
  return lifetimeFrom === 'none' ? 'stored without a lifetime' : `stored with the lifetime of ${lifetimeFrom}`;
};

/**
 * Until when a stored reply can be of use, in milliseconds since 1970: while it is fresh, and for some time after: as long as it may
 * be used stale, and at least `keepMs`, since it may be validated, a reply to HEAD may make it fresh, and a client may accept it.
 */
export function usefulUntil(assessment: Assessment, keepMs: number): number {
  const { receivedAt, lifetimeMs, initialAgeMs, staleWhileRevalidateMs, staleIfErrorMs } = assessment;
  const after = Math.max(staleWhileRevalidateMs, staleIfErrorMs, keepMs);
  return receivedAt + Math.max(0, lifetimeMs - initialAgeMs + after);
}
