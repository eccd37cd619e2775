/** The shared memory of what policies keep, allocated once for all workers of a gateway. */
import { CacheTable } from './cache-table.js';
import { HoldTable } from './hold-table.js';
import { LeaseTable } from './lease-table.js';
import { ReplayTable } from './replay-table.js';
import { SingleFlight } from './single-flight.js';
import type { After } from './timers.js';

/** Plain data for a worker thread. */
export interface StateMemory {
  readonly cache: SharedArrayBuffer;
  readonly marks: SharedArrayBuffer;
  readonly holds: SharedArrayBuffer;
  readonly leases: SharedArrayBuffer;
  readonly replays: SharedArrayBuffer;
}

/** The stores of one worker. */
export interface State {
  readonly cache: CacheTable;
  readonly marks: CacheTable;
  readonly holds: HoldTable;
  readonly replays: ReplayTable;
  readonly flights: SingleFlight;
}

/** `workers`: the number of rows of the tables. `small`: for one run offline or a test, instead of a gateway. */
export function allocateState({ workers, small = false }: { workers: number; small?: boolean }): StateMemory {
  return {
    cache: CacheTable.allocate(small ? { bytes: 256 * 1024 } : {}),
    marks: CacheTable.allocate(small ? { bytes: 256 * 1024 } : {}),
    holds: HoldTable.allocate({ workers, ...(small ? { slots: 256 } : {}) }),
    leases: LeaseTable.allocate(),
    replays: ReplayTable.allocate(small ? { slots: 4096 } : {}),
  };
}

/** Opens the memory in one thread. `worker`: its number, from 0. @throws TypeError for memory of another kind */
export function openState(
  memory: StateMemory,
  worker: number,
  { monotonic, after }: { readonly monotonic: () => number; readonly after: After },
): State {
  const cache = new CacheTable(memory.cache, monotonic);
  const marks = new CacheTable(memory.marks, monotonic);
  const holds = new HoldTable(memory.holds, worker);
  const leases = new LeaseTable(memory.leases, worker);
  const replays = new ReplayTable(memory.replays, monotonic);
  const flights = new SingleFlight({ leases, cache, after, monotonic });
  return { cache, marks, holds, replays, flights };
}

/**
 * The stores of a worker that starts: releases what a dead worker with the same number held. Without `memory`, the worker is
 * alone and gets its own.
 */
export function claimState(
  memory: StateMemory | undefined,
  worker = 0,
  parts: { readonly monotonic: () => number; readonly after: After },
): State {
  const claimed = memory ?? allocateState({ workers: worker + 1 });
  forgetWorker(claimed, worker);
  return openState(claimed, worker, parts);
}

/** Releases what a worker that has ended held. Called by control, and by the worker that takes its number. */
export function forgetWorker(memory: StateMemory, worker: number): void {
  new HoldTable(memory.holds, worker).forget(worker);
  new LeaseTable(memory.leases, worker).forget(worker);
}
