/**
 * The waist of gw: what the compiler writes and the data plane runs.
 * Plain data, no I/O, imports nothing: a data plane with a bundle needs no spec, linter or compiler.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Raised when the meaning of the encoded bytes changes; a loader refuses any other. */
export const BUNDLE_FORMAT = 5;

/** `file:line` of the declaration, `default` where nobody wrote it, `overlay`/`group` where it came by one. */
export interface SourceRef {
  readonly from: 'spec' | 'default' | 'group' | 'overlay';
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
}

/**
 * A string that may hold `${env:NAME}` or `${file:path}`. With a reference it is kept unresolved in the bundle as
 * `{ $ref: text }` and becomes a plain string when a generation is loaded, so no secret stands in a bundle.
 */
export type RefString = string | { readonly $ref: string };

export interface ListenerEntry {
  readonly name: string;
  /** `host:port`, `[v6]:port`. */
  readonly address: RefString;
  readonly tls?: {
    readonly cert: RefString;
    readonly key: RefString;
    /** Absent: 1.2. */
    readonly minVersion?: '1.2' | '1.3';
    /** By OpenSSL's names; a version that none is of, or absent: the data plane's own. */
    readonly ciphers?: readonly string[];
  };
  /** Largest accepted request head and body, bytes. */
  readonly maxHeaderBytes: number;
  readonly maxBodyBytes: number;
  readonly maxHeaders: number;
  /** Longest request target, bytes. */
  readonly maxTargetBytes: number;
  /** Milliseconds. */
  readonly headerTimeout: number;
  readonly bodyTimeout: number;
  readonly idleTimeout: number;
  /** Over all workers. */
  readonly maxConnections: number;
  /** Absent: the data plane's own default, from which this machine's addresses are excepted. */
  readonly maxConnectionsPerAddress?: number;
  readonly maxRequestsPerConnection: number;
  /** Bytes a second; 0: no bound. */
  readonly minBodyRate: number;
  /** What becomes of header names with underscores. */
  readonly underscores: 'refuse-aliases' | 'refuse' | 'drop' | 'keep';
  /** Peers (CIDR) whose X-Forwarded-* are believed and extended; others' are replaced. */
  readonly trustedProxies: readonly string[];
}

export interface TargetEntry {
  /** `http://host:port` or `https://host:port`, with an optional base path. */
  readonly url: RefString;
  readonly weight: number;
}

export interface RunEntry {
  readonly command: string;
  readonly portEnv: string;
  readonly cwd?: string;
  readonly env: { readonly [name: string]: RefString };
  /** Milliseconds until it must answer on its port. */
  readonly readyTimeout: number;
}

export interface ServiceEntry {
  readonly name: string;
  /** Empty for a managed service: control fills it in with the processes it started. */
  readonly targets: readonly TargetEntry[];
  readonly run?: RunEntry;
  /** Milliseconds. */
  readonly connectTimeout: number;
  readonly responseTimeout: number;
  readonly idleTimeout: number;
  /** Longest silence of an upgraded connection; 0 for none. */
  readonly tunnelIdleTimeout: number;
  /** Further attempts after the first, only where repeating is safe (RFC 9110 section 9.2.2). */
  readonly retries: number;
  /** Connections to one target at most; further exchanges wait in a queue of `maxQueue`. */
  readonly maxConnections: number;
  readonly maxQueue: number;
  /** Percent of `maxConnections` that one client address may hold. */
  readonly maxSharePerAddress: number;
  /** Requests in flight on one connection to a target; 1: no pipelining. */
  readonly pipelining: number;
  /** Passive ejection: after `failures` in a row a target rests for `ejectFor` ms. 0 turns it off. */
  readonly ejectAfter: number;
  readonly ejectFor: number;
  /** `preserve` sends the downstream Host, `target` the target's authority. */
  readonly host: 'preserve' | 'target';
}

export interface ConsumerEntry {
  readonly name: string;
  readonly plan?: string;
  /** `sha256:<64 hex>` of each key. */
  readonly apiKeys: readonly RefString[];
  readonly tags: { readonly [name: string]: string };
}

/** What a consumer bought: per policy name, the limit that replaces the policy's own. */
export interface PlanEntry {
  readonly name: string;
  readonly limits: { readonly [policy: string]: Json };
}

/** In the order of the chain. */
export const PHASES = ['guard', 'authenticate', 'authorize', 'limit', 'cache', 'transform', 'balance'] as const;
export type Phase = (typeof PHASES)[number];

/** Phases of replies that differ from those of requests. `fields`: outermost, on every reply of the route. */
export const REPLY_PHASES = ['fields'] as const;
export type ReplyPhase = (typeof REPLY_PHASES)[number];

export interface PolicyEntry {
  /** Policy kind, e.g. `rate-limit`. */
  readonly use: string;
  /** Name in the spec, or `<route>/<use>` for one written in place. */
  readonly name: string;
  readonly phase: Phase;
  /** Absent: replies pass the policy at its place in the chain. */
  readonly replyPhase?: ReplyPhase;
  /** Stable across reloads for an unchanged policy: hex of a hash over use, name and settings. */
  readonly identity: string;
  /** What the policy's compile() returned. May hold `{ $ref }` strings. */
  readonly settings: Json;
  /** Effective config, and where each key of it came from (dotted path -> ref); what explain shows. */
  readonly config: { readonly [key: string]: Json };
  readonly origins: { readonly [key: string]: SourceRef };
}

export interface ReplyEntry {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  /**
   * Where no policy can edit the reply: status line and fields as they go on the wire (HTTP/1.1, content-length and
   * content-type included), each line ended, without the empty line. What differs from request to request (date,
   * connection, request id) is still to be added, and the body follows unless the method is HEAD.
   */
  readonly head?: string;
}

export interface RouteEntry {
  readonly name: string;
  /** As written, for people: `GET /orders/{id:int}`. */
  readonly match: string;
  /** Index into services; -1 for a route that answers by itself with `reply`. */
  readonly service: number;
  readonly reply?: ReplyEntry;
  /** Indices into policies, in the order they run. */
  readonly policies: readonly number[];
  /** Names of the path parameters, in path order (a tail last). */
  readonly params: readonly string[];
  /** Path sent to the target; absent: the normalised request path. */
  readonly rewrite?: TemplateEntry;
  /**
   * Query sent to the target with a rewritten path, before those parameters of the client's query that it does not name
   * itself. Empty: no query at all. Absent: the client's query.
   */
  readonly rewriteQuery?: TemplateEntry;
  readonly stripPrefix?: string;
  /** Milliseconds for the whole exchange until the last reply byte; 0: none. */
  readonly timeout: number;
  readonly maxBodyBytes?: number;
  /** Names of the listeners that serve it, for people and diffs (the trie decides); absent: every listener. */
  readonly listeners?: readonly string[];
  /** Names of inherited policies that were taken away from it, for people. */
  readonly without?: readonly string[];
  readonly source: SourceRef;
}

/** A template split at compile time: strings are literal, objects name a variable (`consumer.name`, `param.id`). */
export type TemplateEntry = readonly (string | { readonly var: string })[];

export interface NormalizeEntry {
  readonly encodedSlashes: 'refuse' | 'keep';
  readonly doubleSlashes: 'merge' | 'refuse' | 'keep';
  readonly trailingSlash: 'strict' | 'ignore';
  readonly dotSegments: 'resolve' | 'refuse';
}

export interface AdminEntry {
  /** TCP address; absent: only the unix socket. */
  readonly address?: RefString;
  readonly token?: RefString;
  /** Further names of the server, in lower case; absent: none. */
  readonly hosts?: readonly string[];
}

export interface AccessLogEntry {
  /** `-` is standard output; otherwise a file. Absent: no access log. */
  readonly path?: string;
  readonly format: 'json' | 'pretty';
}

/** Shares of a worker's memory limit, 0 to 1; 0 turns the step off. */
export interface OverloadEntry {
  /** Above it new connections are shed. */
  readonly shedAbove: number;
  /** Above it idle connections go as well. */
  readonly shrinkAbove: number;
}

/** The part of a bundle that is JSON: diffable, no code. Order of every list is part of the meaning. */
export interface Program {
  readonly normalize: NormalizeEntry;
  readonly admin: AdminEntry;
  readonly accessLog: AccessLogEntry;
  readonly listeners: readonly ListenerEntry[];
  readonly services: readonly ServiceEntry[];
  readonly consumers: readonly ConsumerEntry[];
  readonly plans: readonly PlanEntry[];
  readonly policies: readonly PolicyEntry[];
  readonly routes: readonly RouteEntry[];
  readonly overload: OverloadEntry;
  /** Milliseconds that a drain waits for exchanges in flight. */
  readonly drainTimeout: number;
  /** Milliseconds that a drain goes on accepting while it is not ready any more. */
  readonly drainDelay: number;
  /** Data-plane threads wanted. */
  readonly workers: number;
  readonly provenance: {
    /** The spec's files, as paths relative to the root spec, with the sha256 of each. */
    readonly files: readonly { readonly path: string; readonly sha256: string }[];
    /** `service.orders.retries` -> where its effective value came from. */
    readonly origins: { readonly [path: string]: SourceRef };
  };
}

/** A bundle in memory: the trie's words in one (shareable) buffer, and the program. */
export interface Bundle {
  readonly format: number;
  readonly sha256: string;
  readonly program: Program;
  /** The encoded trie, ready for `openTrie`. A SharedArrayBuffer when it goes to worker threads. */
  readonly trie: ArrayBufferLike;
}

/** What a match reads. An Exchange is one; so is the view that explain builds. */
export interface RequestView {
  readonly method: string;
  /** Lower case, without the port; '' when there is none. */
  readonly host: string;
  /** Normalised. */
  readonly path: string;
  /** Raw, without the question mark; '' when there is none. */
  readonly query: string;
  /** Name of the listener that the request came in by: routes that are bound to others do not exist for it. */
  readonly listener: string;
  /** All values of a header, joined with ', '; lower-case name. */
  header(name: string): string | undefined;
}

// ---- What the compiler lowers a route's match to: the input of buildTrie ----

export type SegmentIR =
  | { readonly kind: 'literal'; readonly text: string }
  /** `dfa` is an index into TrieIR.dfas. */
  | { readonly kind: 'typed'; readonly name: string; readonly dfa: number }
  | { readonly kind: 'param'; readonly name: string }
  /** Only last; matches one or more whole segments' text, slashes included; may be empty. */
  | { readonly kind: 'tail'; readonly name: string };

export type ConditionTest =
  | { readonly op: 'present' }
  | { readonly op: 'absent' }
  | { readonly op: 'equals'; readonly value: string }
  | { readonly op: 'one-of'; readonly values: readonly string[] }
  | { readonly op: 'prefix'; readonly value: string }
  | { readonly op: 'matches'; readonly dfa: number };

export interface ConditionIR {
  readonly on: 'header' | 'query';
  readonly name: string;
  readonly test: ConditionTest;
}

export interface MatchIR {
  /** Index of the route in Program.routes. */
  readonly route: number;
  /** Exact (`api.example.com`), wildcard (`*.example.com`: one or more labels), or undefined for any. */
  readonly host?: string | undefined;
  readonly segments: readonly SegmentIR[];
  /** Upper case; empty for any. GET also answers HEAD unless another route of equal path takes HEAD. */
  readonly methods: readonly string[];
  readonly conditions: readonly ConditionIR[];
  /** Names of the listeners that serve it, in order of their code units; absent: every listener. */
  readonly listeners?: readonly string[] | undefined;
}

/** A total deterministic automaton over byte classes; state 0 is the start, `dead` the sink. */
export interface Dfa {
  /** Source of the pattern, for people. */
  readonly source: string;
  /** 256 entries: byte -> class. */
  readonly classes: readonly number[];
  readonly classCount: number;
  /** states x classCount, row-major. */
  readonly next: readonly number[];
  /** 1 where a state accepts. */
  readonly accepts: readonly number[];
  /** The non-accepting state that no byte leaves. */
  readonly dead: number;
}

export interface TrieIR {
  readonly matches: readonly MatchIR[];
  readonly dfas: readonly Dfa[];
  /** `ignore`: `/orders/` and `/orders` are one path to the matcher; targets see what was sent. Default `strict`. */
  readonly trailingSlash?: NormalizeEntry['trailingSlash'];
}
