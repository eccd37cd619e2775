/** Keys, tokens, passwords and signatures for `bench auth`. */
import {
  createHash,
  createHmac,
  generateKeyPairSync,
  type KeyPairKeyObjectResult,
  randomBytes,
  sign,
} from 'node:crypto';
import bcrypt from 'bcryptjs';

/** Distinct credentials of a cold run: more than any cache of gw keeps. */
export const COLD = 20_000;
/** Consumers with a key each. */
export const CONSUMERS = 2000;

const base64url = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString('base64url');
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export type Signer = { readonly alg: 'HS256' | 'RS256' | 'ES256'; readonly sign: (text: string) => Buffer };

export const secret = randomBytes(32).toString('hex');
export const hs256: Signer = { alg: 'HS256', sign: (text) => createHmac('sha256', secret).update(text).digest() };

export interface Pair extends Signer {
  /** PEM. */
  readonly publicKey: string;
  readonly jwk: object;
  /** JWK. */
  readonly privateKey: string;
}

function pairOf(
  alg: Pair['alg'],
  { publicKey, privateKey }: KeyPairKeyObjectResult,
  signature: (text: Buffer) => Buffer,
): Pair {
  return {
    alg,
    sign: (text) => signature(Buffer.from(text)),
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    jwk: publicKey.export({ format: 'jwk' }),
    privateKey: JSON.stringify(privateKey.export({ format: 'jwk' })),
  };
}

export function rs256(): Pair {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return pairOf('RS256', keys, (text) => sign('sha256', text, keys.privateKey));
}

export function es256(): Pair {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return pairOf('ES256', keys, (text) => sign('sha256', text, { key: keys.privateKey, dsaEncoding: 'ieee-p1363' }));
}

/** A token that is valid for a day. */
export function token({ alg, sign: signature }: Signer, subject = 'bench', iss = 'bench'): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss, aud: 'bench', sub: subject, iat: now - 60, exp: now + 86_400 };
  const text = `${base64url(JSON.stringify({ alg, typ: 'JWT' }))}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${base64url(signature(text))}`;
}

export const tokens = (signer: Signer, iss = 'bench'): string[] =>
  Array.from({ length: COLD }, (_, at) => token(signer, `subject-${at}`, iss));

export const bearer = (value: string): { readonly authorization: string } => ({ authorization: `Bearer ${value}` });

/** An htpasswd file whose users all have the password `bench`: one hash, since making it is what takes time. */
export function htpasswd(users: number): string {
  const hash = bcrypt.hashSync('bench', 4);
  return Array.from({ length: users }, (_, at) => `user-${at}:${hash}`).join('\n');
}

export const basicOf = (user: string): string => `Basic ${Buffer.from(`${user}:bench`).toString('base64')}`;

/** Signs requests as in RFC 9421, with Ed25519. */
export class RequestSigner {
  readonly #keys = generateKeyPairSync('ed25519');
  /** PEM. */
  readonly publicKey = this.#keys.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  readonly #authority = 'bench.example';

  /** The fields of a request. `body`: covered by a digest. */
  sign(method: string, path: string, { nonce, body }: { nonce?: string; body?: string } = {}): Fields {
    const digest = body === undefined ? undefined : `sha-256=:${createHash('sha256').update(body).digest('base64')}:`;
    const components = `("@method" "@authority" "@path"${digest === undefined ? '' : ' "content-digest"'})`;
    const once = nonce === undefined ? '' : `;nonce="${nonce}"`;
    const parameters = `${components};created=${Math.floor(Date.now() / 1000)}${once};keyid="bench"`;
    const base = [
      `"@method": ${method}`,
      `"@authority": ${this.#authority}`,
      `"@path": ${path}`,
      ...(digest === undefined ? [] : [`"content-digest": ${digest}`]),
      `"@signature-params": ${parameters}`,
    ].join('\n');
    const signature = sign(null, Buffer.from(base), this.#keys.privateKey).toString('base64');
    return {
      Host: this.#authority,
      ...(digest === undefined ? {} : { 'content-digest': digest }),
      'signature-input': `s=${parameters}`,
      signature: `s=:${signature}:`,
    };
  }
}

export type Fields = { readonly [name: string]: string };
