/** Algorithms of HTTP message signatures, RFC 9421 section 3.3. The algorithm belongs to the key and never comes from a message. */
import * as crypto from 'node:crypto';

export const SIGNATURE_ALGORITHMS = [
  'ed25519',
  'ecdsa-p256-sha256',
  'ecdsa-p384-sha384',
  'rsa-pss-sha512',
  'rsa-v1_5-sha256',
  'hmac-sha256',
] as const;
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number];

export const isSignatureAlgorithm = (text: unknown): text is SignatureAlgorithm =>
  SIGNATURE_ALGORITHMS.includes(text as SignatureAlgorithm);

/** Least bytes of a shared secret, RFC 2104 section 3. */
export const LEAST_SECRET = 32;
/** Bits of an RSA key: the greatest bounds the time of a check. */
const RSA_BITS = { least: 2048, most: 8192 };

/** A key with the one algorithm that it is for. */
export interface SignatureKey {
  readonly algorithm: SignatureAlgorithm;
  readonly key: crypto.KeyObject;
}

/** Why a key cannot be used with an algorithm: a phrase; undefined if it can. */
export function keyFault(key: crypto.KeyObject, algorithm: SignatureAlgorithm): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  if (algorithm === 'hmac-sha256') {
    if (key.type !== 'secret') return 'hmac-sha256 needs a shared secret';
    const bytes = key.symmetricKeySize ?? 0;
    return bytes < LEAST_SECRET ? `the secret has ${bytes} bytes, fewer than ${LEAST_SECRET}` : undefined;
  }
  if (key.type === 'secret') return `${algorithm} needs a key pair, not a shared secret`;
  if (algorithm === 'ed25519') return type === 'ed25519' ? undefined : 'the key is not an Ed25519 key';
  if (algorithm === 'ecdsa-p256-sha256' || algorithm === 'ecdsa-p384-sha384') {
    const curve = algorithm === 'ecdsa-p256-sha256' ? 'prime256v1' : 'secp384r1';
    return type === 'ec' && details.namedCurve === curve ? undefined : `the key is not on the curve of ${algorithm}`;
  }
  if (type !== 'rsa' && !(type === 'rsa-pss' && algorithm === 'rsa-pss-sha512')) return 'the key is not an RSA key';
  // A key for PSS may be bound to other hashes: each use of it with this algorithm would fail.
  const { hashAlgorithm = 'sha512', mgf1HashAlgorithm = 'sha512', saltLength = 0 } = details;
  if (type === 'rsa-pss' && (hashAlgorithm !== 'sha512' || mgf1HashAlgorithm !== 'sha512' || saltLength > 64))
    return 'the RSA-PSS key is bound to other parameters than SHA-512 with 64 bytes of salt';
  const bits = details.modulusLength ?? 0;
  return bits < RSA_BITS.least || bits > RSA_BITS.most
    ? `the RSA key has ${bits} bits, not ${RSA_BITS.least} to ${RSA_BITS.most}`
    : undefined;
}

/** The algorithm of a key if none is written beside it; undefined for a key of another kind. */
export function usualAlgorithm(key: crypto.KeyObject): SignatureAlgorithm | undefined {
  if (key.type === 'secret') return 'hmac-sha256';
  return SIGNATURE_ALGORITHMS.find((algorithm) => keyFault(key, algorithm) === undefined);
}

/** The signature of a base, as RFC 9421 section 3.3 has it. Throws for a key that is not private or secret. */
export function sign({ algorithm, key }: SignatureKey, base: string): Buffer {
  const data = Buffer.from(base, 'latin1');
  switch (algorithm) {
    case 'hmac-sha256':
      return crypto.createHmac('sha256', key).update(data).digest();
    case 'ed25519':
      return crypto.sign(null, data, key);
    case 'ecdsa-p256-sha256':
      return crypto.sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
    case 'ecdsa-p384-sha384':
      return crypto.sign('sha384', data, { key, dsaEncoding: 'ieee-p1363' });
    case 'rsa-pss-sha512':
      return crypto.sign('sha512', data, { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 });
    default:
      return crypto.sign('sha256', data, { key, padding: crypto.constants.RSA_PKCS1_PADDING });
  }
}

/** Whether the signature is valid. The time for a shared secret does not depend on where the signature differs. */
export function verify({ algorithm, key }: SignatureKey, base: string, signature: Uint8Array): boolean {
  const data = Buffer.from(base, 'latin1');
  switch (algorithm) {
    case 'hmac-sha256': {
      const expected = crypto.createHmac('sha256', key).update(data).digest();
      return signature.length === expected.length && crypto.timingSafeEqual(signature, expected);
    }
    case 'ed25519':
      return crypto.verify(null, data, key, signature);
    case 'ecdsa-p256-sha256':
      return crypto.verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature);
    case 'ecdsa-p384-sha384':
      return crypto.verify('sha384', data, { key, dsaEncoding: 'ieee-p1363' }, signature);
    case 'rsa-pss-sha512': {
      const padding = crypto.constants.RSA_PKCS1_PSS_PADDING;
      return crypto.verify('sha512', data, { key, padding, saltLength: 64 }, signature);
    }
    default:
      return crypto.verify('sha256', data, { key, padding: crypto.constants.RSA_PKCS1_PADDING }, signature);
  }
}
