/**
 * TLS ciphers that gw supports, by OpenSSL name: only with forward secrecy (RFC 9325 section 4.1), so no RSA key transport,
 * no static Diffie-Hellman, no anonymous ciphers.
 */
import type { ListenerTls, TlsPolicyEntry } from './tls-entry.js';

/** Ciphers of TLS 1.3 in order of preference; the default. */
export const CIPHERS_13: readonly string[] = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
];

const ephemeral = (cipher: string): string[] => [`ECDHE-ECDSA-${cipher}`, `ECDHE-RSA-${cipher}`];

/**
 * The default of TLS 1.2: only AEAD (RFC 9325 section 4.2), and no DHE, because its keys cost a server more than a client.
 */
export const CIPHERS_12: readonly string[] = [
  ...ephemeral('AES128-GCM-SHA256'),
  ...ephemeral('AES256-GCM-SHA384'),
  ...ephemeral('CHACHA20-POLY1305'),
];

/** CBC with forward secrecy, for old clients. */
export const CIPHERS_12_CBC: readonly string[] = [
  ...ephemeral('AES128-SHA256'),
  ...ephemeral('AES256-SHA384'),
  ...ephemeral('AES128-SHA'),
  ...ephemeral('AES256-SHA'),
];

/** All ciphers that a spec may use. */
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

/** The policy of a listener for a host name in lower case: exact before wildcard before default. */
export function tlsPolicyFor({ hosts = [], ...others }: ListenerTls, name: string): TlsPolicyEntry {
  const wildcard = `*${name.slice(Math.max(0, name.indexOf('.')))}`;
  const named = (wanted: string) => hosts.find(({ names }) => names?.includes(wanted) === true);
  return named(name) ?? named(wildcard) ?? others;
}

/** Whether a cipher belongs to TLS 1.3, where OpenSSL uses the standard names. */
export const isOfTls13 = (cipher: string): boolean => cipher.startsWith('TLS_') && !cipher.includes('_WITH_');
