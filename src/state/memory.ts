/** The shared memory of what policies keep, allocated once for all workers of a gateway. */
import { BreakerTable } from './breaker/table.js';
import { CacheTable } from './cache-table.js';
import type { Clock } from './clock.js';
import { systemClock } from './clock.js';
import { DiskClient } from './content/disk/client.js';
import { DiskMemory } from './content/disk/memory.js';
import { contentsOf, type WantDisk } from './content/disk/tiered.js';
import { GatewayContents } from './content/memory/gateway.js';
import { MemoryContents } from './content/memory/index.js';
import type { ContentSpace } from './content/types.js';
import { HoldTable } from './hold-table.js';
import { LeaseTable } from './lease-table.js';
import { GatewayOutcomes, type OutcomesOnDisk } from './outcomes/gateway.js';
import { OutcomeTable } from './outcomes/table.js';
import { ReplayTable } from './replay-table.js';
import { SingleFlight } from './single-flight.js';
import type { After } from './timers.js';

/** Plain data for a worker thread. */
interface TableMemory {
  readonly cache: SharedArrayBuffer;
  readonly marks: SharedArrayBuffer;
  readonly holds: SharedArrayBuffer;
  readonly leases: SharedArrayBuffer;
  readonly replays: SharedArrayBuffer;
  /** What all threads know about contents on disk. */
  readonly disk: SharedArrayBuffer;
  readonly outcomes: SharedArrayBuffer;
  /** Circuit breakers of services. */
  readonly breakers: SharedArrayBuffer;
}

/** The same, with the memory of contents. */
export interface StateMemory extends TableMemory {
  /** Of contents with bodies. Absent: it comes with the first generation, whose program says its size. */
  readonly content?: SharedArrayBuffer;
  /** Of contents that stay until they expire. */
  readonly kept: SharedArrayBuffer;
}

/** The stores of one worker. */
export interface State {
  readonly cache: CacheTable;
  readonly marks: CacheTable;
  readonly holds: HoldTable;
  readonly breakers: BreakerTable;
  readonly replays: ReplayTable;
  readonly outcomes: GatewayOutcomes;
  readonly flights: SingleFlight;
  /** In memory, and on disk if a policy wants that and there is a store. */
  readonly content: ContentSpace;
  readonly contentMemory: GatewayContents;
  readonly kept: ContentSpace;
}

const SMALL_CONTENT_BYTES = 4 * 1024 * 1024;
const SMALL_KEPT_BYTES = SMALL_CONTENT_BYTES / 4;

interface StateSizes {
  /** The number of rows of the tables. */
  readonly workers: number;
  /** For one run offline or a test, instead of a gateway. */
  readonly small?: boolean;
}

/** The shared memory for all workers of a gateway. */
export function allocateState({ workers, small = false }: StateSizes): StateMemory {
  return {
    ...allocateTables({ workers, small }),
    ...(small ? { content: MemoryContents.allocate({ workers, bytes: SMALL_CONTENT_BYTES }) } : {}),
    kept: MemoryContents.allocate({ workers, ...(small ? { bytes: SMALL_KEPT_BYTES } : {}) }),
  };
}

function allocateTables({ workers, small = false }: StateSizes): TableMemory {
  return {
    cache: CacheTable.allocate(small ? { bytes: 256 * 1024 } : {}),
    marks: CacheTable.allocate(small ? { bytes: 256 * 1024 } : {}),
    holds: HoldTable.allocate({ workers, ...(small ? { slots: 256 } : {}) }),
    leases: LeaseTable.allocate(),
    replays: ReplayTable.allocate(small ? { slots: 4096 } : {}),
    disk: DiskMemory.allocate(),
    outcomes: OutcomeTable.allocate(small ? { slots: 1024 } : {}),
    breakers: BreakerTable.allocate({ workers, ...(small ? { slots: 16 } : {}) }),
  };
}

/** What the stores of one thread need of it. */
export interface StateParts {
  readonly clock: Clock;
  readonly after: After;
  /** Leads to a store of contents on disk: see WantDisk. Undefined: contents are in memory only. */
  readonly disk?: ((worker: number, ...wanted: Parameters<WantDisk>) => void) | undefined;
}

/**
 * Opens the memory in one thread. Contents without memory get their own with the first of them. `worker`: its number, from 0.
 * `offline`: a run or a test of which nothing is kept on disk. @throws TypeError for memory of another kind
 */
export function openState(
  memory: TableMemory & Partial<StateMemory>,
  worker: number,
  { clock, after, disk: wanted }: StateParts,
  { offline = true } = {},
): State {
  const monotonic = (): number => clock.monotonic();
  const cache = new CacheTable(memory.cache, monotonic);
  const marks = new CacheTable(memory.marks, monotonic);
  const holds = new HoldTable(memory.holds, worker);
  const leases = new LeaseTable(memory.leases, worker);
  const breakers = new BreakerTable(memory.breakers, worker, monotonic);
  const replays = new ReplayTable(memory.replays, monotonic);
  const outcomes = new GatewayOutcomes(memory.outcomes, worker, clock, { offline });
  const flights = new SingleFlight({ leases, cache, after, monotonic });
  const now = (): number => clock.now();
  const contentMemory = new GatewayContents(worker, now, offline ? { bytes: SMALL_CONTENT_BYTES } : {});
  contentMemory.use(memory.content);
  const disk = new DiskClient({ memory: new DiskMemory(memory.disk), after });
  const want: WantDisk | undefined = wanted && ((...given) => wanted(worker, ...given));
  const content = contentsOf({ content: contentMemory, disk }, clock, want);
  const kept = new GatewayContents(worker, now, { keeps: true, ...(offline ? { bytes: SMALL_KEPT_BYTES } : {}) });
  kept.use(memory.kept);
  return { breakers, cache, marks, holds, replays, outcomes, flights, content, contentMemory, kept };
}

/**
 * The stores of one run offline, or of a test. Contents get memory with the first store of them: shared memory does not make V8 collect
 * sooner, so many short runs would keep megabytes each until something else causes a collection.
 */
export const offlineState = (parts: StateParts): State =>
  openState(allocateTables({ workers: 1, small: true }), 0, parts);

/**
 * The stores of a worker that starts: releases what a dead worker with the same number held. Without `memory`, the worker is
 * alone and gets its own.
 */
export function claimState(memory: StateMemory | undefined, worker: number | undefined, parts: StateParts): State {
  const number = worker ?? 0;
  const claimed = memory ?? allocateState({ workers: number + 1 });
  forgetWorker(claimed, number);
  return openState(claimed, number, parts, { offline: false });
}

/** What came with a generation: it stays for the rest of the process. @throws Error if it cannot be used */
export function adoptShared(
  { contentMemory, outcomes }: State,
  shared: { readonly contents?: SharedArrayBuffer; readonly outcomes?: OutcomesOnDisk | undefined },
): void {
  contentMemory.use(shared.contents);
  outcomes.use(shared.outcomes);
}

/** Releases what a worker that has ended held, and what it did is unknown. Called by control, and by the worker that takes its number. */
export function forgetWorker(memory: StateMemory, worker: number): void {
  new HoldTable(memory.holds, worker).forget(worker);
  new BreakerTable(memory.breakers, worker, systemClock.monotonic).forget(worker);
  new LeaseTable(memory.leases, worker).forget(worker);
  if (memory.content !== undefined) new MemoryContents(memory.content, Date.now).forget(worker);
  new MemoryContents(memory.kept, Date.now).forget(worker);
  new OutcomeTable(memory.outcomes, worker, systemClock.monotonic).forget(worker);
}
