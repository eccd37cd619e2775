/** Callers and their proofs of identity. */
import type { Json, RefString } from './values.js';

/** Kinds of credentials. */
export const CREDENTIAL_KINDS = ['key', 'certificate', 'signature', 'password'] as const;
export type CredentialKind = (typeof CREDENTIAL_KINDS)[number];

/** A proof of identity of a consumer. */
export interface CredentialEntry {
  readonly kind: CredentialKind;
  /** Unique among the credentials of the consumer. */
  readonly name: string;
  /**
   * Unique among the credentials of its kind. Key: `sha256:<64 hex>` of the key; certificate: `sha256:<64 hex>`, its
   * fingerprint; signature: key id; password: user name.
   */
  readonly id: RefString;
  /**
   * What verifies it. Signature: `{ algorithm, key }` with a JWK, or for `hmac-sha256` the secret as a RefString, with `encoding` if
   * it is written in `hex` or `base64`. Password: its hash, a RefString. Absent for the other kinds, whose id is enough.
   */
  readonly data?: Json;
  /** Milliseconds since 1970; absent: never. */
  readonly expires?: number;
  readonly disabled?: true;
  /** Client addresses (CIDR) that may use it; absent: all. */
  readonly addresses?: readonly string[];
}

export interface ConsumerEntry {
  readonly name: string;
  readonly plan?: string;
  readonly groups: readonly string[];
  readonly tags: { readonly [name: string]: string };
  /** Its requests are refused. */
  readonly disabled?: true;
  /** Streams and tunnels stay open when it or its credential is no longer accepted. */
  readonly keepStreams?: true;
  readonly credentials: readonly CredentialEntry[];
}
