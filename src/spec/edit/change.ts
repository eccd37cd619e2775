/** Changes of the credentials of one consumer in the file that declares it: only the lines of that consumer change. */

/** An API key to write: only its hash is stored. */
export interface NewCredential {
  readonly name: string;
  /** `sha256:<64 hex digits>`. */
  readonly key: string;
  /** Milliseconds since 1970. */
  readonly expires?: number | undefined;
  readonly addresses?: readonly string[] | undefined;
  /** Day of its creation, for a comment in TOML. */
  readonly created?: string | undefined;
}

/** Where a credential is written: an index into one of the two lists of a consumer. */
export interface Which {
  readonly list: 'credentials' | 'api_keys';
  readonly index: number;
}

export type CredentialChange =
  | { readonly do: 'add'; readonly credential: NewCredential }
  | { readonly do: 'remove'; readonly which: Which }
  /** For `credentials` only. */
  | { readonly do: 'set'; readonly which: Which; readonly name?: string; readonly expires?: number };

/** A consumer to write. */
export interface NewConsumer {
  readonly name: string;
  readonly plan?: string | undefined;
  readonly groups?: readonly string[] | undefined;
}

/** The text is written in a form that gw does not edit; the message says what to do. */
export class EditRefused extends Error {
  override readonly name = 'EditRefused';
}

/** A date as TOML and JSON write it: without the milliseconds. */
export const instantText = (at: number): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** The end of a credential as files can say it: the next whole second. */
export const wholeSecond = (at: number): number => Math.ceil(at / 1000) * 1000;
