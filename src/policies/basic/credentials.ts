/** The credentials of a request, RFC 7617 section 2. */
import type { Exchange } from '../contract.js';
import { afterScheme } from '../run-kit.js';

export interface Credentials {
  /** Without a colon. NFC, like the password. */
  readonly user: string;
  readonly password: string;
}

/** Longer ones are refused without hashing. */
const MAX_ENCODED = 2048;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `none`: no credentials of this scheme. `ambiguous`: several fields. `malformed`: what the field has can be no credentials. */
export function findCredentials(exchange: Exchange): Credentials | 'none' | 'ambiguous' | 'malformed' {
  const value = exchange.headers.get('authorization');
  if (value === undefined) return 'none';
  // Base64 has no comma: it stands between two fields, or the field is malformed.
  if (value.includes(',')) return severalFields(exchange) ? 'ambiguous' : isBasic(value) ? 'malformed' : 'none';
  const encoded = afterScheme(value, 'basic');
  return encoded === undefined ? 'none' : (decode(encoded.trimEnd()) ?? 'malformed');
}

/** Whether a target could read the field as credentials of this scheme. */
export const isBasic = (value: string): boolean => afterScheme(value, 'basic') !== undefined;

function decode(encoded: string): Credentials | undefined {
  if (encoded.length > MAX_ENCODED || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return undefined;
  let text: string;
  try {
    text = utf8.decode(Buffer.from(encoded, 'base64'));
  } catch {
    return undefined;
  }
  const colon = text.indexOf(':');
  // Section 2: neither part may have control characters.
  if (colon < 0 || /[\x00-\x1f\x7f]/.test(text)) return undefined;
  return { user: text.slice(0, colon).normalize('NFC'), password: text.slice(colon + 1).normalize('NFC') };
}

function severalFields({ headers }: Exchange): boolean {
  let count = 0;
  for (const [name] of headers.entries()) if (name.toLowerCase() === 'authorization') count++;
  return count > 1;
}
