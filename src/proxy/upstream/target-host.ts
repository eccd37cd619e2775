/** What the upstream layer uses of the data plane. */
import type { TargetFailure } from '../../telemetry/snapshot.js';
import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { Descriptors } from '../load/descriptors.js';
import type { FairScheduler } from '../load/fair-scheduler.js';
import type { Log } from '../load/log.js';
import type { WriteBatcher } from '../load/write-batcher.js';
import type { DnsCache } from './dns-cache.js';
import type { PoolTarget, TargetPool } from './target-pool.js';

export interface TargetHost {
  readonly stats: StatsWriter;
  readonly descriptors: Descriptors;
  readonly dns: DnsCache;
  readonly batcher: WriteBatcher;
  readonly scheduler: Pick<FairScheduler, 'held' | 'wait'>;
  readonly failures: FailureNotes;
  readonly log: Log;
  /** The connections to a target that speaks HTTP/2. */
  readonly http2Pool: (target: PoolTarget, host: TargetHost) => TargetPool;
  /** From 0 to 1, exclusive. */
  random(): number;
  /** Monotonic milliseconds. Reads the clock. */
  monotonic(): number;
  /** The result of the last monotonic(), at most one sweep old. */
  cachedNow(): number;
  /** Milliseconds since 1970. */
  now(): number;
}

/** The last failure of each target, until control takes it. */
export class FailureNotes {
  /** By service, URL and address: one for each target. */
  readonly #noted = new Map<string, TargetFailure>();

  note(failure: TargetFailure): void {
    this.#noted.set(`${failure.service}|${failure.url}|${failure.address ?? ''}`, failure);
  }

  /** The failures since the last call; undefined for none. */
  take(): readonly TargetFailure[] | undefined {
    if (this.#noted.size === 0) return undefined;
    const noted = [...this.#noted.values()];
    this.#noted.clear();
    return noted;
  }
}
