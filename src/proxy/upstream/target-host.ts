import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { Descriptors } from '../load/descriptors.js';
import type { FairScheduler } from '../load/fair-scheduler.js';
import type { WriteBatcher } from '../load/write-batcher.js';
import type { DnsCache } from './dns-cache.js';
import type { FailureNotes } from './failures.js';

/** What targets need of the data plane. */
export interface TargetHost {
  readonly stats: StatsWriter;
  readonly descriptors: Descriptors;
  readonly dns: DnsCache;
  readonly batcher: WriteBatcher;
  readonly scheduler: Pick<FairScheduler, 'held' | 'wait'>;
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** The same, a sweep old at most. */
  cachedNow(): number;
  /** The host's clock. */
  now(): number;
  readonly failures: FailureNotes;
  log(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>): void;
}
