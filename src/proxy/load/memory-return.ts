/**
 * Returns memory to the system after a peak of connections. V8 collects garbage when code allocates, and an idle worker
 * allocates almost nothing: without this, the memory of ten thousand closed connections stays for minutes.
 *
 *     load falls to half of its peak --- settled, thread idle ---> collection --- interval ---> second --- interval ---> third
 */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { blocks } from './blocks.js';
import type { Log } from './log.js';

/** Smallest fall that is worth a collection: in connections, and in bytes of blocks. */
const CONNECTIONS = 256;
const BYTES = 8 * 1024 ** 2;
/** Milliseconds from a fall to the first collection: the remaining connections close, and the thread's load is measured. */
const SETTLE = 2000;
/** Collections after a fall. The first frees objects; the later ones free what finalizers and V8's page pool held. */
const COLLECTIONS = 3;
/** Milliseconds between two collections: INTERVAL, or COST_FACTOR times the last collection, at most MOST_INTERVAL. */
const INTERVAL = 8000;
const COST_FACTOR = 500;
const MOST_INTERVAL = 25_000;
/** A busier thread needs no forced collection: its allocations make V8 collect. */
const MOST_BUSY = 0.5;
/** Milliseconds until a busy thread is checked again. */
const RETRY = 1000;

/** The garbage collector; tests supply their own. */
export interface CollectorSource {
  /** Share of the time since the last call that the thread was busy, 0 to 1. */
  busy(): number;
  /** Runs a full garbage collection. Returns its duration in milliseconds. */
  collect(): number;
}

/** V8 and the event loop of this thread. */
export function v8Collector(): CollectorSource {
  let last = performance.eventLoopUtilization();
  let gc: unknown;
  return {
    busy: () => {
      const now = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(now, last);
      last = now;
      return utilization;
    },
    collect: () => {
      gc ??= exposedGc();
      const begun = performance.now();
      if (typeof gc === 'function') gc();
      return performance.now() - begun;
    },
  };
}

/** V8 gives its collector to contexts that are created while the flag is set; undefined if there is none. */
function exposedGc(): unknown {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  return gc;
}

export class MemoryReturn {
  readonly #log: Log;
  readonly #source: CollectorSource;
  /** Peaks since the last fall. */
  #connections = 0;
  #bytes = 0;
  /** Collections to come, and the monotonic time of the next one. */
  #left = 0;
  #at = 0;
  /** No collection before this time. */
  #notBefore = 0;

  constructor(log: Log, source: CollectorSource = v8Collector()) {
    this.#log = log;
    this.#source = source;
  }

  /** Called a few times a second with the monotonic time, the open connections of clients, and the bytes of blocks in use. */
  sweep(now: number, connections: number, bytes: number): void {
    this.#connections = Math.max(this.#connections, connections);
    this.#bytes = Math.max(this.#bytes, bytes);
    if (hasFallen(this.#connections, connections, CONNECTIONS) || hasFallen(this.#bytes, bytes, BYTES)) {
      this.#connections = connections;
      this.#bytes = bytes;
      this.#left = COLLECTIONS;
      this.#at = Math.max(now + SETTLE, this.#notBefore);
      this.#source.busy();
    }
    if (this.#left === 0 || now < this.#at) return;
    if (this.#source.busy() > MOST_BUSY) this.#at = now + RETRY;
    else this.#collect(now);
  }

  #collect(now: number): void {
    blocks.release();
    const took = this.#source.collect();
    this.#left--;
    this.#at = now + Math.min(MOST_INTERVAL, Math.max(INTERVAL, took * COST_FACTOR));
    this.#notBefore = this.#at;
    this.#log('debug', 'garbage collected after a fall in load', { tookMs: Math.round(took), left: this.#left });
  }
}

const hasFallen = (most: number, now: number, least: number): boolean => most - now >= least && now <= most / 2;
