/** Checks the claims of a token, or what an authorization server says of one: RFC 7519, RFC 9068, RFC 9470. */
import type { Claims, Json } from '../../contract.js';

export type ClaimRules = {
  /** Accepted values of `iss`. Empty: any, or none. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  /** Accepted values by claim; none: any. */
  readonly claims: { readonly [name: string]: readonly string[] };
  /** Milliseconds. */
  readonly leeway: number;
  readonly requireExp: boolean;
  /** Claims that must be texts: those of a profile. */
  readonly texts?: readonly string[];
};

/** What is wrong with the claims at a time (milliseconds since 1970): a phrase for clients; undefined if nothing is. */
export function claimsFault(claims: Claims, rules: ClaimRules, now: number): string | undefined {
  return timeFault(claims, rules, now) ?? partyFault(claims, rules) ?? requiredFault(claims, rules);
}

function timeFault(claims: Claims, { leeway, requireExp }: ClaimRules, now: number): string | undefined {
  const { exp, nbf, iat } = claims;
  if (exp === undefined && requireExp) return 'the token has no expiry';
  for (const time of [exp, nbf, iat])
    if (time !== undefined && !(typeof time === 'number' && Number.isFinite(time)))
      return 'the token has a malformed time';
  // RFC 7519 section 4.1.4: the current time must be before it.
  if (typeof exp === 'number' && now >= exp * 1000 + leeway) return 'the token has expired';
  if (typeof nbf === 'number' && now < nbf * 1000 - leeway) return 'the token is not valid yet';
  return typeof iat === 'number' && now < iat * 1000 - leeway ? 'the token was issued in the future' : undefined;
}

function partyFault({ iss, aud }: Claims, { issuers, audiences }: ClaimRules): string | undefined {
  if (issuers.length > 0 && !(typeof iss === 'string' && issuers.includes(iss)))
    return 'the issuer of the token is not accepted';
  if (audiences.length === 0) return undefined;
  const given = Array.isArray(aud) ? (aud as readonly Json[]) : [aud];
  const meant = given.some((one) => typeof one === 'string' && audiences.includes(one));
  return meant ? undefined : 'the token is for another audience';
}

function requiredFault(claims: Claims, rules: ClaimRules): string | undefined {
  for (const name of rules.texts ?? []) {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    if (value === undefined) return `the token lacks the claim ${name}`;
    if (typeof value !== 'string' || value === '') return `the claim ${name} of the token is not accepted`;
  }
  for (const name in rules.claims) {
    const accepted = rules.claims[name]!;
    const value = Object.hasOwn(claims, name) ? claims[name]! : null;
    if (value === null) return `the token lacks the claim ${name}`;
    if (accepted.length > 0 && !valuesOf(name, value).some((text) => accepted.includes(text)))
      return `the claim ${name} of the token is not accepted`;
  }
  return undefined;
}

/** Claims with the values of SCIM, RFC 9068 section 2.2.3.1: texts, or objects with a `value` (RFC 7643 section 2.4). */
const SCIM = ['roles', 'groups', 'entitlements'];

function valuesOf(name: string, value: Json): string[] {
  if (!SCIM.includes(name) || !Array.isArray(value)) return textsOf(value);
  return textsOf(
    (value as readonly Json[]).map((one) =>
      typeof one === 'object' && one !== null && 'value' in one ? (one['value'] ?? null) : one,
    ),
  );
}

/** A value, or the members of a list, as texts. */
function textsOf(value: Json): string[] {
  const list = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return list.filter((one) => typeof one !== 'object').map(String);
}

/** Whether a token has all of these scopes: `scope` (RFC 8693 section 4.2), or `scp` as text or list. */
export function hasScopes({ scope, scp }: Claims, required: readonly string[]): boolean {
  if (required.length === 0) return true;
  const granted = new Set(
    [scope, scp].flatMap((one) => (one === undefined ? [] : textsOf(one))).flatMap((text) => text.split(' ')),
  );
  return required.every((one) => granted.has(one));
}

/** How recently and how strongly the person must have signed in, RFC 9470. */
export type StepUp = {
  /** Accepted values of `acr`. Empty: any. */
  readonly acr: readonly string[];
  /** Milliseconds since `auth_time`. */
  readonly maxAge?: number;
};

/** What is missing; undefined if nothing is. */
export function stepUpFault({ acr, auth_time: at }: Claims, stepUp: StepUp, now: number): string | undefined {
  if (stepUp.acr.length > 0 && !(typeof acr === 'string' && stepUp.acr.includes(acr)))
    return 'a stronger authentication is required';
  if (stepUp.maxAge === undefined) return undefined;
  const fresh = typeof at === 'number' && Number.isFinite(at) && now < at * 1000 + stepUp.maxAge;
  return fresh ? undefined : 'a more recent authentication is required';
}

/** The parameters of the challenge, RFC 9470 section 3. */
export function stepUpParams({ acr, maxAge }: StepUp): readonly (readonly [name: string, value: string])[] {
  return [
    ...(acr.length === 0 ? [] : [['acr_values', acr.join(' ')] as const]),
    ...(maxAge === undefined ? [] : [['max_age', String(Math.floor(maxAge / 1000))] as const]),
  ];
}

/** Until when claims that are accepted now stay acceptable: milliseconds since 1970. `otherwise`: for claims without `exp`. */
export function validUntil(claims: Claims, leeway: number, stepUp: StepUp | undefined, otherwise: number): number {
  const { exp, auth_time: at } = claims;
  const until = typeof exp === 'number' ? exp * 1000 + leeway : otherwise;
  if (stepUp?.maxAge === undefined || typeof at !== 'number') return until;
  const fresh = at * 1000 + stepUp.maxAge;
  return Math.min(until, fresh > 0 ? fresh : 0);
}
