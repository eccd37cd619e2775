/** Reads the parts of a token: RFC 7515, RFC 8725. Faults are phrases for clients, without quotes. */
import type { Claims, Json } from '../../contract.js';
import { readJson } from '../json.js';
import { type Algorithm, sameName } from './keys.js';

/** The parts of a header that gw uses. `jwk`, `jku`, `x5u` and `x5c` are not read: keys come from the spec alone. */
export interface TokenHeader {
  readonly alg: Algorithm;
  readonly kid: string | undefined;
}

export interface HeaderRules {
  readonly algorithms: readonly Algorithm[];
  /** Accepted types in lower case, without `application/`; absent: the usual ones, or none. */
  readonly types?: readonly string[] | undefined;
}

const COMPACT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
const MAX_DEPTH = 32;
const MAX_KID = 1024;

/** What is wrong with the form of a token; undefined if it has a header, a payload and a signature. */
export function formFault(token: string): string | undefined {
  const parts = token.split('.', 6);
  if (parts.length === 5) return 'the token is encrypted, which is not supported';
  if (parts.length === 3 && parts[2] === '') return 'the token has no signature';
  return COMPACT.test(token) ? undefined : 'the token is malformed';
}

/** The header of a token, or what is wrong with it. */
export function readHeader(token: string, rules: HeaderRules): TokenHeader | string {
  const form = formFault(token);
  if (form !== undefined) return form;
  const header = readTable(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url'));
  if (typeof header === 'string') return `the header of the token ${header}`;
  const { alg, kid, typ, crit, b64 } = header;
  const allowed = rules.algorithms.find((one) => typeof alg === 'string' && sameName(one) === sameName(alg));
  if (allowed === undefined) return 'the algorithm of the token is not accepted';
  if (crit !== undefined || b64 !== undefined) return 'the token has critical header parameters that are not supported';
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MAX_KID))
    return 'the key id of the token is malformed';
  const fault = typeFault(typ, rules.types);
  // The name that the token uses: a key may name it as well.
  return fault ?? { alg: alg as Algorithm, kid };
}

/** Types that are access tokens or say nothing. Others, such as `logout+jwt`, have another purpose: RFC 8725 section 3.11. */
const USUAL_TYPES = ['jwt', 'at+jwt'];

function typeFault(typ: Json | undefined, accepted: readonly string[] | undefined): string | undefined {
  if (typ === undefined) return accepted === undefined ? undefined : 'the token has no type';
  const type = typeof typ === 'string' ? typeName(typ) : '';
  return (accepted ?? USUAL_TYPES).includes(type) ? undefined : 'the type of the token is not accepted';
}

/** RFC 7515 section 4.1.9: `application/` may be left out, and case does not matter. */
export const typeName = (type: string): string => type.toLowerCase().replace(/^application\/(?=[^/]+$)/, '');

/** The claims in a payload whose signature is valid, or what is wrong with it. */
export function readClaims(payload: Uint8Array): Claims | string {
  const claims = readTable(payload);
  return typeof claims === 'string' ? `the payload of the token ${claims}` : claims;
}

/** The issuer that a token of the right form claims to be from, before anything is verified. Undefined if it says none. */
export function claimedIssuer(token: string): string | undefined {
  const [, payload = ''] = token.split('.', 2);
  const claims = readTable(Buffer.from(payload, 'base64url'));
  return typeof claims === 'string' || typeof claims['iss'] !== 'string' ? undefined : claims['iss'];
}

export type JsonTable = { readonly [name: string]: Json };

/** A JSON object, or what is wrong with it: a phrase that follows its name. */
export function readTable(bytes: Uint8Array): JsonTable | string {
  const read = readJson(bytes, MAX_DEPTH);
  if (read.fault !== undefined) return read.fault.kind === 'duplicate' ? 'has a name twice' : 'is not valid JSON';
  return isTable(read.value) ? read.value : 'is not a JSON object';
}

export const isTable = (value: Json | undefined): value is JsonTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
