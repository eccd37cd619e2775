/** What an authenticator found. */
import type { ConsumerEntry, CredentialEntry } from '../bundle/types.js';
import type { ClientCertificate } from './connection.js';
import type { AuthProblem, Claims, Reply } from './exchange.js';

/** The caller is known. */
export interface Identity {
  readonly outcome: 'identity';
  /** Undefined: a verified caller that is not a consumer of the spec. */
  readonly consumer?: ConsumerEntry | undefined;
  /**
   * Which credential of the consumer it was. The engine refuses the identity if the consumer or the credential no longer
   * exists or is disabled, or if the credential has expired or is not for the client's address. So a kept identity needs no
   * check of its own.
   */
  readonly credential?: CredentialEntry | undefined;
  readonly claims?: Claims | undefined;
  /** The certificate by which the caller was found. It becomes that of the exchange. */
  readonly certificate?: ClientCertificate | undefined;
  /**
   * Request fields that the target gets. The chain sets them when the credentials are removed; strip() has removed those that the
   * client sent. `requestFields` of the policy names them.
   */
  readonly fields?: readonly (readonly [name: string, value: string])[] | undefined;
  /**
   * Present if the request has no credential and this identity stands in for one (`anonymous` of any-of): what a policy that
   * needs a caller answers with.
   */
  readonly absent?: AuthProblem | undefined;
  /**
   * The challenge of the authenticator, without an error: `Bearer realm="api"`. A policy that refuses the caller for a missing
   * scope adds to it.
   */
  readonly challenge?: string | undefined;
  /**
   * What the client gets if the engine refuses the identity for its credential: the same problem as for an unknown credential,
   * so that a client cannot tell them apart. Default: `auth/invalid` with a general title.
   */
  readonly refusal?: AuthProblem | undefined;
  /** For decisions, without secrets: `API key of acme`. */
  readonly why: string;
}

/** The request has no credential of this kind. any-of tries its next member. */
export interface Absent {
  readonly outcome: 'absent';
  readonly why: string;
  /** True: a request without a credential passes (`optional`). */
  readonly pass?: boolean;
  readonly problem: AuthProblem;
  /** What the client gets in place of the problem, such as a redirect to a page where people sign in. A fresh object. */
  readonly reply?: Reply | undefined;
}

/** The credential is not valid: 401, or the status of the problem. any-of does not continue. */
export interface Refused {
  readonly outcome: 'refused';
  readonly why: string;
  readonly problem: AuthProblem;
  /** What the client gets in place of the problem, such as the answer of a service that decides. A fresh object. */
  readonly reply?: Reply | undefined;
  /**
   * Too many attempts have failed: the client gets 429 `auth/too-many-failures` in place of the problem, and may try again after
   * this many milliseconds.
   */
  readonly wait?: number;
  /**
   * False: the credential is genuine, but not valid any more or not for this request, so it does not count as a guess. A 401
   * counts as a failed attempt of the client's address otherwise.
   */
  readonly counts?: false;
}

/** The credential cannot be checked now: 503. Never open. */
export interface Unavailable {
  readonly outcome: 'unavailable';
  /** For the log. */
  readonly why: string;
}

export type Authentication = Identity | Absent | Refused | Unavailable;

/**
 * Collects the whole body of the request, for authenticators whose declaration has a body(). `max`: bytes. Empty for a request
 * without a body. If the body cannot be collected (413, 415, 503), the result is the outcome to return.
 */
export type CollectBody = (max: number) => Promise<Uint8Array | Refused>;
