/** Signs tokens as compact JWS (RFC 7515 section 7.1) with Node's own cryptography: no package, and no promise. */
import * as crypto from 'node:crypto';
import type { Json } from '../../contract.js';
import type { Algorithm } from './keys.js';

/** OpenSSL names of the curves of ES256, ES384 and ES512. */
const CURVES: { readonly [alg: string]: string } = { ES256: 'prime256v1', ES384: 'secp384r1', ES512: 'secp521r1' };
const LEAST_RSA_BITS = 2048;

/** A private key, or a shared secret, for one algorithm. */
export class SigningKey {
  readonly alg: Algorithm;
  /** For the header of tokens. */
  readonly kid: string | undefined;
  readonly #key: crypto.KeyObject;

  /**
   * `text`: a private key as PEM or JWK; for HS256 and its like the secret itself. Throws for text that is no key, and for a key
   * that does not fit the algorithm. The messages omit the key.
   */
  constructor(text: string, alg: Algorithm, kid?: string) {
    this.alg = alg;
    const jwk = alg.startsWith('HS') ? undefined : jwkOf(text);
    this.kid = kid ?? (typeof jwk?.['kid'] === 'string' ? jwk['kid'] : undefined);
    this.#key = alg.startsWith('HS') ? secretOf(text, alg) : privateKeyOf(text, jwk);
    const fault = alg.startsWith('HS') ? undefined : mismatch(this.#key, alg);
    if (fault !== undefined) throw new Error(`The private key does not fit ${alg}: ${fault}.`);
  }

  /** A signed token with these claims. `header`: further parameters, such as `typ`. */
  sign(claims: { readonly [name: string]: Json }, header: { readonly [name: string]: Json } = {}): string {
    const full = { ...header, alg: this.alg, ...(this.kid === undefined ? {} : { kid: this.kid }) };
    const input = `${base64url(JSON.stringify(full))}.${base64url(JSON.stringify(claims))}`;
    return `${input}.${this.#signature(Buffer.from(input)).toString('base64url')}`;
  }

  #signature(input: Buffer): Buffer {
    const { alg } = this;
    const hash = `sha${alg.slice(2)}`;
    if (alg.startsWith('HS')) return crypto.createHmac(hash, this.#key).update(input).digest();
    if (alg.startsWith('ES')) return crypto.sign(hash, input, { key: this.#key, dsaEncoding: 'ieee-p1363' });
    if (alg.startsWith('RS')) return crypto.sign(hash, input, this.#key);
    if (!alg.startsWith('PS')) return crypto.sign(null, input, this.#key);
    const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = crypto.constants;
    return crypto.sign(hash, input, { key: this.#key, padding, saltLength });
  }
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

/** RFC 7518 section 3.2: the secret is at least as long as the hash. */
function secretOf(text: string, alg: string): crypto.KeyObject {
  const secret = Buffer.from(text);
  const least = Number(alg.slice(2)) / 8;
  if (secret.length < least) throw new Error(`The secret has ${secret.length} bytes; ${alg} needs at least ${least}.`);
  return crypto.createSecretKey(secret);
}

function jwkOf(text: string): { readonly [name: string]: unknown } | undefined {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    return JSON.parse(text) as { readonly [name: string]: unknown };
  } catch {
    throw new Error('The private key is neither PEM nor a JWK.');
  }
}

function privateKeyOf(text: string, jwk: { readonly [name: string]: unknown } | undefined): crypto.KeyObject {
  try {
    if (jwk !== undefined) return crypto.createPrivateKey({ key: jwk as crypto.JsonWebKey, format: 'jwk' });
    return crypto.createPrivateKey(text);
  } catch {
    // The cause may quote the text.
    throw new Error('The private key is neither PEM nor a JWK.');
  }
}

/** Why a key cannot sign with an algorithm: a phrase. */
function mismatch(key: crypto.KeyObject, alg: Algorithm): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  const rsa = alg.startsWith('RS') || alg.startsWith('PS');
  if (rsa && type !== 'rsa') return 'it is not an RSA key';
  if (rsa && (details.modulusLength ?? 0) < LEAST_RSA_BITS) return `it has fewer than ${LEAST_RSA_BITS} bits`;
  if (alg.startsWith('ES') && details.namedCurve !== CURVES[alg]) return 'it is on another curve';
  if (alg.startsWith('Ed') && type !== 'ed25519') return 'it is not an Ed25519 key';
  return undefined;
}

/** The algorithm that fits a private key best; undefined for a kind of key that no algorithm takes. Throws for text that is no key. */
export function algorithmOfKey(text: string): Algorithm | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = privateKeyOf(text, jwkOf(text));
  if (type === 'rsa') return 'RS256';
  if (type === 'ed25519') return 'EdDSA';
  return (Object.keys(CURVES) as Algorithm[]).find((alg) => CURVES[alg] === details.namedCurve);
}
