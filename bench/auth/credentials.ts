/** Keys, tokens, passwords and signatures for `bench auth`, and the scripts that send them. */
import { createHash, createHmac, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import bcrypt from 'bcryptjs';
import type { Setting } from '../proxy/setting.js';

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
}

/** Key pairs, made once for a run. */
export function pairs(): { readonly rs256: Pair; readonly es256: Pair } {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }) as string;
  return {
    rs256: {
      alg: 'RS256',
      sign: (text) => sign('sha256', Buffer.from(text), rsa.privateKey),
      publicKey: pem(rsa.publicKey),
    },
    es256: {
      alg: 'ES256',
      sign: (text) => sign('sha256', Buffer.from(text), { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }),
      publicKey: pem(ec.publicKey),
    },
  };
}

/** A token that is valid for a day. */
export function token({ alg, sign: signature }: Signer, subject = 'bench'): string {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: 'bench', aud: 'bench', sub: subject, iat: now - 60, exp: now + 86_400 };
  const text = `${base64url(JSON.stringify({ alg, typ: 'JWT' }))}.${base64url(JSON.stringify(claims))}`;
  return `${text}.${base64url(signature(text))}`;
}

export const tokens = (signer: Signer): string[] =>
  Array.from({ length: COLD }, (_, at) => token(signer, `subject-${at}`));

/** An htpasswd file whose users all have the password `bench`: one hash, since making it is what takes time. */
export function htpasswd(users: number): string {
  const hash = bcrypt.hashSync('bench', 4);
  return Array.from({ length: users }, (_, at) => `user-${at}:${hash}`).join('\n');
}

export const basicOf = (user: string): string => `Basic ${Buffer.from(`${user}:bench`).toString('base64')}`;

/** A GET of /items/1 that is signed as in RFC 9421: the fields, and the public key as PEM. */
export function signedRequest(authority: string): {
  readonly headers: { [name: string]: string };
  readonly pem: string;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const created = Math.floor(Date.now() / 1000);
  const parameters = `("@method" "@authority" "@path");created=${created};keyid="bench"`;
  const base = [
    '"@method": GET',
    `"@authority": ${authority}`,
    '"@path": /items/1',
    `"@signature-params": ${parameters}`,
  ].join('\n');
  const signature = sign(null, Buffer.from(base), privateKey).toString('base64');
  return {
    headers: { Host: authority, 'signature-input': `s=${parameters}`, signature: `s=:${signature}:` },
    pem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  };
}

/** A Lua script for wrk that sends one of these values in turn in a field. */
export function scriptOfValues(setting: Setting, name: string, field: string, values: readonly string[]): string {
  const list = setting.write(`${name}.txt`, `${values.join('\n')}\n`);
  return setting.write(
    `${name}.lua`,
    `local requests = {}
local at = 0
function init(args)
  for value in io.lines("${list}") do
    requests[#requests + 1] = wrk.format("GET", "/items/1", { ["${field}"] = value })
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`,
  );
}
