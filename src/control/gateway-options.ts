/** How a gateway is started. */
import type { Clock } from '../policies/contract.js';
import type { DataPlaneOptions } from '../proxy/types.js';
import type { After } from '../state/timers.js';
import type { Log } from './log.js';
import type { SourceOptions } from './reload/source.js';
import type { Lookups } from './targets/names/lookups.js';

export interface GatewayOptions extends SourceOptions {
  /** Reload when the spec changes on disk. Default false. */
  readonly watch?: boolean;
  /** Run the data plane in this thread instead of a worker: for tests and small programs. Default false. */
  readonly inline?: boolean;
  readonly log?: Log;
  /** Instead of the spec's access log; null: none. */
  readonly accessLog?: DataPlaneOptions['accessLog'];
  /** Variables for `${env:}`. Default: the environment of the process. */
  readonly env?: { readonly [name: string]: string | undefined };
  /** Serve the admin API on a unix socket in the runtime folder, where `gw dash` finds it. Default true. */
  readonly adminSocket?: boolean;
  readonly runtimeDir?: string;
  /** Certificates by ACME come from the staging directory of the authority. Default false. */
  readonly development?: boolean;
  /** Aborting it during the start cancels the start. Later it has no effect. */
  readonly signal?: AbortSignal;
  /** Aborting it during the start has the effect of kill(). */
  readonly killSignal?: AbortSignal;
  /** The clock of an inline data plane and of snapshots. */
  readonly clock?: Clock;
  /** How names of targets are looked up. Default: as the system does. */
  readonly lookups?: Lookups;
  /** What waits until the keys of session tickets are replaced. Default: timers of the system. */
  readonly ticketTimer?: After;
}

/** A gateway that could not start: `diagnostics` is rendered as `gw validate` prints it. */
export class StartError extends Error {
  override readonly name = 'StartError';
  constructor(
    message: string,
    readonly diagnostics: string,
  ) {
    super(message);
  }
}
