/** What an authenticator found. */
import type { ConsumerEntry } from '../bundle/types.js';
import type { Claims } from './exchange.js';

/** The caller is known. */
export interface Identity {
  readonly outcome: 'identity';
  /** Undefined: a verified caller that is not a consumer of the spec. */
  readonly consumer?: ConsumerEntry | undefined;
  readonly claims?: Claims | undefined;
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
}

/** The credential is not valid: 401, or the status of the problem. any-of does not continue. */
export interface Refused {
  readonly outcome: 'refused';
  readonly why: string;
  readonly problem: AuthProblem;
}

/** The credential cannot be checked now: 503. Never open. */
export interface Unavailable {
  readonly outcome: 'unavailable';
  /** For the log. */
  readonly why: string;
}

export type Authentication = Identity | Absent | Refused | Unavailable;

export interface AuthProblem {
  /** Default: 401. */
  readonly status?: number;
  /** Slug, e.g. `auth/missing`. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  /** A challenge for WWW-Authenticate, RFC 9110 section 11.6.1. */
  readonly challenge?: string;
}
