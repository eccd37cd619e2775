/** A policy at run time. */
import type { Json } from '../bundle/types.js';
import type { Attempt } from './attempt.js';
import type { Authentication, CollectBody } from './authentication.js';
import type { BodyStage, StageOut } from './body.js';
import type { Exchange, ExchangeEnd, Reply } from './exchange.js';

/** A value now, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/** What a record of an exchange says that may be private, for the access log and the dashboard. */
export interface RecordTexts {
  /** Null: none takes the request. */
  readonly route: string | null;
  /** Path and query, without credentials. */
  url: string;
  /** Why gw answered. */
  cause: string | null;
  /** What the decisions of its steps say, if they are recorded. */
  whys: readonly string[];
  /** The paths of its calls to services, as in a URL. */
  callPaths: readonly string[];
}

/**
 * A policy at run time. Every hook is optional. A throw or rejection of a hook refuses the exchange with 500: policies fail
 * closed. If the exchange ends while a hook is pending (its client left, time is up), the late result is dropped.
 *
 *     enter   authenticate -> before -> onRequestBody | requestStage     first step to last
 *     action  onAttempt, before each attempt at a target
 *     leave   after -> onReplyBody | replyStage                           last step to first
 *     end     finished
 *
 * after() sees every reply once: of the target, of a policy further in, and of gw itself (413, 504 ...), provided that this
 * policy let the request pass. It never sees the reply of the same policy's before(). With a reply phase in the declaration
 * it sees all replies of the route, also where before() did not run.
 */
export interface PolicyInstance {
  /**
   * Whether before() answers CORS preflights. If no route with OPTIONS matches a preflight, the route of the requested
   * method gets it: `GET /orders` alone would never see an OPTIONS. after() of such a policy also edits gw's own 404 and
   * 405 for paths of its routes; the exchange then has no route.
   */
  readonly answersPreflight?: boolean;
  /**
   * Whether a preflight is permitted or, for other requests, reading the reply. If a preflight, a 404 or a 405 may belong
   * to several routes, the first one that permits it is used. Default: always.
   */
  permits?(exchange: Exchange): boolean;
  /**
   * Request fields that it sets or removes, in lower case. Clients must not send them under another name that many targets
   * read as the same (`x_tenant` for `x-tenant`).
   */
  readonly requestFields?: readonly string[];
  /**
   * The ones among them that clients send to this policy and that it always removes. A field with exactly this name is
   * accepted, even with an underscore.
   */
  readonly clientFields?: readonly string[];
  /**
   * Request fields by which it tells the target who calls, in lower case. The chain removes them from what clients send, on all
   * routes that lead to the same service: before the first policy runs, or with the credentials if an authenticator sets them.
   */
  readonly identityFields?: readonly string[];
  /** Request fields of clients that it passes on by intention: its routes keep them, although other policies set such a field. */
  readonly passedFields?: readonly string[];
  /**
   * Whether a cookie of this name holds a session or a login of this policy. The chain removes such cookies from the requests of
   * routes without the policy, which lead to other services: those could use the session of a person. strip() removes them on its own
   * routes.
   */
  ownsCookie?(name: string): boolean;
  /** Query parameters with credentials: records of all exchanges omit them, also those of other routes. */
  readonly secretParams?: readonly string[];

  /** Finds out who calls. Edits nothing; sees the credentials of all authenticators. Only in the authenticate phase. */
  authenticate?(exchange: Exchange, collect: CollectBody): Awaitable<Authentication>;
  /**
   * Removes this policy's credentials from the request, and the fields that it would set for the target. Called after the last
   * authenticator of the chain has read the request, also if this one found none, and if its `when` does not hold: what it
   * promises about the requests of its routes does not depend on a condition. A policy that does not authenticate uses it for the
   * fields that it would set: it is called in place of its other hooks if its `when` does not hold, and if the request is refused.
   */
  strip?(exchange: Exchange): void;
  /** Answers the request with a reply, or lets it pass. */
  before?(exchange: Exchange): Awaitable<Reply | undefined>;

  /**
   * Whether the request hooks below apply to this request. Default: to every request with a body. `stream`: only requestStage() does,
   * and the body is not collected.
   */
  readsRequest?(exchange: Exchange): boolean | 'stream';
  /** The whole body, as the steps before left it. Returns a reply, another body, or undefined to keep it. */
  onRequestBody?(exchange: Exchange, body: Uint8Array): Awaitable<Reply | Uint8Array | undefined>;
  /** A stage for the request body on its way to the target; undefined for none. */
  requestStage?(exchange: Exchange, out: StageOut): BodyStage | undefined;

  /**
   * Before each attempt at a target and each call of the exchange's action: sign, add credentials. A reply takes the place of the
   * attempt, such as a 503 because a credential cannot be fetched; a call fails with its cause. If a service names the policy, also
   * before each call to it: the exchange need not have passed the policy, and of a detached call it has no client.
   */
  onAttempt?(exchange: Exchange, attempt: Attempt): Awaitable<void> | Awaitable<Reply | undefined>;

  /** Edits the reply in place, or returns another one in its place. */
  after?(exchange: Exchange, reply: Reply): Awaitable<Reply | undefined>;
  /**
   * Whether the reply hooks below apply to this reply. Default: to every one. Called for replies that have a body, and for
   * those that would have one (HEAD), which then lose Content-Length and ETag. `stream`: only replyStage() does, and the body is not
   * collected.
   */
  readsReply?(exchange: Exchange, reply: Reply): boolean | 'stream';
  /** The whole body, as the steps further in left it. Returns another reply, another body, or undefined to keep both. */
  onReplyBody?(exchange: Exchange, reply: Reply, body: Uint8Array): Awaitable<Reply | Uint8Array | undefined>;
  /** A stage for the reply's body on its way to the client; undefined for none. */
  replyStage?(exchange: Exchange, reply: Reply, out: StageOut): BodyStage | undefined;

  /**
   * Answers a request for one of the declaration's paths(): its name, and the whole body, empty for none. The exchange has
   * passed no authenticator, and `when` of the policy does not count. HEAD gets the answer of GET without its body.
   */
  answer?(exchange: Exchange, path: string, body: Uint8Array): Awaitable<Reply>;

  /** Once for each exchange that entered the step, whatever happened. Synchronous; an exception is logged. */
  finished?(exchange: Exchange, end: ExchangeEnd): void;
  /** A value that its duty has published. The first call precedes the first exchange. */
  published?(value: Json): void;
  /**
   * Edits what a record says: of all exchanges of its routes, also of those that were refused before they came to the policy and of those
   * for which its `when` does not hold, and of requests that no route takes. If it throws, the record has no texts.
   */
  maskRecord?(record: RecordTexts): void;
  /** For the admin snapshot. */
  stats?(): Json;
  /** Counts that only grow, of a kind that gw has itself. Control sums them over workers and reloads. */
  counts?(): { readonly [name: string]: number };
  /** The last generation that uses it has ended. */
  close?(): void;
}
