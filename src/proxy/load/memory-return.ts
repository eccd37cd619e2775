/**
 * Returns memory to the system after a crowd of connections has gone. V8 collects when something allocates, and a worker that
 * has gone quiet allocates next to nothing: without this, the memory of ten thousand closed connections stays for minutes.
 *
 *     load falls to half of its peak --- settled, thread idle ---> collection --- interval ---> second --- interval ---> third
 */
import { performance } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { blocks } from '../http/blocks.js';
import type { DataPlaneEvents } from '../types.js';

/** A fall is worth a collection from so many connections, or bytes of blocks, on. */
const CONNECTIONS = 256;
const BYTES = 8 * 1024 ** 2;
/** Milliseconds from a fall to the first collection: what remains of the crowd goes meanwhile, and the thread is watched. */
const SETTLE = 2000;
/** Collections after a fall. The first frees objects, those behind it what their finalizers and V8's page pool held. */
const COLLECTIONS = 3;
/** Milliseconds between two collections: so long, or this multiple of what the last one took, but not longer than the most. */
const INTERVAL = 8000;
const COST_FACTOR = 500;
const MOST_INTERVAL = 25_000;
/** A thread that is busier than this is left alone: what it allocates makes V8 collect anyway. */
const MOST_BUSY = 0.5;
/** Milliseconds until a busy thread is looked at again. */
const RETRY = 1000;

/** What collects; a test brings its own. */
export interface CollectorSource {
  /** Share of the time since the last call that the thread was busy, 0 to 1. */
  busy(): number;
  /** A full garbage collection. Returns the milliseconds that it took. */
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

/** V8's collector is a global of contexts that are made while the flag is set; undefined where there is none. */
function exposedGc(): unknown {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  return gc;
}

export class MemoryReturn {
  readonly #log: DataPlaneEvents['log'];
  readonly #source: CollectorSource;
  /** The most since the last fall. */
  #connections = 0;
  #bytes = 0;
  /** Collections to come, and the monotonic time of the next one. */
  #left = 0;
  #at = 0;
  /** Before this time there is none, whatever falls. */
  #notBefore = 0;

  constructor(log: DataPlaneEvents['log'], source: CollectorSource = v8Collector()) {
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
