/** Content-Digest, RFC 9530: sha-256 and sha-512. */
import * as crypto from 'node:crypto';
import { bytesOf, readDictionary } from '../structured-fields.js';

const HASHES: { readonly [name: string]: string } = { 'sha-256': 'sha256', 'sha-512': 'sha512' };

export type DigestAlgorithm = 'sha-256' | 'sha-512';

/** The field for a body. */
export const contentDigest = (body: Uint8Array, algorithm: DigestAlgorithm = 'sha-256'): string =>
  `${algorithm}=:${crypto.createHash(HASHES[algorithm]!).update(body).digest('base64')}:`;

/** The digests of a field that can be checked, by the name of the hash; undefined if it is malformed or has none of them. */
export function readDigests(field: string): ReadonlyMap<string, Uint8Array> | undefined {
  const members = readDictionary(field);
  if (members === undefined) return undefined;
  const digests = new Map<string, Uint8Array>();
  for (const [name, [value]] of members) {
    if (!Object.hasOwn(HASHES, name)) continue;
    const bytes = Array.isArray(value) ? undefined : bytesOf(value);
    if (bytes === undefined) return undefined;
    digests.set(name, bytes);
  }
  return digests.size === 0 ? undefined : digests;
}

/** Whether a body has all of these digests. */
export function hasDigests(body: Uint8Array, digests: ReadonlyMap<string, Uint8Array>): boolean {
  for (const [name, digest] of digests) {
    const actual = crypto.createHash(HASHES[name]!).update(body).digest();
    if (actual.length !== digest.length || !crypto.timingSafeEqual(actual, digest)) return false;
  }
  return true;
}
