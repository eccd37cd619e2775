/** Validates ID tokens: OpenID Connect Core 1.0 sections 3.1.3.7 and 12.2. Faults are phrases, without quotes. */
import * as crypto from 'node:crypto';
import type { Claims, Json, Unavailable } from '../contract.js';
import { claimsFault } from '../kits/bearer/claims.js';
import type { TokenFault } from '../kits/jose/key-source.js';
import { type Algorithm, sameName } from '../kits/jose/keys.js';
import { typeName } from '../kits/jose/token.js';
import type { Issuer } from './issuer.js';

export interface IdTokenRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly algorithms: readonly Algorithm[];
  /** Milliseconds. */
  readonly leeway: number;
}

/** What the token has to agree with. */
export interface Expected {
  /** Of the login; absent when tokens are refreshed. */
  readonly nonce?: string;
  readonly accessToken: string;
  /** Seconds since the person has signed in, if the login asked for a limit. */
  readonly maxAge?: number | undefined;
  /** Of the session that is refreshed. */
  readonly subject?: string;
}

const MAX_LENGTH = 64 * 1024;
const MAX_SUBJECT = 255;

/** The claims of an ID token for this login or session. `now`: milliseconds since 1970. */
export async function readIdToken(
  token: string,
  expected: Expected,
  rules: IdTokenRules,
  issuer: Issuer,
  now: number,
): Promise<{ readonly claims: Claims } | TokenFault | Unavailable> {
  if (token.length > MAX_LENGTH) return { fault: 'the ID token is too long' };
  const read = await issuer.verify(token, { algorithms: rules.algorithms });
  if ('outcome' in read || 'fault' in read) return read;
  const { alg, claims } = read;
  const fault = typeFault(token) ?? faultOf(claims, alg, expected, rules, now);
  return fault === undefined ? { claims } : { fault };
}

/** An ID token usually has no type. One that is typed as an access token is none. The token is well-formed. */
function typeFault(token: string): string | undefined {
  const { typ } = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString()) as Claims;
  if (typ === undefined || (typeof typ === 'string' && typeName(typ) === 'jwt')) return undefined;
  return 'the ID token has the type of another token';
}

function faultOf(
  claims: Claims,
  alg: Algorithm,
  expected: Expected,
  { clientId, issuer, leeway }: IdTokenRules,
  now: number,
): string | undefined {
  const common = { issuers: [issuer], audiences: [clientId], claims: {}, leeway, requireExp: true };
  const fault = claimsFault(claims, common, now);
  if (fault !== undefined) return fault;
  const { at_hash: hash, auth_time: at, iat, nonce, sub } = claims;
  if (typeof iat !== 'number') return 'the ID token does not say when it was issued';
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT) return 'the ID token has no subject';
  if (expected.subject !== undefined && sub !== expected.subject) return 'the ID token is of another subject';
  if (expected.nonce !== undefined && !equalTexts(nonce, expected.nonce)) return 'the ID token is of another login';
  if (hash !== undefined && !equalTexts(hash, hashOf(expected.accessToken, alg)))
    return 'the ID token does not belong to the access token';
  if (expected.maxAge !== undefined) {
    if (typeof at !== 'number') return 'the ID token does not say when the person has signed in';
    if (now >= (at + expected.maxAge) * 1000 + leeway) return 'the person has signed in too long ago';
  }
  return partyFault(claims, clientId);
}

/** Of several audiences, all but this client are strangers: then `azp` must say that the token is for this client. */
function partyFault({ aud, azp }: Claims, clientId: string): string | undefined {
  if (azp === undefined)
    return Array.isArray(aud) && aud.length > 1 ? 'the ID token is for several parties' : undefined;
  return azp === clientId ? undefined : 'the ID token was issued to another client';
}

/** Section 3.1.3.6: the left half of the hash that the algorithm uses. */
function hashOf(token: string, alg: Algorithm): string {
  const name = sameName(alg) === 'Ed25519' ? 'sha512' : `sha${alg.slice(2)}`;
  const digest = crypto.createHash(name).update(token).digest();
  return digest.subarray(0, digest.length / 2).toString('base64url');
}

function equalTexts(given: Json | undefined, wanted: string): boolean {
  if (typeof given !== 'string') return false;
  const [a, b] = [Buffer.from(given), Buffer.from(wanted)];
  return a.length === b.length && crypto.timingSafeEqual(a, b);
}
