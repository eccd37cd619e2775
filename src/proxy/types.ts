/** The interface between control and a data plane: plain data only, so it works in process and over a MessagePort. */

import type { MessagePort } from 'node:worker_threads';
import type { Json } from '../bundle/types.js';
import type { ConsumerMemory } from '../state/consumers/layers.js';
import type { StateMemory } from '../state/memory.js';
import type { CallerCount } from '../telemetry/callers.js';
import type { PolicyCount, RefusalCount, RequestRecord, TargetFailure } from '../telemetry/snapshot.js';
import type { SuppliedCertificates } from './downstream/tls/supplied.js';
import type { WatchLevel } from './exchange/access-record.js';
import type { StrayError } from './exchange/custom-code.js';
import type { GenerationInput } from './exchange/generation-input.js';
import type { Log } from './load/log.js';
import type { TargetsUpdate } from './upstream/endpoints.js';

export type { SuppliedCertificate, SuppliedCertificates } from './downstream/tls/supplied.js';
export type { WatchLevel } from './exchange/access-record.js';
export type { GenerationInput, StatsSlots } from './exchange/generation-input.js';
export type { Endpoint, ServiceEndpoints, TargetsUpdate } from './upstream/endpoints.js';

export interface BoundListener {
  readonly name: string;
  /** `host:port` with the real port. */
  readonly address: string;
}

export interface DrainReport {
  /** Exchanges that were aborted at the deadline, including tunnels. */
  readonly cut: number;
  /** Of those, tunnels: WebSockets and other upgrades. */
  readonly tunnels: number;
  /**
   * Requests that arrived while their idle connections were closing. Their clients saw the connection end without a
   * reply (RFC 9112 section 9.6) and can retry.
   */
  readonly raced: number;
  readonly tookMs: number;
}

/** What a data plane counts apart from shared memory. Absent: nothing. */
export interface WorkerReports {
  /** The last failed attempt of each target that has had one. */
  readonly failures?: readonly TargetFailure[];
  /** Requests that policies have refused. */
  readonly refusals?: readonly RefusalCount[];
  /** What policies count of themselves. */
  readonly counts?: readonly PolicyCount[];
  /** Of at least a second, except when the data plane closes or report() asks. */
  readonly callers?: readonly CallerCount[];
}

export interface DataPlaneEvents {
  /** Batches of finished exchanges while watch() is not 'off'; at most 512 pending, the rest is counted as dropped. */
  requests(records: readonly RequestRecord[], dropped: number): void;
  /** The last exchanges that ended before watch() went from 'off' to another level: once, oldest first, at most 200. */
  recent?(records: readonly RequestRecord[]): void;
  log: Log;
  /** What has happened since the last call; a few times a second at most. */
  reports?(reports: WorkerReports): void;
  /** The first request waits for a target of this service. */
  demand?(service: string): void;
  /** Asks the duty of the policy with this identity; absent: there are no duties. */
  ask?(identity: string, question: Json): Promise<Json>;
  /** The worker with this number keeps contents on disk, and gets each port to a store of them (WantDisk). Absent: memory only. */
  disk?(worker: number, connect: (port: MessagePort) => void, unapplied: SharedArrayBuffer): void;
  /**
   * Complete lines of an access log on standard output: a single writer keeps the lines of several workers and of the
   * operational log apart. If absent, the data plane writes them itself.
   */
  lines?(lines: Uint8Array, count: number): void;
}

export interface DataPlaneOptions {
  /** Shared memory of the limits (state/limits/table.ts). */
  readonly limits: SharedArrayBuffer;
  /** Shared memory of what policies keep (state/memory.ts); if absent, this data plane allocates its own. */
  readonly state?: StateMemory;
  /** Shared memory of the open connections (state/connection-table.ts); if absent, this data plane counts only its own. */
  readonly connections?: SharedArrayBuffer;
  /** Shared memory of the custom steps that run (state/step-cell.ts); if absent, they are not watched. */
  readonly steps?: SharedArrayBuffer;
  /** Shared memory of the keys of session tickets (state/ticket-keys.ts); if absent, this data plane has its own. */
  readonly tickets?: SharedArrayBuffer;
  /** Index of this worker, from 0; determines its rows in shared tables. */
  readonly worker?: number;
  /** Overrides the program's access log; undefined keeps it, `null` turns it off. */
  readonly accessLog?: { readonly path: string; readonly format: 'json' | 'pretty' } | null;
}

/**
 * The data plane as control uses it: a `DataPlane` (proxy/data-plane.ts) in this thread, or all workers together
 * (control/workers/set.ts).
 */
export interface DataPlaneApi {
  /**
   * Builds chains, binds new listeners, swaps, and closes removed listeners (their exchanges finish on their own
   * generation). Rejects without a change to the old generation if a policy cannot be created or a bind fails.
   */
  load(input: GenerationInput): Promise<readonly BoundListener[]>;
  /** Hands a value of a duty to the policies with this identity, in every loaded generation. */
  publish(identity: string, value: Json): void;
  /**
   * Replaces the consumers, in every loaded generation. Memory with a lower version than that in use is ignored. Resolves when
   * the next request is decided by them.
   */
  replaceConsumers(memory: ConsumerMemory): Promise<void>;
  /**
   * Replaces the endpoints of some services, in every loaded generation. Unchanged ones keep their connections and their health;
   * removed ones finish their exchanges. A lower version than that in use is ignored. Resolves when the next request is sent
   * by them.
   */
  updateTargets(update: TargetsUpdate): Promise<void>;
  /**
   * Replaces the certificates of listeners that have none of their own. Those with a lower version than the present ones are
   * ignored. Resolves when the next handshake uses them.
   */
  replaceCertificates(supplied: SuppliedCertificates): Promise<void>;
  /** Hands over what has been counted since the last report. Resolves when control has it, or a worker does not answer in time. */
  report(): Promise<void>;
  watch(level: WatchLevel): void;
  /** Reopens the access log: the next line goes to the file that is now at its path. */
  reopenLog(): void;
  /** Stops accepting, lets exchanges finish until the deadline, aborts the rest. */
  drain(timeoutMs: number): Promise<DrainReport>;
  /** Closes everything at once. */
  close(): Promise<void>;
}

/**
 * The data plane of one worker, as control uses it over a port: a load in two steps, so that everything that can fail
 * is done in all workers before the first one swaps.
 */
export interface WorkerApi extends Omit<DataPlaneApi, 'load'> {
  /**
   * The first step of a load: builds chains, reads certificates, opens the log, binds new listeners. Connections to
   * those wait; traffic is not affected. Rejects and cleans up if any of it fails.
   */
  prepare(input: GenerationInput): Promise<readonly BoundListener[]>;
  /** The second step: swaps to the generation prepared last, and closes removed listeners. Cannot fail. */
  commit(): void;
  /** Discards the prepared generation. Without one, commit() and abort() do nothing. */
  abort(): void;
  /** What is known about an error that nothing caught; undefined if custom code did not cause it. */
  strayOf?(error: unknown): StrayError | undefined;
}
