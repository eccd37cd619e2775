/** What the compiler reads of a policy or an action. */
import type { CredentialKind, Json, Phase, PolicyBody, PolicyDuty, ReplyPhase } from '../bundle/types.js';
import type { Schema } from '../schema/declare.js';
import type { FactName } from '../schema/request-facts.js';
import type { ContentOptions } from '../state/content/types.js';

/** Path into a config, e.g. ['request', 'set', 'x-tenant']. */
export type ConfigPath = readonly (string | number)[];

/** A route that uses a policy or an action. */
export interface RouteContext {
  readonly name: string;
  /** Names of its path parameters. */
  readonly params: readonly string[];
  /** In capitals; empty for any method. */
  readonly methods: readonly string[];
  /** With the prefixes of its groups: `/api/orders/{id:int}`. */
  readonly path: string;
  /** The key by which the route changes the path for the target. Absent: none. */
  readonly pathKey?: 'rewrite' | 'strip_prefix';
  /** Schemes that its requests can have, by its match and its listeners. Empty: it takes no request. */
  readonly schemes: readonly ('http' | 'https')[];
  /** Lower case: exact or `*.` wildcard. Absent or empty: any host. */
  readonly hosts?: readonly string[];
  /** The service that it forwards to. */
  readonly service?: string;
  /** The listeners that receive its requests. Absent: not known. */
  readonly listeners?: readonly ListenerContext[];
}

/** A listener of the spec. */
export interface ListenerContext {
  readonly name: string;
  /** Whether clients are asked for a certificate. */
  readonly asksForCertificates: boolean;
  /** Whether it has trusted proxies. */
  readonly hasProxies: boolean;
}

/** A consumer of the spec. */
export interface ConsumerContext {
  readonly name: string;
  readonly plan?: string;
  readonly groups: readonly string[];
  /** The kinds of its credentials, in order. */
  readonly credentials: readonly CredentialKind[];
}

/** What lint and compile of a policy know about the rest of the spec. */
export interface PolicyContext {
  /** Name in the spec, or `<route>/<use>`. */
  readonly name: string;
  readonly routes: readonly RouteContext[];
  /** The services that name the policy. Absent: none. */
  readonly services?: readonly string[];
  /** In lint(): the names of all services. */
  readonly serviceNames?: readonly string[];
  readonly consumers: readonly ConsumerContext[];
  /** Names of the plans. */
  readonly plans: readonly string[];
  /** Whether there may be consumers outside of the spec, so that no name and no group is wrong. */
  readonly moreConsumers?: boolean;
  /**
   * Reads a file that the config names, relative to the folder of the root spec. The gateway reloads when it changes. The
   * same path gives the same answer in lint() and compile().
   */
  readFile(path: string): PolicyFile;
}

/** A file that a config names. `text` is undefined if it cannot be read; `cause` then says why. */
export type PolicyFile =
  | { readonly text: string; readonly cause?: undefined }
  | { readonly text?: undefined; readonly cause: string };

/** A part of a text of the config, or of a file that the config names. */
export interface TextPart {
  /** The whole text, as the config or readFile() gave it. */
  readonly text: string;
  /** Offsets in `text`, in UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  /** The file with this text, as it was named to readFile(). Default: the text is the value at the place of the problem. */
  readonly file?: string;
}

export interface PolicyProblem {
  /** Slug with a docs page and a fixture pair, e.g. `limit/zero`. */
  readonly code: string;
  readonly severity: 'error' | 'warning';
  readonly at: ConfigPath;
  /** A part of the text at that place, to which the problem is narrowed: its first occurrence, or a part by its offsets. */
  readonly part?: string | TextPart;
  readonly message: string;
  readonly help?: string;
  /** The text at that place may be a secret and must not be printed. */
  readonly sensitive?: boolean;
  /** Other places of the config that the problem is about. */
  readonly related?: readonly { readonly at: ConfigPath; readonly message: string }[];
}

export interface PolicyCode {
  readonly code: string;
  readonly severity: 'error' | 'warning';
  /** One line for the catalogue, no full stop. */
  readonly summary: string;
}

/** An error that a policy or an action answers with: docs/errors.md lists it. */
export interface DeclaredProblem {
  /** Slug, e.g. `limit/exceeded`. */
  readonly code: string;
  readonly status: number;
  /** Short phrase without a full stop, the same for every occurrence. */
  readonly title: string;
  /** When it occurs and what the client can do, one or two sentences. */
  readonly description: string;
}

/** A service that a policy or an action calls: by name, or a URL that becomes a service entry named by its origin. */
export interface CallTarget {
  readonly at: ConfigPath;
  readonly service?: string;
  /** `http://host:port` or `https://host`, with an optional path, which the caller puts into its requests. */
  readonly url?: string;
}

/** The code of a custom kind, with everything that it imports. */
export interface CustomCode {
  readonly sha256: string;
  /** A CommonJS module. */
  readonly text: string;
}

/** A request that a policy answers itself, beside those of its routes: the callback of a login, a document about them. */
export interface PolicyPath {
  /** The route is named `POLICY/NAME`; answer() gets it. */
  readonly name: string;
  /** Methods, and a path without parameters: `GET /oauth2/callback`. */
  readonly match: string;
  /** Key of the config that sets it; empty for none. Diagnostics point there. */
  readonly at: ConfigPath;
  /** Largest request body in bytes. Absent: none is accepted. */
  readonly maxBody?: number;
}

/** A fact of the request that a policy or an action reads, to decide something or to write something. */
export interface RequestFact extends FactName {
  /** Where the config says so. Empty: the config does not decide. */
  readonly at: ConfigPath;
  /** What it is read for, as the end of a sentence: `to choose the example`. */
  readonly why?: string;
}

/** What policies and actions declare alike. */
export interface Declaration<Config, Settings extends Json> {
  /** Only of a custom kind; gw sets it. */
  readonly code?: CustomCode;
  /** The kind, as `use = "..."` names it; equal to the folder's name. */
  readonly use: string;
  readonly summary: string;
  readonly schema: Schema<Config>;
  /** Every code that lint() may report; they are part of the catalogue of diagnostics. */
  readonly codes?: readonly PolicyCode[];
  /** Every error that the run part answers with. */
  readonly problems?: readonly DeclaredProblem[];
  /** The services that the run part calls. */
  calls?(config: Config): readonly CallTarget[];
  /**
   * The facts of requests on which the reply can depend through this config, besides those that its conditions read: a cache in front
   * of it must have them in its key. Not those that only the target reads in the fields of the client, which are the matter of Vary.
   * Absent: anything, so that it cannot be behind a cache. A policy that is always in front of caches, by its phase, declares only what
   * it writes into the request for the target.
   */
  requestFacts?(config: Config): readonly RequestFact[];
  lint?(config: Config, context: PolicyContext, report: (problem: PolicyProblem) => void): void;
  /** Pure, but for context.readFile(). Undefined: no effect with this config, so the optimiser drops it. */
  compile(config: Config, context: PolicyContext): Settings | undefined;
}

/** Compile half of a policy. `Config` is what the schema decodes to; `Settings` is plain data that goes into the bundle. */
export interface PolicyDeclaration<Config = unknown, Settings extends Json = Json>
  extends Declaration<Config, Settings> {
  readonly phase: Phase;
  /** The phase if the config decides. Default: `phase`. */
  phaseOf?(config: Config): Phase;
  /**
   * Where the reply hooks run, if not at the policy's place in the chain: outermost, on every reply of the route, in the order
   * of REPLY_PHASES. Within one of them, the order of the chain decides.
   */
  readonly replyPhase?: ReplyPhase;
  /**
   * Whether it comes before the other policies of its phase, so that its reply hooks come after theirs. Default: the order of the
   * spec decides.
   */
  readonly first?: boolean;
  /** Whether lists of policies may name it by its kind, without a `[policy.NAME]`; no other policy may have that name. */
  readonly reserved?: boolean;
  /** True when two routes with the same in-place config must not share state (limits). */
  readonly stateful: boolean;
  /** What identifies the state of the policy besides its name, so that other edits keep it. Default: its settings. */
  stateKey?(config: Config): Json;
  /** What lint rules need to know: which policies authenticate, and by what limits count. */
  traits?(config: Config): PolicyTraits;
  /** The bodies that the policy collects, and their bounds. Without it, onRequestBody and onReplyBody are not called. */
  body?(config: Config): PolicyBody | undefined;
  /** Whether it has no effect on requests, so that its `when` may read the reply. Default: false. */
  replyOnly?(config: Config): boolean;
  /** Whether it only acts on requests to targets, so that a service can name it, for its routes and for calls. Default: false. */
  readonly onService?: boolean;
  /** Whether run.ts implements authenticate(), so that another policy can compose it. Default: false. */
  readonly authenticator?: boolean;
  /** Whether its code was not run, so that its phase and its parts are not known. Default: false. */
  readonly unchecked?: boolean;
  /** The policies that it composes, by name. They need not be on a route. */
  members?(config: Config): readonly { readonly name: string; readonly at: ConfigPath }[];
  /**
   * The requests that answer() of the run part answers. Each becomes a route of its own, on the listeners and hosts of the
   * policy's routes. Of their policies, those that all of them have in common apply, if they run in the guard phase or handle
   * replies outermost.
   */
  paths?(config: Config): readonly PolicyPath[];
  /** Present if the folder has a duty.ts that this config needs. */
  duty?(config: Config): PolicyDuty | undefined;
  /** Present if it keeps contents under URLs (host.content), so that operators can list and purge them. `settings`: of compile(). */
  contents?(settings: Settings): PolicyContents;
}

/** The contents of a policy, for purges. */
export interface PolicyContents {
  /** What the policy passes to host.content(). */
  readonly options: ContentOptions;
  /** An absolute URL with a normalized path, as the policy keeps contents under it. */
  canonicalUrl(url: string): string;
}

/** Compile half of an action. */
export interface ActionDeclaration<Config = unknown, Settings extends Json = Json>
  extends Declaration<Config, Settings> {
  /** Key of a route that holds the config: `to` for `to = "orders"`. Default: the same as `use`. */
  readonly key?: string;
  /** Form of the config behind that key, if shorter than the schema: `to = "orders"`. */
  readonly shorthand?: Schema<Config>;
  /** The service that host.forward() sends requests to. */
  service?(config: Config): { readonly name: string; readonly at: ConfigPath } | undefined;
  /** For `gw explain`, `gw routes` and the dashboard: `redirect 308 to https://...`. */
  describe(config: Config): string;
  /** How it does that, in lines, for `gw explain`. Default: none. `params`: the path parameters of the route. */
  details?(config: Config, params: ReadonlySet<string>): readonly string[];
}

/** Where a policy reads a credential; of several places, the first that is present here. */
export interface CredentialPlace {
  readonly kind: 'key' | 'token';
  /** Lower case. */
  readonly header?: string;
  /** In front of the credential in that field. */
  readonly scheme?: string;
  readonly cookie?: string;
  readonly query?: string;
}

/** A rule about access, as lint rules see it. */
export interface AccessRule {
  readonly at: ConfigPath;
  readonly name: string;
  readonly effect: 'allow' | 'deny';
  /** Absent: every consumer, and callers without one. The same for `groups`. */
  readonly consumers?: readonly string[];
  readonly groups?: readonly string[];
  /** The scopes that it needs. */
  readonly scopes: readonly { readonly name: string; readonly at: ConfigPath }[];
  /** Further claims that it needs, each with the names under which it may be found. Absent: none. */
  readonly claims?: readonly { readonly names: readonly string[]; readonly at: ConfigPath }[];
  /** Whether it needs scopes, roles or other claims. */
  readonly readsClaims: boolean;
  /** Whether it has a condition in CEL. */
  readonly conditional: boolean;
}

/** The key under which a policy keeps replies. Method, scheme, host and path are always part of it. */
export interface CacheKey {
  /** The key of the config that sets it, for messages: `key`. */
  readonly at: ConfigPath;
  readonly consumer: boolean;
  /** Header fields, in lower case; with `cookie`, all cookies. */
  readonly fields: readonly string[];
  readonly cookies: readonly string[];
  /** Query parameters: all, only some, or all but some. */
  readonly query: 'all' | { readonly allow: readonly string[] } | { readonly deny: readonly string[] };
  /** Whether it removes the other parameters from the request, so that steps inside of it see none of them. Absent: no. */
  readonly removesQuery?: boolean;
  /** Names of claims: some, or all but some. Absent: none. */
  readonly claims?: readonly string[] | { readonly except: readonly string[] };
  /** The address of the client. Absent: no. */
  readonly client?: boolean;
  /** Whether routes that match by fields or parameters keep their replies apart. */
  readonly route: boolean;
}

export interface PolicyTraits {
  /** Present if it keeps replies and answers other requests with them: then steps inside of it may read only facts of the key. */
  readonly cacheKey?: CacheKey;
  /** Fields that its own calls carry, in lower case: a credential of the client, or one for the service that it asks. */
  readonly callFields?: readonly string[];
  readonly authenticates?: boolean;
  /** Where it reads the credential of a caller, if that is a key or a token. */
  readonly credential?: CredentialPlace;
  /** The scopes that callers can have by it, if that is known; absent: any. */
  readonly grants?: readonly string[];
  /** The names of the claims that callers can have by it, if that is known; absent: any. */
  readonly claims?: readonly string[];
  /** The consumer that requests without a credential have by it. */
  readonly anonymous?: string;
  /** Its rules about access. */
  readonly access?: readonly AccessRule[];
  /** What a limit counts by: `ip`, `consumer`, `route`, `header:<name>`. */
  readonly limitsBy?: string;
  /** Whether that limit is a rate: a plan can replace it, and metrics and the dashboard show its counts. */
  readonly rate?: boolean;
  /** Whether that limit is a number of requests in progress (host.holds): metrics and the dashboard show its counts. */
  readonly holds?: boolean;
  /** Present if its limits are those of the consumer's plan, or of a default one. A plan cannot replace them by the policy's name. */
  readonly appliesPlans?: { readonly default?: string };
  /** Answers requests that carry no credential (CORS preflight). */
  readonly answersPreflight?: boolean;
  /** Request fields that it sets or removes, in lower case: a target can rely on them, since clients cannot supply them. */
  readonly ownsRequestFields?: readonly string[];
}
