import type { StatsWriter } from '../../telemetry/stats/writer.js';
import type { Descriptors } from '../load/descriptors.js';
import type { Outbox } from '../load/outbox.js';
import type { Turns } from '../load/turns.js';
import type { FailureNotes } from './failures.js';
import type { Names } from './names.js';

/** What targets need of the data plane. */
export interface TargetHost {
  readonly stats: StatsWriter;
  readonly descriptors: Descriptors;
  readonly names: Names;
  readonly outbox: Outbox;
  readonly turns: Pick<Turns, 'held' | 'wait'>;
  /** Monotonic milliseconds. */
  monotonic(): number;
  /** The same, a sweep old at most. */
  lately(): number;
  /** The host's clock. */
  now(): number;
  readonly failures: FailureNotes;
  log(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown>): void;
}
