/** Reads a token and checks its claims: RFC 7515, RFC 7519, RFC 8725. Faults are phrases for clients, without quotes. */
import type { Claims, Json } from '../contract.js';
import { readJson } from '../kits/json.js';
import { type Algorithm, sameName } from './keys.js';
import type { JwtSettings } from './schema.js';

/** The parts of a header that gw uses. `jwk`, `jku`, `x5u` and `x5c` are not read: keys come from the spec alone. */
export interface TokenHeader {
  readonly alg: Algorithm;
  readonly kid: string | undefined;
}

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const MAX_DEPTH = 32;
const MAX_KID = 1024;

/** The header of a token, or what is wrong with it. */
export function readHeader(token: string, settings: Pick<JwtSettings, 'algorithms' | 'types'>): TokenHeader | string {
  const parts = token.split('.', 6);
  if (parts.length === 5) return 'the token is encrypted, which is not supported';
  if (parts.length === 3 && parts[2] === '') return 'the token has no signature';
  if (!COMPACT.test(token)) return 'the token is malformed';
  const header = readTable(Buffer.from(parts[0]!, 'base64url'));
  if (typeof header === 'string') return `the header of the token ${header}`;
  const { alg, kid, typ, crit, b64 } = header;
  const allowed = settings.algorithms.find((one) => typeof alg === 'string' && sameName(one) === sameName(alg));
  if (allowed === undefined) return 'the algorithm of the token is not accepted';
  if (crit !== undefined || b64 !== undefined) return 'the token has critical header parameters that are not supported';
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID))
    return 'the key id of the token is malformed';
  const fault = typeFault(typ, settings.types);
  // The name that the token uses: a key may name it as well.
  return fault ?? { alg: alg as Algorithm, kid };
}

/** Types that are access tokens or say nothing. Others, such as `logout+jwt`, have another purpose: RFC 8725 section 3.11. */
const USUAL_TYPES = ['jwt', 'at+jwt'];

function typeFault(typ: Json | undefined, accepted: readonly string[] | undefined): string | undefined {
  if (typ === undefined) return accepted === undefined ? undefined : 'the token has no type';
  const type = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\/(?=[^/]+$)/, '') : '';
  return (accepted ?? USUAL_TYPES).includes(type) ? undefined : 'the type of the token is not accepted';
}

/** The claims in a payload whose signature is valid, or what is wrong with it. */
export function readClaims(payload: Uint8Array): Claims | string {
  const claims = readTable(payload);
  return typeof claims === 'string' ? `the payload of the token ${claims}` : claims;
}

function readTable(bytes: Uint8Array): { readonly [name: string]: Json } | string {
  const read = readJson(bytes, MAX_DEPTH);
  if (read.fault !== undefined) return read.fault.kind === 'duplicate' ? 'has a name twice' : 'is not valid JSON';
  return isTable(read.value) ? read.value : 'is not a JSON object';
}

const isTable = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

type ClaimRules = Pick<JwtSettings, 'issuers' | 'audiences' | 'claims' | 'leeway' | 'requireExp'>;

/** What is wrong with the claims at a time (milliseconds since 1970); undefined if nothing is. */
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
  for (const name in rules.claims) {
    const accepted = rules.claims[name]!;
    const value = Object.hasOwn(claims, name) ? claims[name]! : null;
    if (value === null) return `the token lacks the claim ${name}`;
    if (accepted.length > 0 && !textsOf(value).some((text) => accepted.includes(text)))
      return `the claim ${name} of the token is not accepted`;
  }
  return undefined;
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
