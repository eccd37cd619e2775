/**
 * Verification of signed tokens by the package jose. It is loaded when a policy that needs it is created: workers whose spec
 * has none do not pay for it.
 */
import type { CryptoKey, JWK } from 'jose';

/** A key that is prepared for one algorithm. */
export type VerificationKey = CryptoKey | Uint8Array;

export interface Jose {
  /** Rejects if the key does not fit the algorithm. */
  importKey(jwk: object, alg: string): Promise<VerificationKey>;
  /** The payload of a compact JWS; undefined if the signature is not valid. Only `alg` is accepted, and no `crit`. */
  verify(token: string, key: VerificationKey, alg: string): Promise<Uint8Array | undefined>;
}

/** Loads the package. */
export async function openJose(): Promise<Jose> {
  const { compactVerify, importJWK, errors } = await import('jose');
  return {
    importKey: (jwk, alg) => importJWK(jwk as JWK, alg),
    async verify(token, key, alg) {
      try {
        return (await compactVerify(token, key, { algorithms: [alg] })).payload;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
