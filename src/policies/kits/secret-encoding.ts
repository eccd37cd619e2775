/** How specs write shared secrets: `secret_encoding`. */

export const SECRET_ENCODINGS = ['text', 'hex', 'base64'] as const;
export type SecretEncoding = (typeof SECRET_ENCODINGS)[number];

/** The bytes of a secret; undefined if its text is not in the encoding. The padding of base64 may be left out. */
export function secretBytes(text: string, encoding: SecretEncoding): Uint8Array | undefined {
  if (encoding === 'text') return Buffer.from(text);
  if (encoding === 'hex') return /^([0-9a-fA-F]{2})+$/.test(text) ? Buffer.from(text, 'hex') : undefined;
  return isBase64(text) ? Buffer.from(text, 'base64') : undefined;
}

/** Buffer ignores what it does not know, so part of a secret could be lost. */
function isBase64(text: string): boolean {
  const padding = /^[A-Za-z0-9+/]+(={0,2})$/.exec(text)?.[1];
  if (padding === undefined) return false;
  return padding === '' ? text.length % 4 !== 1 : text.length % 4 === 0;
}
