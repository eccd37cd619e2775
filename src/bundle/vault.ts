/** Where the values of secrets come from. */
import type { RefString } from './values.js';

export interface VaultEntry {
  /** URL without a path at its end. */
  readonly address: RefString;
  /** PEM file. */
  readonly ca?: string;
  readonly namespace?: string;
  /** Of the KV engine; absent: the first segment of a path. */
  readonly mount?: string;
  readonly login:
    | { readonly method: 'token'; readonly token: RefString }
    | { readonly method: 'approle'; readonly mount: string; readonly roleId: RefString; readonly secretId: RefString }
    /** `jwt`: a file. */
    | { readonly method: 'kubernetes'; readonly mount: string; readonly role: string; readonly jwt: string };
  /** Milliseconds. */
  readonly refresh: number;
  readonly timeout: number;
}
