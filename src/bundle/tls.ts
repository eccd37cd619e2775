/**
 * TLS ciphers by OpenSSL's names, as far as gw offers them: with forward secrecy (RFC 9325 section 4.1), so neither key
 * transport by RSA nor static Diffie-Hellman, and nothing anonymous.
 */

/** Of TLS 1.3, in the order of preference; what is offered where the spec names none. */
export const CIPHERS_13: readonly string[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

const ephemeral = (cipher: string): string[] => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`];

/**
 * The same of TLS 1.2: AEAD alone (RFC 9325 section 4.2), and no DHE, whose keys cost a server more than they cost a client
 * that asks for them.
 */
export const CIPHERS_12: readonly string[] = [
  ...ephemeral('AES128-GCM-SHA256'),
  ...ephemeral('AES256-GCM-SHA384'),
  ...ephemeral('CHACHA20-POLY1305'),
];

/** CBC with forward secrecy, for peers that know nothing newer. */
export const CIPHERS_12_CBC: readonly string[] = [
  ...ephemeral('AES128-SHA256'),
  ...ephemeral('AES256-SHA384'),
  ...ephemeral('AES128-SHA'),
  ...ephemeral('AES256-SHA'),
];

/** All that a spec may name. */
export const KNOWN_CIPHERS: ReadonlySet<string> = new Set([
  ...CIPHERS_13,
  'TLS_AES_128_CCM_SHA256',
  ...CIPHERS_12,
  'DHE-RSA-AES128-GCM-SHA256',
  'DHE-RSA-AES256-GCM-SHA384',
  'DHE-RSA-CHACHA20-POLY1305',
  ...CIPHERS_12_CBC,
  'DHE-RSA-AES128-SHA256',
  'DHE-RSA-AES256-SHA256',
  'DHE-RSA-AES128-SHA',
  'DHE-RSA-AES256-SHA',
]);

/** Whether a cipher is one of TLS 1.3, where OpenSSL's names are the standard's. */
export const isOfTls13 = (cipher: string): boolean => cipher.startsWith('TLS_') && !cipher.includes('_WITH_');
