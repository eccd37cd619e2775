/** When a certificate is renewed: as its authority suggests (RFC 9773), else when a third of its lifetime remains. */

/** Part of the lifetime that remains at a renewal, and the part of that over which renewals are spread. */
const REMAINING = 1 / 3;
const SPREAD = 1 / 10;

/** Milliseconds since 1970. */
export interface Lifetime {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Milliseconds since 1970. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

/**
 * The time of a renewal without a suggestion. `before`: milliseconds before the end, instead of a third. `random`: 0 to 1, the
 * same for one certificate; certificates that were issued together are not renewed together.
 */
export function renewalTime({ notBefore, notAfter }: Lifetime, random: number, before?: number): number {
  const lifetime = notAfter - notBefore;
  const remaining = Math.min(before ?? lifetime * REMAINING, lifetime);
  return notAfter - remaining * (1 - SPREAD * random);
}

/** A uniformly random time in a suggested window, RFC 9773 section 4.2. */
export const timeIn = ({ start, end }: Window, random: number): number => start + (end - start) * random;

const MINUTE = 60_000;
const DAY = 86_400_000;
/** Without a Retry-After, and after an error: RFC 9773 section 4.3.3. */
const POLL_MS = 21_600_000;

/** Milliseconds until the suggestion is asked for again: at least a minute and at most a day, RFC 9773 section 4.3.2. */
export const pollAfter = (retryAfter: number | undefined): number =>
  Math.min(Math.max(retryAfter ?? POLL_MS, MINUTE), DAY);

/** The window of a RenewalInfo object; undefined if it is not valid: then the client goes on as without one. */
export function windowOf(value: unknown): Window | undefined {
  const { suggestedWindow } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const { start, end } = (
    typeof suggestedWindow === 'object' && suggestedWindow !== null ? suggestedWindow : {}
  ) as Record<string, unknown>;
  const [from, to] = [start, end].map((text) => (typeof text === 'string' ? Date.parse(text) : Number.NaN));
  if (from === undefined || to === undefined || !(to > from)) return undefined;
  return { start: from, end: to };
}
