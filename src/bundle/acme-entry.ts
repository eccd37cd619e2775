/** Where certificates of listeners with `tls = "acme"` come from. */
import { list, number, optional, reference, table, text, word } from './shape.js';
import type { RefString } from './values.js';

export const ACME_KEY_TYPES = ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048', 'rsa-4096'] as const;
export type AcmeKeyType = (typeof ACME_KEY_TYPES)[number];

export const ACME_CHALLENGES = ['tls-alpn-01', 'http-01'] as const;
export type AcmeChallenge = (typeof ACME_CHALLENGES)[number];

export interface AcmeEntry {
  /** URL of the directory of the authority, RFC 8555 section 7.1.1. */
  readonly directory: string;
  /** The same for development; absent: the same directory. */
  readonly staging?: string;
  /** The hosts that certificates are ordered for, lower case, in order: no others. */
  readonly hosts: readonly string[];
  readonly email?: string;
  readonly keyType: AcmeKeyType;
  /** In order of preference. */
  readonly challenges: readonly AcmeChallenge[];
  /** PEM texts or paths of the authorities that the directory's own certificate is verified against. Absent: those of Node. */
  readonly ca?: readonly RefString[];
  /** RFC 8555 section 7.3.4. `key`: base64url. */
  readonly externalAccount?: { readonly id: RefString; readonly key: RefString };
  /** Milliseconds before the end of a certificate, instead of a third of its lifetime. */
  readonly renewBefore?: number;
}

/** What a loader checks of an entry. */
export const acmeShape = table({
  directory: text,
  staging: optional(text),
  hosts: list(text),
  email: optional(text),
  keyType: word(...ACME_KEY_TYPES),
  challenges: list(word(...ACME_CHALLENGES)),
  ca: optional(list(reference)),
  externalAccount: optional(table({ id: reference, key: reference })),
  renewBefore: optional(number(0)),
});
