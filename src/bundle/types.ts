/**
 * The waist of gw: what the compiler writes and the data plane runs.
 * Plain data, no I/O, no imports: a data plane needs only a bundle, no spec, linter or compiler.
 */

import type { AcmeEntry } from './acme-entry.js';
import type { CodeEntry, CodeTexts } from './code.js';
import type { ConsumerEntry } from './consumers.js';
import type { ListenerEntry } from './listener-entry.js';
import type { Dfa } from './match-ir.js';
import type { EjectEntry } from './service/eject.js';
import type { HealthEntry } from './service/health.js';
import type { HedgeEntry, RetryEntry } from './service/retry.js';
import type { InstancesEntry, RunEntry } from './service/run.js';
import type { ServiceEntry, TargetEntry } from './service-entry.js';
import type { ListenerTls, ServiceTls, TlsHostEntry, TlsPolicyEntry } from './tls-entry.js';
import type { Json, RefString } from './values.js';
import type { VaultEntry } from './vault.js';

export { type ConsumerEntry, CREDENTIAL_KINDS, type CredentialEntry, type CredentialKind } from './consumers.js';
export type { ConditionIR, ConditionTest, Dfa, MatchIR, SegmentIR, TrieIR } from './match-ir.js';
export { ONE_INSTANCE } from './service/run.js';
export { CONNECTION_AGE } from './service-entry.js';
export type {
  CodeEntry,
  CodeTexts,
  EjectEntry,
  HealthEntry,
  HedgeEntry,
  InstancesEntry,
  Json,
  ListenerEntry,
  ListenerTls,
  RefString,
  RetryEntry,
  RunEntry,
  ServiceEntry,
  ServiceTls,
  TargetEntry,
  TlsHostEntry,
  TlsPolicyEntry,
  VaultEntry,
};

/** Increases if the meaning of the encoded bytes changes; a loader refuses other formats. */
export const BUNDLE_FORMAT = 8;

/** Origin of a value: `file:line` of the declaration; `default` if not written; `overlay` or `group`. */
export interface SourceRef {
  readonly from: 'spec' | 'default' | 'group' | 'overlay';
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
}

/** What a consumer bought. */
export interface PlanEntry {
  readonly name: string;
  /** Requests per time window, the shortest window first; absent: no limit. */
  readonly rates?: readonly { readonly capacity: number; readonly periodMs: number }[];
  /** Requests in progress at the same time; absent: no limit. */
  readonly concurrency?: number;
  /** Names and tags of the routes that it includes. Both absent: every route. */
  readonly routes?: readonly string[];
  readonly routeTags?: readonly string[];
  /** By policy name, each replaces the limit of the policy. */
  readonly limits: { readonly [policy: string]: Json };
}

/** In the order of the chain. */
export const PHASES = [
  'guard',
  'authenticate',
  'authorize',
  'limit',
  'validate',
  'cache',
  'transform',
  'balance',
] as const;
export type Phase = (typeof PHASES)[number];

/**
 * Phases of replies that differ from those of requests: outermost, on every reply of the route, the first one innermost.
 * `errors` replaces replies, `fields` edits fields, `coding` compresses.
 */
export const REPLY_PHASES = ['errors', 'fields', 'coding'] as const;
export type ReplyPhase = (typeof REPLY_PHASES)[number];

/** The bodies that a policy collects. */
export interface PolicyBody {
  readonly request?: BodyBound;
  readonly reply?: BodyBound;
}

export interface BodyBound {
  /** Bytes. */
  readonly max: number;
  /**
   * Whether every body must reach the hook: then gw removes Range and If-Range, asks the target for identity encoding and
   * refuses upgrades.
   */
  readonly mandatory: boolean;
  /** The hook takes request bodies as they are sent, also with a content coding. Absent: those are not collected. */
  readonly encoded?: true;
}

/** The part of a policy that runs in the control thread. */
export interface PolicyDuty {
  /** Milliseconds that a load waits for the first run. */
  readonly wait: number;
  /** Whether a load is rejected if the first run fails or takes longer; otherwise the policy starts without a value. */
  readonly required: boolean;
}

/**
 * A checked expression as the data plane runs it: prefix notation, `["==", ["fact", "request.method"], "GET"]`. A string,
 * boolean, null or number (a double) stands for itself; `["integer", "42"]` is an integer, `["list", ...]` a list.
 */
export interface ExpressionEntry {
  /** As written, for display. */
  readonly source: string;
  readonly code: Json;
  /** The automata of `["matches", text, index]`; absent: none. */
  readonly patterns?: readonly Dfa[];
}

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
  /** Identity of its state; absent: the same as `identity`. */
  readonly stateIdentity?: string;
  /** Indices of the policies that it composes, which precede it; absent: none. */
  readonly members?: readonly number[];
  /** Absent: it collects no body. */
  readonly body?: PolicyBody;
  /** Names of the services that it calls; absent: none. */
  readonly calls?: readonly string[];
  /** A custom policy: sha256 of its code, which the bundle carries. Absent: a kind that gw has itself. */
  readonly code?: string;
  /** Absent: it has no duty. */
  readonly duty?: PolicyDuty;
  /** The policy takes part in an exchange only if this holds. Absent: always. */
  readonly when?: ExpressionEntry;
  /** What the policy's compile() returned. May hold `{ $ref }` strings. */
  readonly settings: Json;
  /** Effective config, and the origin of each key (dotted path -> ref), for explain. */
  readonly config: { readonly [key: string]: Json };
  readonly origins: { readonly [key: string]: SourceRef };
}

/** What answers a route. */
export interface ActionEntry {
  /** Action kind, e.g. `proxy`. */
  readonly use: string;
  /** A custom action: sha256 of its code, which the bundle carries. Absent: a kind that gw has itself. */
  readonly code?: string;
  /** What it does, for display: `reply 204`, `redirect 308 to https://...`. */
  readonly summary: string;
  /** How it does that, for display, in lines; absent: the summary says enough. */
  readonly details?: readonly string[];
  /** What the action's compile() returned. May hold `{ $ref }` strings. */
  readonly settings: Json;
  /** Names of the services that it calls; absent: none. */
  readonly calls?: readonly string[];
}

export interface RouteEntry {
  readonly name: string;
  /** As written in the spec, for display: `GET /orders/{id:int}`. */
  readonly match: string;
  readonly action: ActionEntry;
  /** Index into policies: the policy that answers, for a path of its own. Absent: the spec has the route. */
  readonly answers?: number;
  /** Index into services: where the action forwards requests; -1 if it forwards none. */
  readonly service: number;
  /** Indices into policies, in the order they run. */
  readonly policies: readonly number[];
  /** Names of the path parameters, in path order (a tail last). */
  readonly params: readonly string[];
  /** Path sent to the target; absent: the normalised request path. */
  readonly rewrite?: TemplateEntry;
  /**
   * Query sent to the target with a rewritten path, before the parameters of the client's query with other names. Empty:
   * no query. Absent: the query of the client.
   */
  readonly rewriteQuery?: TemplateEntry;
  readonly stripPrefix?: string;
  /** Time limit in milliseconds for the whole exchange; 0: no limit. */
  readonly timeout: number;
  readonly maxBodyBytes?: number;
  /** Whether its replies are streams; absent: by their fields. */
  readonly stream?: boolean;
  /** Longest wait in milliseconds for further bytes of a stream; 0: no limit. Absent: `tunnelIdleTimeout` of the service. */
  readonly streamIdleTimeout?: number;
  /** Absent: no limits of its own. */
  readonly webSocket?: WebSocketEntry;
  /** Names of the listeners that serve it, for display and diffs (the trie decides). Absent: every listener. */
  readonly listeners?: readonly string[];
  /** Absent: none. */
  readonly tags?: readonly string[];
  /** Names of inherited policies that were removed, for display. */
  readonly without?: readonly string[];
  readonly source: SourceRef;
}

/** Limits of WebSockets; absent keys: no limit. */
export interface WebSocketEntry {
  /** Longest message of a client, and of a target, in bytes on the wire. */
  readonly maxMessage?: number;
  readonly maxReplyMessage?: number;
  /** Messages of a client. */
  readonly rate?: { readonly capacity: number; readonly periodMs: number };
  /** Milliseconds; 0: no limit. Absent: as the service says. */
  readonly idleTimeout?: number;
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
  /** Additional host names of the server, in lower case; absent: none. */
  readonly hosts?: readonly string[];
}

export interface AuthenticationEntry {
  /** Rate of failed attempts of a client address; null: not limited. */
  readonly failures: { readonly capacity: number; readonly periodMs: number } | null;
}

export interface AccessLogEntry {
  /** `-` is standard output; otherwise a file. Absent: no access log. */
  readonly path?: string;
  readonly format: 'json' | 'pretty';
}

/** Shares of the memory limit of a worker, 0 to 1; 0: disabled. */
export interface OverloadEntry {
  /** Above this share, new connections are shed. */
  readonly shedAbove: number;
  /** Above this share, idle connections are closed too. */
  readonly shrinkAbove: number;
}

/** The JSON part of a bundle: diffable, no code. The order of every list is significant. */
export interface Program {
  readonly normalize: NormalizeEntry;
  readonly admin: AdminEntry;
  readonly accessLog: AccessLogEntry;
  /** Absent: the default of the data plane, which does not apply to addresses of this machine. */
  readonly authentication?: AuthenticationEntry;
  readonly listeners: readonly ListenerEntry[];
  readonly services: readonly ServiceEntry[];
  readonly consumers: readonly ConsumerEntry[];
  /** Files with further consumers: patterns, relative to the folder of the bundle. Absent: none. */
  readonly consumerFiles?: readonly string[];
  readonly plans: readonly PlanEntry[];
  readonly policies: readonly PolicyEntry[];
  readonly routes: readonly RouteEntry[];
  /** The code that the bundle carries, sorted by sha256; absent: none. */
  readonly code?: readonly CodeEntry[];
  readonly overload: OverloadEntry;
  /** Absent: all defaults. */
  readonly state?: StateEntry;
  /** Absent: the spec has no `[vault]`. */
  readonly vault?: VaultEntry;
  /** Absent: no listener gets certificates by ACME. */
  readonly acme?: AcmeEntry;
  /** Milliseconds that a drain waits for exchanges in flight. */
  readonly drainTimeout: number;
  /** Milliseconds that a drain still accepts requests while it reports not ready. */
  readonly drainDelay: number;
  /** Number of data-plane threads. */
  readonly workers: number;
  readonly provenance: {
    /** Files of the spec, then files that policies name: paths relative to the root spec, and sha256. */
    readonly files: readonly { readonly path: string; readonly sha256: string }[];
    /** `service.orders.retries` -> origin of its effective value. */
    readonly origins: { readonly [path: string]: SourceRef };
  };
}

/** Bytes for contents without `content_memory`. */
export const DEFAULT_CONTENT_BYTES: number = 64 * 1024 * 1024;

/** Bytes on disk for contents without `content_disk`. */
export const DEFAULT_DISK_BYTES: number = 1024 ** 3;

export interface StateEntry {
  /** Bytes for contents with bodies, of all workers together. */
  readonly contentMemory: number;
  /** Bytes on disk for contents, if a policy keeps some there; absent: DEFAULT_DISK_BYTES. */
  readonly contentDisk?: number;
  /** Folder for what survives a restart. */
  readonly path?: string;
}

/** A bundle in memory: the trie's words in one (shareable) buffer, and the program. */
export interface Bundle {
  readonly format: number;
  readonly sha256: string;
  readonly program: Program;
  /** The encoded trie, for `openTrie`. A SharedArrayBuffer for worker threads. */
  readonly trie: ArrayBufferLike;
  /** Absent: no custom policies and actions. */
  readonly code?: CodeTexts;
}

/** Input of a match: an Exchange, or the view that explain builds. */
export interface RequestView {
  readonly method: string;
  /** Lower case, without the port; '' if there is none. */
  readonly host: string;
  /** Normalised. */
  readonly path: string;
  /** Raw, without the question mark; '' if there is none. */
  readonly query: string;
  /** Name of the listener that received the request; routes on other listeners do not exist for it. */
  readonly listener: string;
  /** Of the original request, as reported by trusted proxies. */
  readonly scheme: 'http' | 'https';
  /** All values of a header, joined with ', '; lower-case name. */
  header(name: string): string | undefined;
}
