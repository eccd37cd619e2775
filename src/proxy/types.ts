/** Between control and a data plane: everything crosses as plain data, so it works over a MessagePort as in process. */

import type { RequestRecord, TargetFailure } from '../telemetry/snapshot.js';
import type { WatchLevel } from './exchange/access.js';
import type { GenerationInput } from './exchange/generation-input.js';
import type { Log } from './load/log.js';

export type { WatchLevel } from './exchange/access.js';
export type { GenerationInput, StatsSlots } from './exchange/generation-input.js';

export interface BoundListener {
  readonly name: string;
  /** `host:port` with the real port. */
  readonly address: string;
}

export interface DrainReport {
  /** Exchanges that were cut at the deadline, tunnels included. */
  readonly cut: number;
  /** Of those, upgraded ones: WebSockets and other tunnels. */
  readonly tunnels: number;
  /**
   * Requests that came as their idle connections were being closed: their clients saw the connection end without a
   * reply (RFC 9112 section 9.6) and know that they may ask again.
   */
  readonly raced: number;
  readonly tookMs: number;
}

export interface DataPlaneEvents {
  /** Batches of finished exchanges while watch() is not 'off'; at most 512 waiting, the rest counted as dropped. */
  requests(records: readonly RequestRecord[], dropped: number): void;
  /** The last exchanges that ended before watch() went from 'off' to another level: once, oldest first, at most 200. */
  recent?(records: readonly RequestRecord[]): void;
  log: Log;
  /** The last failed attempt of each target that has had one since the last call; a few times a second at most. */
  failures?(failures: readonly TargetFailure[]): void;
  /**
   * Whole lines of an access log that goes to standard output: one writer there keeps the lines of several workers, and
   * of the operational log, apart. Without it the data plane writes them itself.
   */
  lines?(lines: Uint8Array, count: number): void;
}

export interface DataPlaneOptions {
  /** Shared memory of the limits (state/limit-table). */
  readonly limits: SharedArrayBuffer;
  /** Shared memory of the open connections (state/connection-table); without it this data plane counts for itself. */
  readonly connections?: SharedArrayBuffer;
  /** Which worker this is, from 0: whose rows of shared tables it owns. */
  readonly worker?: number;
  /** Overrides the program's access log; undefined leaves it. `null` turns it off. */
  readonly accessLog?: { readonly path: string; readonly format: 'json' | 'pretty' } | null;
}

/**
 * What carries the traffic, as control sees it: a `DataPlane` (proxy/data-plane.ts) in this thread, or all workers
 * together (control/workers/set.ts).
 */
export interface DataPlaneApi {
  /**
   * Builds chains, binds listeners that are new, swaps, closes listeners that are gone (their exchanges finish on their
   * own generation). Rejects, leaving the old generation untouched, when a policy cannot be created or a bind fails.
   */
  load(input: GenerationInput): Promise<readonly BoundListener[]>;
  watch(level: WatchLevel): void;
  /** Opens the access log anew: what lies at its path now takes the next line. */
  reopenLog(): void;
  /** Stops accepting, lets exchanges finish until the deadline, cuts the rest. */
  drain(timeoutMs: number): Promise<DrainReport>;
  /** At once. */
  close(): Promise<void>;
}

/**
 * One worker's whole face to control, which carries it over a port: a load in two steps, so that all that can fail is
 * behind every worker before the first one swaps.
 */
export interface WorkerApi extends Omit<DataPlaneApi, 'load'> {
  /**
   * The first half of a load: builds chains, reads certificates, opens the log, binds listeners that are new. What
   * connects to those waits. Traffic sees nothing of it. Rejects, with nothing left over, when any of it fails.
   */
  prepare(input: GenerationInput): Promise<readonly BoundListener[]>;
  /** The second half: swaps to what was prepared last, and closes listeners that are gone. Cannot fail. */
  commit(): void;
  /** Lets go of what was prepared. Without anything prepared both do nothing. */
  abort(): void;
}
