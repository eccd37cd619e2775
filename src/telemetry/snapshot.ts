/** The data of the admin API, for `gw dash`, `--once --json` and other programs. `version` is its contract. */
import type { DiskStats } from '../state/content/disk/memory.js';
import type { HoldKeySnapshot, LimitKeySnapshot } from '../state/types.js';
import type { AttemptRecord, CallRecord } from './attempt-records.js';
import type { ReloadChange } from './changes.js';
import type { CheckSnapshot } from './check-snapshot.js';
import type { ServiceSnapshot } from './service-snapshot.js';

export type { AttemptRecord, CallRecord } from './attempt-records.js';

import type { WebSocketRecord, WebSocketsSnapshot } from './tunnels.js';

export type { WebSocketRecord, WebSocketsSnapshot };

import type { DutySnapshot } from './duty-snapshot.js';

export type { DutySnapshot } from './duty-snapshot.js';

export const SNAPSHOT_VERSION = 1;

/** Callers of a service in a snapshot. */
export const CALLERS_SHOWN = 20;

/** Whole seconds over which rates are averaged: a single second varies too much. */
export const RATE_SECONDS = 10;

export interface Snapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  readonly gateway: {
    readonly gw: string;
    readonly pid: number;
    /** Absolute path of the spec or bundle. */
    readonly spec: string;
    readonly startedAt: number;
    readonly now: number;
    readonly state: GatewayState;
    readonly workers: number;
    /** Number of workers that reject new connections because they are short of memory. */
    readonly overloaded: number;
    readonly rssBytes: number;
  };
  readonly generation: { readonly id: number; readonly sha256: string; readonly loadedAt: number };
  readonly listeners: readonly {
    readonly name: string;
    /** The bound address, with the actual port. */
    readonly address: string;
    readonly tls: boolean;
    readonly connections: number;
  }[];
  readonly traffic: TrafficSnapshot;
  readonly routes: readonly RouteSnapshot[];
  readonly limits: readonly LimitSnapshot[];
  /** Limits of requests in progress. */
  readonly concurrency: readonly ConcurrencySnapshot[];
  /** What policies keep with bodies, such as replies. Absent before the first load. */
  readonly contents?: ContentsSnapshot;
  /** What caches of replies have answered. Absent before the first load. */
  readonly caches?: readonly CacheCounts[];
  readonly consumers: ConsumersSnapshot;
  readonly targets: readonly TargetSnapshot[];
  readonly services?: readonly ServiceSnapshot[];
  /** The work that policies do in the control thread: fetching key sets, lists. */
  readonly duties: readonly DutySnapshot[];
  /** Newest first, at most 50. */
  readonly reloads: readonly ReloadSnapshot[];
}

export type GatewayState = 'starting' | 'ready' | 'draining' | 'stopped';

export interface TrafficSnapshot {
  readonly requests: number;
  /** Replies with status >= 500. */
  readonly errors: number;
  readonly inFlight: number;
  /** Per second, oldest first, the last 120 whole seconds. */
  readonly requestsPerSecond: readonly number[];
  readonly errorsPerSecond: readonly number[];
  readonly latency: LatencySnapshot;
}

/** Milliseconds over the last 60 seconds; null where there was no traffic. */
export interface LatencySnapshot {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface RouteSnapshot {
  /** `-` for requests that matched no route. */
  readonly name: string;
  readonly match: string;
  /** What its action does: `forwards to orders`, `reply 204`; '' for requests that matched no route. */
  readonly action: string;
  /** Null if the action forwards no request. */
  readonly service: string | null;
  readonly policies: readonly string[];
  readonly requests: number;
  /** Mean of the last RATE_SECONDS. */
  readonly requestsPerSecond: number;
  readonly status: {
    readonly '1xx': number;
    readonly '2xx': number;
    readonly '3xx': number;
    readonly '4xx': number;
    readonly '5xx': number;
  };
  readonly inFlight: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly latency: LatencySnapshot;
  /** Absent: it has had none. */
  readonly webSockets?: WebSocketsSnapshot;
  /** gRPC calls that have ended. Absent: it has had none. */
  readonly grpc?: GrpcCounts;
}

/** Calls by the name of their status; unknown codes count as `other`. Statuses without calls are absent. */
export type GrpcCounts = { readonly [status: string]: number };

export interface LimitSnapshot {
  readonly policy: string;
  /** As in a spec: `100/min`; `as the plan says` for the policy `plan`. */
  readonly limit: string;
  readonly by: string;
  readonly routes: readonly string[];
  readonly allowed: number;
  readonly refused: number;
  readonly refusedPerSecond: number;
  /** Live keys evicted for others since the start. */
  readonly evicted: number;
  /** Fullest first, at most 100. */
  readonly keys: readonly LimitKeySnapshot[];
}

/** Requests by how the cache answered them, of all workers since the start. */
export interface CacheRequests {
  /** Answered with a fresh stored reply. */
  readonly hit: number;
  /** Answered with a stale stored reply. */
  readonly stale: number;
  /** Answered with the reply to another request that was on its way. */
  readonly collapsed: number;
  /** Sent to the origin. */
  readonly miss: number;
  /** Not for the cache. */
  readonly bypass: number;
}

/** What a cache has counted, of all workers since the start. */
export interface CacheCounts {
  readonly policy: string;
  readonly requests: CacheRequests;
  /** Stored replies that the origin has confirmed; the requests are part of `miss`. */
  readonly validated: number;
  /** URLs and groups that unsafe methods made invalid. */
  readonly invalidated: number;
}

/** Contents in memory, of all workers. */
export interface ContentsSnapshot {
  /** Bytes for contents, and how many of them are free. */
  readonly bytes: number;
  readonly freeBytes: number;
  /** Policies that have had contents. */
  readonly policies: readonly PolicyContents[];
  /** Of the contents on disk of all policies; absent if there was no store yet. */
  readonly disk?: DiskStats;
}

/** Counts are since the gateway started. */
export interface PolicyContents {
  readonly policy: string;
  readonly entries: number;
  readonly bytes: number;
  /** Of removed contents that are still being sent. */
  readonly pinnedBytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly stored: number;
  readonly evicted: number;
  readonly expired: number;
  readonly purged: number;
  /** Contents that were not stored: asked for too seldom, too large, no room. */
  readonly refused: { readonly admission: number; readonly size: number; readonly room: number };
}

export interface ConcurrencySnapshot {
  readonly policy: string;
  /** Requests that may be in progress for each key; 0: what the plan of the consumer says. */
  readonly max: number;
  readonly by: string;
  /** False: it only counts (`mode = "observe"`). */
  readonly enforced: boolean;
  readonly routes: readonly string[];
  /** Over all keys. */
  readonly inProgress: number;
  /** Keys with requests in progress. */
  readonly keysInUse: number;
  readonly refused: number;
  readonly refusedPerSecond: number;
  /** Fullest first, at most 100. `taken`: requests in progress; `capacity`: `max`. */
  readonly keys: readonly HoldKeySnapshot[];
}

/** Consumers in a snapshot, and credentials of each. */
export const CONSUMERS_SHOWN = 200;
export const CREDENTIALS_SHOWN = 20;

export interface ConsumersSnapshot {
  /** Number of declared consumers. */
  readonly declared: number;
  /** The one that was seen last first, then those without a request in the order of the spec; at most CONSUMERS_SHOWN. */
  readonly shown: readonly ConsumerSnapshot[];
  /** Requests that authenticating policies refused without knowing the caller. */
  readonly unknown: CallerSnapshot;
}

/** What a caller did since the gateway started. */
export interface CallerSnapshot {
  readonly requests: number;
  /** Mean of the last RATE_SECONDS. */
  readonly requestsPerSecond: number;
  /** Requests that gw refused (4xx), by the slug of the error. */
  readonly refused: { readonly [error: string]: number };
  /** Milliseconds since 1970; null: never. */
  readonly lastSeen: number | null;
}

export interface ConsumerSnapshot extends CallerSnapshot {
  readonly name: string;
  readonly plan: string | null;
  readonly groups: readonly string[];
  readonly disabled: boolean;
  /** At most CREDENTIALS_SHOWN. */
  readonly credentials: readonly CredentialSnapshot[];
}

export interface CredentialSnapshot {
  readonly name: string;
  /** `key`, `password` ... */
  readonly kind: string;
  /** Milliseconds since 1970; null: never. */
  readonly expires: number | null;
  readonly disabled: boolean;
}

export interface TargetSnapshot {
  readonly service: string;
  readonly url: string;
  /** Absent: the host of the URL is an address itself, or is looked up when a connection opens. */
  readonly address?: string;
  readonly weight: number;
  /**
   * What calls the service: names of policies, and `route NAME` for the action of a route. Absent: nothing does. At most
   * CALLERS_SHOWN names.
   */
  readonly calledBy?: readonly string[];
  /** `unhealthy`: active checks have failed, or it is a managed target that is not ready. */
  readonly health: 'healthy' | 'ejected' | 'unhealthy';
  /** Milliseconds until an ejected target is tried again. */
  readonly ejectedForMs: number;
  readonly requests: number;
  readonly failures: number;
  readonly inFlight: number;
  readonly connections: number;
  readonly latency: LatencySnapshot;
  /** Absent: the target is not checked. */
  readonly check?: CheckSnapshot;
  /** The last attempt that failed, while this gateway runs; null for none. */
  readonly lastFailure: FailureSnapshot | null;
  /** When the failures began that no reply has followed; null while the target replies. */
  readonly failingSince: number | null;
  /** Only for a managed target. */
  readonly process?: {
    readonly state: 'starting' | 'ready' | 'backoff' | 'draining' | 'stopped';
    readonly pid: number | null;
    readonly restarts: number;
    readonly command: string;
  };
}

/** Requests that a policy refused. */
export interface RefusalCount {
  readonly policy: string;
  /** Of the reply: `auth/invalid`. */
  readonly code: string;
  readonly count: number;
}

/** How much a count of a policy has grown. */
export interface PolicyCount {
  readonly policy: string;
  /** As the policy names it. */
  readonly name: string;
  readonly count: number;
}

export interface FailureSnapshot {
  readonly at: number;
  /** As in a RequestRecord. */
  readonly error: string;
  readonly cause: string;
}

/** The last attempt of a target that failed in one worker. */
export interface TargetFailure extends FailureSnapshot {
  readonly service: string;
  readonly url: string;
  /** Absent: the URL is the whole endpoint. */
  readonly address?: string;
  /** When the first of the consecutive failures was; null if the target has replied since, or did not cause the failure. */
  readonly since: number | null;
}

export interface ReloadSnapshot {
  readonly at: number;
  /** `replaced` (only in snapshots): it went live, but a later one serves now. */
  readonly outcome: 'live' | 'replaced' | 'rejected';
  /** Generation that went live; null when rejected. */
  readonly generation: number | null;
  /** Only consumers of files have changed: the generation was live before. */
  readonly refreshed?: true;
  /** `+1 route, ~2 routes, -0 routes`. */
  readonly summary: string;
  /** By name; absent when it was rejected. */
  readonly changes?: readonly ReloadChange[];
  /** Milliseconds from the detected change until live (or rejected). */
  readonly tookMs: number;
  /** Rendered as `gw validate` prints them (no colour). */
  readonly diagnostics: string;
  readonly errors: number;
  readonly warnings: number;
}

/** One finished exchange, for the access log and the event stream. */
export interface RequestRecord {
  readonly at: number;
  readonly id: string;
  readonly remote: string;
  readonly method: string;
  readonly host: string;
  /** Path with query. */
  readonly url: string;
  readonly status: number;
  readonly route: string | null;
  readonly service: string | null;
  readonly target: string | null;
  readonly consumer: string | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly durationMs: number;
  /** Time until the target's reply head; null if no target was asked. */
  readonly upstreamMs: number | null;
  /** Slug if gw itself answered or the exchange was cut: `route/none`, `upstream/timeout`, `downstream/aborted` ... */
  readonly error: string | null;
  /** The exact reason if `error` does not say enough: `connection refused`. One line of at most 200 characters. */
  readonly cause: string | null;
  /** The rule that decided about access, `POLICY/RULE`; absent: none did. */
  readonly rule?: string;
  /** Attempts at targets that others followed, oldest first; absent: there was one at most. */
  readonly attempts?: readonly AttemptRecord[];
  /** Requests of its policies and its action to services, as they ended, at most 100; absent: none. */
  readonly calls?: readonly CallRecord[];
  /** The name of its gRPC status, or the number of an unknown one: what the client got. Absent: it was no call of gRPC. */
  readonly grpc?: string;
  /** Absent: it was no WebSocket. */
  readonly webSocket?: WebSocketRecord;
  /** Only for event clients that asked for decisions. */
  readonly decisions?: readonly DecisionRecord[];
}

export interface DecisionRecord {
  readonly step: string;
  readonly use: string;
  readonly outcome: string;
  readonly why: string;
}

/** Lines of the event stream (`GET /events`, newline-delimited JSON). */
export type AdminEvent =
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | {
      readonly type: 'requests';
      readonly requests: readonly RequestRecord[];
      readonly dropped: number;
      /** Requests that ended before this client began to watch, without decisions unless these were recorded. */
      readonly recent?: true;
    }
  | { readonly type: 'reload'; readonly reload: ReloadSnapshot }
  | { readonly type: 'warning'; readonly warning: WarningRecord };

/** A warning or an error of the gateway's log, such as a failed renewal of a certificate. */
export interface WarningRecord {
  readonly level: 'warn' | 'error';
  readonly message: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly fields: { readonly [name: string]: unknown };
}
