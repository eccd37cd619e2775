/**
 * The contract between gw and a policy. A policy is one folder:
 *
 *     schema.ts   the config's declaration          } what the compiler reads:
 *     index.ts    the declaration, lint, compile    }   export default a PolicyDeclaration
 *     run.ts      what the data plane runs:             export const create: CreatePolicy
 *     README.md   reference for people
 *
 * run.ts imports nothing at run time but `../run-kit.js`; so a data plane never loads a linter.
 */
import type { ConsumerEntry, Json, Phase, PlanEntry, ReplyPhase, RouteEntry } from '../bundle/types.js';
import type { ReadyField } from '../field-syntax.js';
import type { Schema } from '../schema/declare.js';
import type { Clock } from '../state/clock.js';
import type { LimitStore } from '../state/types.js';

export type { ConsumerEntry, Json, Phase, PlanEntry, ReplyPhase, RouteEntry } from '../bundle/types.js';
export type { ReadyField } from '../field-syntax.js';
export type { Clock } from '../state/clock.js';
export type { LimitAnswer, Limiter, LimitRate, LimitStore } from '../state/types.js';

// ---------------------------------------------------------------- run half

/** Header fields as a policy sees them. Names are lower case; values hold no CR, LF or NUL. */
export interface HeaderFields {
  /** All values joined with ', '; undefined when the field is absent. */
  get(name: string): string | undefined;
  /** Replaces every field of that name. Throws TypeError for a name or value that RFC 9110 section 5 forbids. */
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  /** append() of a prepared field, without checking it again. */
  add(field: ReadyField): void;
  remove(name: string): void;
  entries(): Iterable<readonly [name: string, value: string]>;
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
  readonly remoteAddress: string;
  readonly scheme: 'http' | 'https';
  readonly route: RouteEntry;
  /** Milliseconds of the host's clock. */
  readonly startedAt: number;
  /** Request fields; the target gets them as edited. */
  readonly headers: HeaderFields;
  /** Same as headers.get: makes an Exchange a RequestView. */
  header(name: string): string | undefined;
  /** A path parameter, percent-decoded; undefined when the route has none of that name. */
  param(name: string): string | undefined;
  /** The same as in the normalised path, percent-encoded: for URLs. */
  rawParam(name: string): string | undefined;
  /** First value of a query parameter, decoded; undefined when absent. */
  queryParam(name: string): string | undefined;
  /** Set by an authenticating policy. */
  consumer: ConsumerEntry | undefined;
  /** Notes something in before() for after(), by the policy itself: one value for each `owner`. */
  note(owner: PolicyInstance, value: object): void;
  /** What `owner` noted; undefined for nothing. */
  noted(owner: PolicyInstance): object | undefined;
  /**
   * Remembers something for later requests of the same connection, until another policy does. Other clients may share a
   * connection (behind a proxy): the value must be valid for all of them.
   */
  remember(owner: PolicyInstance, value: object): void;
  /** What `owner` remembered; undefined for nothing. */
  remembered(owner: PolicyInstance): object | undefined;
  /** Present only if decisions are recorded (explain, the dashboard): then add what was decided and why. */
  readonly decisions: Decision[] | undefined;
}

/** What one step decided and why. Built only if `exchange.decisions` is present. */
export interface Decision {
  /** Policy name, or `match`, `balance`. */
  readonly step: string;
  readonly use: string;
  readonly outcome: 'pass' | 'answer' | 'edit' | 'error';
  readonly why: string;
  readonly details?: { readonly [key: string]: Json };
}

export interface ReplyBody {
  /** Discards the rest and releases (or closes) its source. Idempotent. */
  discard(): void;
}

/** The result of an exchange: from a target (the body is a stream) or from gw itself (bytes). */
export interface Reply {
  status: number;
  readonly headers: HeaderFields;
  /** Bytes, a stream still to come from a target, or null for none. */
  body: Uint8Array | ReplyBody | null;
  /** Error slug of a reply by gw (`auth/missing`), for the access log. */
  readonly code?: string | undefined;
}

/**
 * A policy at run time.
 *
 *     before(exchange)        -> a Reply answers the request; undefined lets it pass. May return a promise of either.
 *     after(exchange, reply)  -> edits the reply in place, or returns another one in its place
 *
 * after() sees every reply once: of the target, of a policy further in, and of gw itself (413, 504 ...), provided that this
 * policy's before() let the request pass. It never sees the reply of the same policy's before(). With a reply phase in the
 * declaration it sees all replies of the route, also where before() did not run.
 *
 * A throw or rejection refuses the exchange with 500: policies fail closed. If gw replies while before() is pending (its
 * client left, time is up), the late result is dropped.
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
  /** Query parameters with credentials: records of all exchanges omit them, also those of other routes. */
  readonly secretParams?: readonly string[];
  before?(exchange: Exchange): Reply | undefined | Promise<Reply | undefined>;
  after?(exchange: Exchange, reply: Reply): Reply | undefined;
  stats?(): Json;
  close?(): void;
}

export interface Logger {
  debug(message: string, fields?: { readonly [key: string]: unknown }): void;
  info(message: string, fields?: { readonly [key: string]: unknown }): void;
  warn(message: string, fields?: { readonly [key: string]: unknown }): void;
  error(message: string, fields?: { readonly [key: string]: unknown }): void;
}

/** Everything that a policy may use, so that a chain can run offline, on a virtual clock. */
export interface PolicyHost {
  readonly name: string;
  readonly identity: string;
  readonly clock: Clock;
  random(): number;
  readonly logger: Logger;
  readonly limits: LimitStore;
  readonly consumers: readonly ConsumerEntry[];
  readonly plans: readonly PlanEntry[];
}

export type CreatePolicy<Settings extends Json = Json> = (settings: Settings, host: PolicyHost) => PolicyInstance;

// ---------------------------------------------------------------- compile half

/** Path into a config, e.g. ['request', 'set', 'x-tenant']. */
export type ConfigPath = readonly (string | number)[];

/** What lint and compile of a policy know about the rest of the spec. */
export interface PolicyContext {
  /** Name in the spec, or `<route>/<use>`. */
  readonly name: string;
  /** Routes that use it: their names and path parameters. */
  readonly routes: readonly { readonly name: string; readonly params: readonly string[] }[];
  readonly consumers: readonly { readonly name: string; readonly plan?: string; readonly apiKeys: number }[];
}

export interface PolicyProblem {
  /** Slug with a docs page and a fixture pair, e.g. `limit/zero`. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly at: ConfigPath;
  readonly message: string;
  readonly help?: string;
}

export interface PolicyCode {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  /** One line for the catalogue, no full stop. */
  readonly summary: string;
}

/** Compile half of a policy. `Config` is what the schema decodes to; `Settings` is plain data that goes into the bundle. */
export interface PolicyDeclaration<Config = unknown, Settings extends Json = Json> {
  /** The kind, as `use = "..."` names it; equal to the folder's name. */
  readonly use: string;
  readonly summary: string;
  readonly phase: Phase;
  /**
   * Where after() runs, if not at the policy's place in the chain. `fields`: outermost, on every reply of the route. Among
   * several, the order of the chain decides.
   */
  readonly replyPhase?: ReplyPhase;
  /** True when two routes with the same in-place config must not share state (limits). */
  readonly stateful: boolean;
  /** What lint rules need to know: which policies authenticate, and by what limits count. */
  traits?(config: Config): PolicyTraits;
  /** Every code that lint() may report; they are part of the catalogue of diagnostics. */
  readonly codes?: readonly PolicyCode[];
  readonly schema: Schema<Config>;
  lint?(config: Config, context: PolicyContext, report: (problem: PolicyProblem) => void): void;
  /** Pure. Undefined: the policy has no effect with this config, so the optimiser drops it. */
  compile(config: Config, context: PolicyContext): Settings | undefined;
}

export interface PolicyTraits {
  readonly authenticates?: boolean;
  /** What a limit counts by: `ip`, `consumer`, `route`, `header:<name>`. */
  readonly limitsBy?: string;
  /** Answers requests that carry no credential (CORS preflight). */
  readonly answersPreflight?: boolean;
  /** Request fields that it sets or removes, in lower case: a target can rely on them, since clients cannot supply them. */
  readonly ownsRequestFields?: readonly string[];
}
