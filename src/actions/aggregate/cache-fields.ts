/**
 * Cache fields of a reply that is made of several: RFC 9111. What the strictest part forbids, the whole forbids, and it is fresh for as
 * long as the part that is stale first. Pure; times in milliseconds since 1970.
 */
import { initialAge } from '../../policies/kits/http-cache/age.js';
import { type Directives, hasDirective, readDirectives } from '../../policies/kits/http-cache/directives.js';
import type { ReadField } from '../../policies/kits/http-cache/fields.js';
import { explicitLifetime } from '../../policies/kits/http-cache/freshness.js';
import { allowsAuthorized } from '../../policies/kits/http-cache/storable.js';
import { type ReplyDirectives, replyDirectives } from '../../policies/kits/http-cache/targeted.js';

/** A reply of a call. */
export interface CachedPart {
  readonly read: ReadField;
  readonly requestedAt: number;
  readonly receivedAt: number;
  /** Fields that the call sets itself: the part does not vary by those of the client. Lower case. */
  readonly own: ReadonlySet<string>;
}

export interface CacheFields {
  readonly cacheControl: string | undefined;
  readonly vary: string | undefined;
}

/** Names in Vary that are kept; a longer list is `*`. */
const MOST_VARY = 32;

/** What is known of the request. */
export interface CachedRequest {
  /** A call depends on who calls, or on more than the URL. */
  readonly personal: boolean;
  /** The client has sent Authorization. */
  readonly authorized: boolean;
}

export function cacheFieldsOf(parts: readonly CachedPart[], request: CachedRequest, now: number): CacheFields {
  const vary = varyOf(parts);
  if (!parts.some(({ read }) => SAYING.some((name) => read(name) !== undefined)))
    return { cacheControl: request.personal ? 'private' : undefined, vary };
  const found = parts.map(({ read }) => readDirectives(read('cache-control')));
  const has = (name: string): boolean => found.some((directives) => hasDirective(directives, name));
  if (found.some(({ malformed }) => malformed) || has('no-store')) return { cacheControl: 'no-store', vary };
  const words: string[] = [];
  // What allows shared caches to store a reply to a request with Authorization must come from all parts.
  const allows = has('must-revalidate') || has('s-maxage');
  const forbidden = request.authorized && allows && !found.every(allowsAuthorized);
  const targeted = parts.map(({ read }) => replyDirectives(read, TARGETED));
  const keptApart = targeted.some(({ directives, from }) => from !== 'cache-control' && isForNone(directives));
  const isPrivate = request.personal || forbidden || keptApart || has('private');
  if (isPrivate) words.push('private');
  else if (found.length > 0 && found.every((directives) => hasDirective(directives, 'public'))) words.push('public');
  if (has('no-cache')) words.push('no-cache');
  else {
    const read = parts.map((part, index) => ({ ...part, directives: found[index]!, targeted: targeted[index]! }));
    words.push(...lifetimes(read, isPrivate, now));
  }
  for (const name of ['must-revalidate', 'proxy-revalidate', 'no-transform']) if (has(name)) words.push(name);
  return { cacheControl: words.length === 0 ? undefined : words.join(', '), vary };
}

/** The fields of a part that say how it may be stored. */
const SAYING = ['cache-control', 'cdn-cache-control', 'expires'];

/** Fields for shared caches, RFC 9213: what they say is part of the reply's Cache-Control. */
const TARGETED = ['cdn-cache-control'];

const isForNone = (directives: Directives): boolean =>
  ['no-store', 'no-cache', 'private'].some((name) => hasDirective(directives, name));

type Parts = readonly (CachedPart & { readonly directives: Directives; readonly targeted: ReplyDirectives })[];

function lifetimes(parts: Parts, isPrivate: boolean, now: number): readonly string[] {
  const own = shortest(parts, false, now);
  const hasShared = parts.some(
    ({ directives, targeted: { from } }) => from !== 'cache-control' || hasDirective(directives, 's-maxage'),
  );
  if (!hasShared || isPrivate) return own === undefined ? [] : [`max-age=${own}`];
  const shared = shortest(parts, true, now);
  if (own === undefined) return shared === undefined ? [] : [`s-maxage=${shared}`];
  // Without it, shared caches would go by max-age.
  return [`max-age=${own}`, `s-maxage=${shared ?? 0}`];
}

/** Seconds; undefined if a part does not say how long it is fresh. */
function shortest(parts: Parts, shared: boolean, now: number): number | undefined {
  let least: number | undefined;
  for (const { directives, read, targeted, ...times } of parts) {
    const expires = !shared || targeted.from === 'cache-control';
    const counting = shared ? targeted.directives : directives;
    const lifetime = explicitLifetime(read, counting, times.receivedAt, { shared, expires });
    if (lifetime === undefined) return undefined;
    const left = Math.max(0, lifetime.ms - initialAge(read, times) - Math.max(0, now - times.receivedAt));
    least = least === undefined ? left : Math.min(least, left);
  }
  return least === undefined ? undefined : Math.floor(least / 1000);
}

function varyOf(parts: readonly CachedPart[]): string | undefined {
  const names = new Set<string>();
  for (const { own, read } of parts)
    for (const word of (read('vary') ?? '').split(',')) {
      const name = word.trim().toLowerCase();
      if (name === '*') return '*';
      if (name !== '' && !own.has(name)) names.add(name);
    }
  if (names.size > MOST_VARY) return '*';
  return names.size === 0 ? undefined : [...names].join(', ');
}
