/** A client that signs DPoP proofs, RFC 9449. */
import { createHash, randomUUID } from 'node:crypto';
import { type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

export interface Proof {
  readonly method?: string;
  readonly url: string;
  readonly token: string;
  /** Seconds since 1970. Default: now. */
  readonly at?: number;
  readonly nonce?: string | undefined;
  /** Members in place of the right ones; undefined removes one. */
  readonly claims?: { readonly [name: string]: unknown };
  readonly header?: { readonly [name: string]: unknown };
}

export class DpopClient {
  readonly alg: string;
  readonly jwk: JWK;
  readonly jkt: string;
  readonly privateKey: CryptoKey;

  private constructor(alg: string, jwk: JWK, jkt: string, privateKey: CryptoKey) {
    this.alg = alg;
    this.jwk = jwk;
    this.jkt = jkt;
    this.privateKey = privateKey;
  }

  static async create(alg = 'ES256'): Promise<DpopClient> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = await exportJWK(publicKey);
    return new DpopClient(alg, jwk, await calculateJwkThumbprint(jwk), privateKey);
  }

  /** What the issuer writes into tokens for this client. */
  get cnf(): { readonly jkt: string } {
    return { jkt: this.jkt };
  }

  proof({ method = 'GET', url, token, at, nonce, claims = {}, header = {} }: Proof): Promise<string> {
    const iat = at ?? Math.floor(Date.now() / 1000);
    const ath = createHash('sha256').update(token).digest('base64url');
    const whole = { jti: randomUUID(), htm: method, htu: url, iat, ath, ...(nonce === undefined ? {} : { nonce }) };
    return new SignJWT({ ...whole, ...claims })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: this.alg, jwk: this.jwk, ...header })
      .sign(this.privateKey);
  }
}
