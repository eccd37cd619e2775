/** Signed requests of ACME clients, RFC 8555 section 6.2, verified as strictly as an authority does. */
import { createHash, createHmac, createPublicKey, type JsonWebKey, timingSafeEqual, verify } from 'node:crypto';
import { AcmeFailure } from './problem.js';

export interface SignedRequest {
  readonly nonce: string;
  readonly url: string;
  readonly jwk: JsonWebKey | undefined;
  readonly kid: string | undefined;
  /** Undefined: POST-as-GET. */
  readonly payload: { readonly [name: string]: unknown } | undefined;
  /** @throws AcmeFailure if the signature is not that of the key */
  verify(jwk: JsonWebKey): void;
}

const ALGORITHMS: Readonly<Record<string, { readonly digest: string; readonly kty: string; readonly crv?: string }>> = {
  RS256: { digest: 'sha256', kty: 'RSA' },
  ES256: { digest: 'sha256', kty: 'EC', crv: 'P-256' },
  ES384: { digest: 'sha384', kty: 'EC', crv: 'P-384' },
};

const decode = (text: unknown): Buffer => {
  if (typeof text !== 'string' || !/^[\w-]*$/.test(text)) throw new AcmeFailure(400, 'malformed', 'no base64url');
  return Buffer.from(text, 'base64url');
};

function object(text: string): { readonly [name: string]: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as { readonly [name: string]: unknown };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new AcmeFailure(400, 'malformed', 'no JSON object');
}

export function readSigned(text: string, type: string | undefined): SignedRequest {
  if (type !== 'application/jose+json') throw new AcmeFailure(415, 'malformed', `content type ${String(type)}`);
  const outer = object(text);
  const head = object(decode(outer['protected']).toString());
  const payload = decode(outer['payload']).toString();
  const { alg, nonce, url, jwk, kid } = head;
  if (typeof url !== 'string' || typeof nonce !== 'string') throw new AcmeFailure(400, 'malformed', 'no url or nonce');
  if ((jwk === undefined) === (kid === undefined)) throw new AcmeFailure(400, 'malformed', 'not one of jwk and kid');
  return {
    nonce,
    url,
    jwk: jwk as JsonWebKey | undefined,
    kid: kid as string | undefined,
    payload: payload === '' ? undefined : object(payload),
    verify: (key) => {
      const algorithm = ALGORITHMS[String(alg)];
      if (algorithm === undefined || key.kty !== algorithm.kty || key.crv !== algorithm.crv)
        throw new AcmeFailure(400, 'badSignatureAlgorithm', `algorithm ${String(alg)}`);
      const input = Buffer.from(`${String(outer['protected'])}.${String(outer['payload'])}`);
      const publicKey = createPublicKey({ key, format: 'jwk' });
      const signature = decode(outer['signature']);
      if (!verify(algorithm.digest, input, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature))
        throw new AcmeFailure(403, 'unauthorized', 'the signature is not valid');
    },
  };
}

/** The thumbprint of a key, RFC 7638. */
export function thumbprintOf({ crv, e, kty, n, x, y }: JsonWebKey): string {
  const text = JSON.stringify(kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y });
  return createHash('sha256').update(text).digest('base64url');
}

/** Checks an external account binding, RFC 8555 section 7.3.4. @throws AcmeFailure */
export function checkBinding(value: unknown, jwk: JsonWebKey, url: string, keys: ReadonlyMap<string, string>): void {
  const { protected: head, payload, signature } = (value ?? {}) as { readonly [name: string]: unknown };
  if (head === undefined) throw new AcmeFailure(403, 'externalAccountRequired', 'no external account binding');
  const { alg, kid, url: named } = object(decode(head).toString());
  const secret = keys.get(String(kid));
  const same = thumbprintOf(object(decode(payload).toString()) as JsonWebKey) === thumbprintOf(jwk);
  if (alg !== 'HS256' || named !== url || secret === undefined || !same)
    throw new AcmeFailure(403, 'unauthorized', 'the external account binding does not match');
  const expected = createHmac('sha256', Buffer.from(secret, 'base64url'))
    .update(`${String(head)}.${String(payload)}`)
    .digest();
  const given = decode(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw new AcmeFailure(403, 'unauthorized', 'the external account binding is not signed by its key');
}
