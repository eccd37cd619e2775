/** Keys in the text of files and specs, for compile parts, and as settings have them. */
import * as crypto from 'node:crypto';
import { type SecretEncoding, secretBytes } from '../secret-encoding.js';
import {
  isSignatureAlgorithm,
  keyFault,
  type SignatureAlgorithm,
  type SignatureKey,
  usualAlgorithm,
} from './algorithms.js';

/** A public key as plain data. */
export type PublicKeyJwk = { readonly [member: string]: string };

export interface ReadKey {
  readonly jwk: PublicKeyJwk;
  readonly algorithm: SignatureAlgorithm;
  /** `kid` of a JWK. */
  readonly id: string | undefined;
}

/** Names of the same algorithms in JOSE. */
const OF_JOSE: { readonly [alg: string]: SignatureAlgorithm } = {
  EdDSA: 'ed25519',
  Ed25519: 'ed25519',
  ES256: 'ecdsa-p256-sha256',
  ES384: 'ecdsa-p384-sha384',
  PS512: 'rsa-pss-sha512',
  RS256: 'rsa-v1_5-sha256',
};

/** The public key in a PEM or JWK text, for `algorithm` or the one that fits; or what is wrong: a phrase. */
export function readPublicKey(text: string, algorithm?: SignatureAlgorithm): ReadKey | string {
  if (/PRIVATE KEY/.test(text)) return 'it is a private key, which belongs to the signer alone';
  if (!/^\s*\{/.test(text)) return publicKey(text, undefined, algorithm);
  let jwk: unknown;
  try {
    jwk = JSON.parse(text);
  } catch {
    return 'it is neither PEM nor JSON';
  }
  return readJwk(jwk, algorithm);
}

/** The keys of a JWK set that have a `kid`; or what is wrong: a phrase. */
export function readKeySet(text: string): readonly ReadKey[] | string {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    return 'it is not JSON';
  }
  if (typeof set !== 'object' || set === null || !('keys' in set) || !Array.isArray(set.keys))
    return 'it is not a key set (JWKS)';
  const keys: ReadKey[] = [];
  for (const jwk of set.keys as readonly unknown[]) {
    const key = readJwk(jwk);
    if (typeof key === 'string') return `a key of it cannot be used: ${key}`;
    if (key.id === undefined) return 'a key of it has no `kid`';
    keys.push(key);
  }
  return keys.length === 0 ? 'it has no key' : keys;
}

function readJwk(jwk: unknown, algorithm?: SignatureAlgorithm): ReadKey | string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'it is not a JSON object';
  const { kid, alg, d, k } = jwk as { readonly [member: string]: unknown };
  if (d !== undefined || k !== undefined) return 'it is a private or symmetric key';
  const named = typeof alg === 'string' ? OF_JOSE[alg] : undefined;
  if (alg !== undefined && named === undefined) return 'its `alg` is not supported';
  if (named !== undefined && algorithm !== undefined && named !== algorithm) return `its \`alg\` is not ${algorithm}`;
  const input = { key: jwk as crypto.JsonWebKey, format: 'jwk' } as const;
  return publicKey(input, typeof kid === 'string' ? kid : undefined, algorithm ?? named);
}

function publicKey(
  input: Parameters<typeof crypto.createPublicKey>[0],
  id: string | undefined,
  wanted: SignatureAlgorithm | undefined,
): ReadKey | string {
  let key: crypto.KeyObject;
  try {
    key = crypto.createPublicKey(input);
  } catch {
    return 'it is not a public key';
  }
  const algorithm = wanted ?? usualAlgorithm(key);
  if (algorithm === undefined) return 'no algorithm takes a key of its kind';
  const fault = keyFault(key, algorithm);
  if (fault !== undefined) return fault;
  return { jwk: jwkOf(key), algorithm, id };
}

/** RSA keys that are bound to PSS have no form as JWK. */
function jwkOf(key: crypto.KeyObject): PublicKeyJwk {
  if (key.asymmetricKeyType !== 'rsa-pss') return key.export({ format: 'jwk' }) as PublicKeyJwk;
  return { pem: key.export({ format: 'pem', type: 'spki' }).toString() };
}

/**
 * A key as settings have it: a JWK, or the text of a shared secret in this encoding. Throws for one that cannot be used; the message
 * has `name` and omits the key.
 */
export function openKey(
  algorithm: string,
  key: PublicKeyJwk | string,
  encoding?: SecretEncoding,
  name = 'A signature key',
): SignatureKey {
  if (!isSignatureAlgorithm(algorithm)) throw new Error(`The signature algorithm ${algorithm} is not supported.`);
  const opened =
    typeof key === 'string'
      ? openSecret(key, encoding)
      : crypto.createPublicKey(key['pem'] ?? { key: key as crypto.JsonWebKey, format: 'jwk' });
  const fault = typeof opened === 'string' ? opened : keyFault(opened, algorithm);
  if (typeof opened === 'string' || fault !== undefined) throw new Error(`${name} cannot be used: ${fault}.`);
  return { algorithm, key: opened };
}

/** A shared secret; or what is wrong: a phrase, which omits it. */
export function openSecret(text: string, encoding: SecretEncoding = 'text'): crypto.KeyObject | string {
  const bytes = secretBytes(text, encoding);
  return bytes === undefined ? `the secret is not ${encoding}` : crypto.createSecretKey(bytes);
}
