/**
 * Texts that only this gateway can read and make: AES-256-GCM (NIST SP 800-38D) with keys derived from secrets by HKDF (RFC 5869).
 * The first secret seals; all of them open, so that a secret can be replaced without ending what was sealed before.
 *
 *     sealed = base64url( nonce (12) | ciphertext | tag (16) )
 *
 * Nonces are random: one secret is good for some 2^32 texts.
 */
import * as crypto from 'node:crypto';

type Secret = string | { readonly $ref: string };

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Least length of a secret in bytes: that of the key which is made of it. */
const LEAST_SECRET = 32;

export class Sealer {
  readonly #keys: readonly Buffer[];

  /** `purpose`: keys of one purpose open nothing of another one. Throws for a secret that is too short; the message omits it. */
  constructor(secrets: readonly Secret[], purpose: string) {
    this.#keys = secrets.map((secret) => keyOf(secret, purpose));
  }

  /** `context` is not part of the result, but needed to open it. */
  seal(text: string, context: string): string {
    const nonce = crypto.randomBytes(NONCE_BYTES);
    const cipher = crypto.createCipheriv(CIPHER, this.#keys[0]!, nonce, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(context));
    const sealed = [nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return Buffer.concat(sealed).toString('base64url');
  }

  /** Undefined for everything that seal() did not make with one of the secrets and this context. */
  open(sealed: string, context: string): string | undefined {
    if (!/^[A-Za-z0-9_-]*$/.test(sealed)) return undefined;
    const bytes = Buffer.from(sealed, 'base64url');
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const aad = Buffer.from(context);
    for (const key of this.#keys) {
      const text = opened(bytes, key, aad);
      if (text !== undefined) return text;
    }
    return undefined;
  }
}

function opened(bytes: Buffer, key: Buffer, aad: Buffer): string | undefined {
  const tagAt = bytes.length - TAG_BYTES;
  const decipher = crypto.createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(bytes.subarray(tagAt));
  const text = decipher.update(bytes.subarray(NONCE_BYTES, tagAt), undefined, 'utf8');
  try {
    return text + decipher.final('utf8');
  } catch {
    // The tag does not fit: not by this key, of another context, or changed.
    return undefined;
  }
}

function keyOf(secret: Secret, purpose: string): Buffer {
  if (typeof secret !== 'string') throw new TypeError('The session secret is an unresolved reference.');
  // In an offline run a reference may have no value: a random key opens nothing.
  if (/^\$\{[a-z]+:[^}]*\}$/.test(secret)) return crypto.randomBytes(KEY_BYTES);
  const bytes = Buffer.byteLength(secret);
  if (bytes < LEAST_SECRET)
    throw new Error(`The session secret has ${bytes} bytes; it needs at least ${LEAST_SECRET} random ones.`);
  return Buffer.from(crypto.hkdfSync('sha256', secret, '', `gw ${purpose}`, KEY_BYTES));
}
