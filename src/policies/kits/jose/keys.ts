/** Public keys as JWK (RFC 7517), and which algorithm each of them may verify. */
import * as crypto from 'node:crypto';

/** Algorithms of signatures (RFC 7518 section 3.1, RFC 8037; RFC 9864: `Ed25519` is the new name of `EdDSA`). */
export const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'HS256',
  'HS384',
  'HS512',
] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** The public members of a key that is fit to verify signatures. */
export type PublicJwk = {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly kid?: string;
  readonly alg?: string;
  readonly n?: string;
  readonly e?: string;
  readonly crv?: string;
  readonly x?: string;
  readonly y?: string;
};

/** Least length of an RSA key in bits, RFC 7518 section 3.3; the greatest one bounds the time of a check. */
const RSA_BITS = { least: 2048, most: 8192 };
const CURVES: { readonly [alg: string]: string } = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
/** Length of a coordinate in characters of base64url. */
const COORDINATE: { readonly [crv: string]: number } = { 'P-256': 43, 'P-384': 64, 'P-521': 88, Ed25519: 43 };

const isText = (value: unknown): value is string => typeof value === 'string';
const isBase64url = (value: unknown): value is string => isText(value) && /^[A-Za-z0-9_-]+$/.test(value);

/**
 * The public key in a JWK, or why it is not usable: a phrase. Private members are dropped, as are all that name other places
 * (`x5u`, `x5c`).
 */
export function publicKey(jwk: unknown): PublicJwk | string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'it is not an object';
  const { kty, kid, alg, use, key_ops: operations, n, e, crv, x, y } = jwk as { readonly [name: string]: unknown };
  if (use !== undefined && use !== 'sig') return 'it is not for signatures';
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify')))
    return 'it is not for the verification of signatures';
  if (alg !== undefined && !isText(alg)) return 'its `alg` is not text';
  const common = { ...(isText(kid) ? { kid } : {}), ...(isText(alg) ? { alg } : {}) };
  if (kty === 'RSA') {
    if (!isBase64url(n) || !isBase64url(e)) return 'its `n` or `e` is missing or not base64url';
    const bits = bitsOf(n);
    if (bits < RSA_BITS.least) return `its RSA modulus has ${bits} bits, fewer than ${RSA_BITS.least}`;
    if (bits > RSA_BITS.most) return `its RSA modulus has ${bits} bits, more than ${RSA_BITS.most}`;
    return { kty, ...common, n, e };
  }
  if (kty === 'EC' || kty === 'OKP') {
    const known = isText(crv) && Object.hasOwn(COORDINATE, crv) && (kty === 'OKP') === (crv === 'Ed25519');
    if (!known) return 'its curve is not supported';
    const right = (text: unknown): text is string => isBase64url(text) && text.length === COORDINATE[crv];
    if (!right(x)) return 'its `x` does not have the length of its curve';
    if (kty === 'OKP') return { kty, ...common, crv, x };
    return right(y) ? { kty, ...common, crv, x, y } : 'its `y` does not have the length of its curve';
  }
  return kty === 'oct' ? 'it is a symmetric key' : 'its type is not supported';
}

/** The usable keys of a JWKS. Undefined if it is none. At most `max` are returned. */
export function keysOfSet(set: unknown, max: number): PublicJwk[] | undefined {
  if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys)) return undefined;
  return set.keys
    .slice(0, max)
    .map(publicKey)
    .filter((key) => typeof key !== 'string');
}

/** Identifies the URL of a key set among those of other generations. A digest: the URL may be a secret. */
export const idOfUrl = (url: string): string => crypto.hash('sha256', url, 'hex');

/** Whether a key may verify this algorithm: its type, its curve and its own `alg` must fit. */
export function fits(key: PublicJwk, alg: Algorithm): boolean {
  if (key.alg !== undefined && sameName(key.alg) !== sameName(alg)) return false;
  if (alg.startsWith('RS') || alg.startsWith('PS')) return key.kty === 'RSA';
  if (alg.startsWith('ES')) return key.kty === 'EC' && key.crv === CURVES[alg];
  return sameName(alg) === 'Ed25519' && key.kty === 'OKP';
}

/** RFC 9864: `EdDSA` with the only curve that is supported. */
export const sameName = (alg: string): string => (alg === 'EdDSA' ? 'Ed25519' : alg);

export const isSymmetric = (alg: Algorithm): boolean => alg.startsWith('HS');

/** Bits of a base64url number, without leading zeros. */
function bitsOf(text: string): number {
  const bytes = Buffer.from(text, 'base64url');
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? 0 : (bytes.length - first) * 8 - (Math.clz32(bytes[first]!) - 24);
}
