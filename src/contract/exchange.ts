/** A request in flight and its reply, as policies and actions see them. */
import type { ConsumerEntry, Json, RouteEntry } from '../bundle/types.js';
import type { ClientCertificate, ConnectionFacts } from './connection.js';
import type { HeaderFields } from './fields.js';

/** Facts about the caller that an authenticator has verified: the claims of a token, or what a service answered. */
export type Claims = { readonly [name: string]: Json };

/** What a caller without a valid credential gets. */
export interface AuthProblem {
  /** Default: 401. */
  readonly status?: number;
  /** Slug, e.g. `auth/missing`. */
  readonly code: string;
  readonly title: string;
  readonly detail?: string;
  /** A challenge for WWW-Authenticate, RFC 9110 section 11.6.1. */
  readonly challenge?: string;
  /** Further fields of the reply, such as Retry-After and Accept-Signature. Lower-case names. */
  readonly headers?: { readonly [name: string]: string };
}

/** A request in flight: what the target will get, and what is known about it so far. */
export interface Exchange {
  /** Unique in time and space; sent to the target and the client as x-request-id. */
  readonly id: string;
  readonly method: string;
  /** Lower case, without the port. */
  readonly host: string;
  /** Normalised path. */
  readonly path: string;
  /** Raw query without '?'; '' for none. Assign to change what the target gets. */
  query: string;
  /**
   * The query that records show, if it is not `query`. A policy that changes the query for the target, and not to remove a credential, sets
   * it to the one before, unless it is set: so masks of records find the names that clients use. Without credentials.
   */
  shownQuery?: string | undefined;
  /**
   * Path that the target gets, after that of its URL: the normalised path, or what `strip_prefix` or `rewrite` of the route or a
   * policy makes of it. '' if only the path of the URL is left; undefined if the route's rewrite cannot be sent.
   */
  readonly targetPath: string | undefined;
  /**
   * Sets that, in place of what the route makes of the path; the query stays. The path is normalised. Returns false, and changes
   * nothing, if it cannot be sent: a dot segment, or what `[normalize]` refuses.
   */
  setTargetPath(path: string): boolean;
  /** URL of the target that the last attempt went to; null before the first one. */
  readonly target: string | null;
  readonly remoteAddress: string;
  readonly scheme: 'http' | 'https';
  /** Name of the listener that received it. */
  readonly listener: string;
  /** The connection that it arrived by. */
  readonly connection: ConnectionFacts;
  /**
   * The certificate that the caller has proved to have, and that is valid: what an authenticator has found (a `Client-Cert` field
   * of a trusted proxy), or else that of the connection. Undefined for none.
   */
  readonly clientCertificate: ClientCertificate | undefined;
  readonly route: RouteEntry;
  /** Milliseconds of the host's clock. */
  readonly startedAt: number;
  /** Request fields; the target gets them as edited. */
  readonly headers: HeaderFields;
  /** A request field as the client sent it, whatever policies have edited; lower-case name. */
  received(name: string): string | undefined;
  /** Path and query as the client sent them, not normalised: `/a/../b?x=1`. For an absolute request target, without scheme and host. */
  readonly receivedTarget: string;
  /** Whether the client sends a body, which may still be empty if its length is not declared. */
  readonly hasBody: boolean;
  /** Whether the request is an upgrade to another protocol that gw forwards, such as a WebSocket: then it has no reply to keep. */
  readonly wantsUpgrade: boolean;
  /** Same as headers.get: makes an Exchange a RequestView. */
  header(name: string): string | undefined;
  /** A path parameter, percent-decoded; undefined when the route has none of that name. */
  param(name: string): string | undefined;
  /** The same as in the normalised path, percent-encoded: for URLs. */
  rawParam(name: string): string | undefined;
  /** First value of a query parameter, decoded; undefined when absent. */
  queryParam(name: string): string | undefined;
  /** Set from the identity that an authenticator returned. */
  consumer: ConsumerEntry | undefined;
  /** Set from the identity that an authenticator returned. */
  claims: Claims | undefined;
  /** An authenticator has found the caller, perhaps without a consumer and claims. */
  readonly known: boolean;
  /**
   * Consumers and claims that authenticators have found before: `consumer` and `claims` are those of the last one that has found
   * them. Undefined: none was replaced.
   */
  readonly earlierCallers: readonly EarlierCaller[] | undefined;
  /**
   * What the authenticators ask for that found no credential and let the request pass; undefined if another one has found the
   * caller. A policy that needs a caller answers with them (authProblem() of the run kit).
   */
  readonly absent: readonly AuthProblem[] | undefined;
  /** `challenge` of the identity. */
  readonly challenge: string | undefined;
  /** The rule that decided about access, for the access log: `POLICY/RULE`. A policy with rules sets it. */
  rule: string | undefined;
  /** Whether something of it may have reached a target, or a service that its action calls: then work may have been done. */
  readonly sent: boolean;
  /**
   * Set it so that it goes on without its client: if that leaves, the reply is read to its end, within the `timeout` of the route. The
   * request's body must have been collected.
   */
  lasting: boolean;
  /**
   * Set it before the action so that a target gets the request once at most: nothing of it is sent again after a failure, also if its method
   * is idempotent.
   */
  sendOnce: boolean;
  /**
   * Notes something for the later hooks of the same policy or action in this exchange: one value for each `owner`, which is
   * the instance itself.
   */
  note(owner: object, value: object): void;
  /** What `owner` noted; undefined for nothing. */
  noted(owner: object): object | undefined;
  /**
   * Remembers something for later requests of the same connection, one value for each policy. Other clients may share a
   * connection (behind a proxy): the value must be valid for all of them.
   */
  remember(owner: object, value: object): void;
  /** What `owner` remembered; undefined for nothing. */
  remembered(owner: object): object | undefined;
  /** Present only if decisions are recorded (explain, the dashboard): then add what was decided and why. */
  readonly decisions: Decision[] | undefined;
}

/** What an authenticator has found, and a later one replaced. */
export interface EarlierCaller {
  readonly consumer: ConsumerEntry | undefined;
  readonly claims: Claims | undefined;
}

/** What one step decided and why. Built only if `exchange.decisions` is present. */
export interface Decision {
  /** Policy name, or `match`, `balance`. */
  readonly step: string;
  readonly use: string;
  /** `call`: a request of the step to another service. */
  readonly outcome: 'pass' | 'answer' | 'edit' | 'error' | 'skip' | 'call';
  readonly why: string;
  readonly details?: { readonly [key: string]: Json };
}

/** A body that is not read yet. */
export interface ReplyBody {
  /** Discards the rest and releases (or closes) its source. Idempotent. */
  discard(): void;
}

/** The result of an exchange: from a target (the body is a stream) or from gw itself. */
export interface Reply {
  status: number;
  readonly headers: HeaderFields;
  /** Bytes, a stream (of a target, or a BodySource), or null for none. */
  body: Uint8Array | ReplyBody | null;
  /** Error slug of a reply by gw (`auth/missing`), for the access log. */
  readonly code?: string | undefined;
  /** Why gw or a policy answers, for the log only: `connection refused`. */
  readonly cause?: string | undefined;
}

/** How an exchange ended: its whole reply was sent, its reply was cut, or its client left before the reply was complete. */
export type ExchangeEnd = 'sent' | 'cut' | 'aborted';
