/** Processes that gw runs for a service. */
import { map, number, optional, reference, table, text } from '../shape.js';
import type { RefString } from '../values.js';

export interface RunEntry {
  readonly command: string;
  readonly portEnv: string;
  readonly cwd?: string;
  readonly env: { readonly [name: string]: RefString };
  /** How many processes run. Absent: one. */
  readonly instances?: InstancesEntry;
  /** Time limit in milliseconds for accepting connections on its port. */
  readonly readyTimeout: number;
}

/** Bounds for the number of processes of a managed service. */
export interface InstancesEntry {
  readonly min: number;
  readonly max: number;
  /** Requests in flight that a process is meant to have. */
  readonly perInstance: number;
  /** Milliseconds with less load before a process is stopped, and without a request before the last one is (`min`: 0). */
  readonly downAfter: number;
  readonly idle: number;
}

/** What runs without `instances`. */
export const ONE_INSTANCE: InstancesEntry = { min: 1, max: 1, perInstance: 1, downAfter: 0, idle: 0 };

export const runShape = table({
  command: text,
  portEnv: text,
  cwd: optional(text),
  env: map(reference),
  instances: optional(
    table({ min: number(0), max: number(1), perInstance: number(1), downAfter: number(0), idle: number(0) }),
  ),
  readyTimeout: number(0),
});
