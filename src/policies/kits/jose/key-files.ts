/** Public keys in files: PEM, JWK or JWKS. Read by the compiler, so that a bundle contains the keys. */
import { createPublicKey } from 'node:crypto';
import type { PolicyContext } from '../../contract.js';
import { type PublicJwk, publicKey } from './keys.js';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/g;
const PUBLIC = ['PUBLIC KEY', 'RSA PUBLIC KEY', 'CERTIFICATE'];

/** The keys of a file, or why it cannot be used: a phrase that follows the name of the file. */
function keysOfFile(text: string): readonly PublicJwk[] | string {
  const json = /^\s*\{/.test(text);
  const found = json ? jwksOf(text) : pemKeys(text);
  if (typeof found === 'string') return found;
  const keys: PublicJwk[] = [];
  for (const jwk of found) {
    const key = publicKey(jwk);
    if (typeof key === 'string') return `has a key that cannot be used: ${key}`;
    keys.push(key);
  }
  return keys.length === 0 ? 'has no key' : keys;
}

/** The keys of a file that a config names, or why it cannot be used, as keysOfFile() says it. */
export function readKeyFile(path: string, context: PolicyContext): readonly PublicJwk[] | string {
  const { text, cause } = context.readFile(path);
  return text === undefined ? `cannot be read: ${cause}` : keysOfFile(text);
}

/** For compile(): a file that cannot be used is an error of lint(). */
export function keysOrNone(path: string, context: PolicyContext): readonly PublicJwk[] {
  const keys = readKeyFile(path, context);
  return typeof keys === 'string' ? [] : keys;
}

const PRIVATE = 'has a private key: gw needs only the public key, and the issuer must keep the private one';

function jwksOf(text: string): readonly unknown[] | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'is not valid JSON';
  }
  const set = value as { readonly keys?: unknown };
  const keys: readonly unknown[] = Array.isArray(set.keys) ? set.keys : [value];
  return keys.some((key) => typeof key === 'object' && key !== null && ('d' in key || 'k' in key)) ? PRIVATE : keys;
}

function pemKeys(text: string): readonly unknown[] | string {
  const keys: unknown[] = [];
  for (const [block, label = ''] of text.matchAll(BLOCK)) {
    if (label.includes('PRIVATE')) return PRIVATE;
    if (!PUBLIC.includes(label)) return `has a PEM block \`${label}\`, which is not a public key or a certificate`;
    try {
      keys.push(createPublicKey(block).export({ format: 'jwk' }));
    } catch (error) {
      return `has a PEM block that cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    }
  }
  return keys.length === 0 ? 'has neither PEM nor JSON' : keys;
}
