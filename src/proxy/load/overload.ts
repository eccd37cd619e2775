/**
 * When a worker has too little memory left to take on more. What counts is what is in use, measured against the limit of
 * its heap: the heap itself and the buffers outside it, as the last full garbage collection left them. Garbage that has
 * merely not been collected is no load: V8 collects it before the heap is full.
 */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { OverloadEntry } from '../../bundle/types.js';
import { blocks } from '../http/blocks.js';
import type { DataPlaneEvents } from '../types.js';

/** A state ends when the share has fallen this far below where it began. */
const HYSTERESIS = 0.05;
/**
 * Milliseconds for which a collection's result is believed. Under load the next one comes sooner. Where nothing
 * allocates none comes, and what has been freed since does not show; then newcomers are let in, and will tell.
 */
const BELIEVED_FOR = 10_000;

/** Bytes. */
export interface MemoryReading {
  readonly heap: number;
  /** Buffers and other memory that objects of the heap hold outside it. */
  readonly outside: number;
  readonly limit: number;
}

/** What the watch looks at; a test brings its own numbers. */
export interface MemorySource {
  read(): MemoryReading;
  /** Calls back after each full collection, until the returned function is called. */
  onCollection(then: () => void): () => void;
}

export const v8Memory: MemorySource = {
  read: () => {
    const { used_heap_size, external_memory, heap_size_limit } = getHeapStatistics();
    return { heap: used_heap_size, outside: external_memory - blocks.spare, limit: heap_size_limit };
  },
  onCollection: (then) => {
    const observer = new PerformanceObserver((list) => {
      if (list.getEntries().some(isMajor)) then();
    });
    observer.observe({ entryTypes: ['gc'] });
    return () => observer.disconnect();
  },
};

function isMajor(entry: PerformanceEntry): boolean {
  const detail = 'detail' in entry ? entry.detail : undefined;
  const kind = typeof detail === 'object' && detail !== null && 'kind' in detail ? detail.kind : undefined;
  return kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}

export class Overload {
  /** Of the live generation. */
  entry: OverloadEntry = { shedAbove: 0, shrinkAbove: 0 };
  /** New connections are turned away. */
  shedding = false;
  /** Idle connections go as well. */
  shrinking = false;
  readonly #source: MemorySource;
  readonly #log: DataPlaneEvents['log'];
  readonly #unobserve: () => void;
  /** A full collection is over since the last look. */
  #collected = false;
  /** The last look was let go. */
  #waits = false;
  /** When that was seen, monotonic; -Infinity: none was. */
  #collectedAt = Number.NEGATIVE_INFINITY;
  /** The least since the last full collection: the nearest to what is in use. */
  #heap = 0;
  #outside = 0;

  constructor(log: DataPlaneEvents['log'], source: MemorySource = v8Memory) {
    this.#source = source;
    this.#log = log;
    this.#unobserve = source.onCollection(() => this.#onCollection());
  }

  #onCollection(): void {
    const { heap, outside } = this.#source.read();
    this.#collected = true;
    this.#heap = heap;
    this.#outside = outside;
  }

  /** Called a few times a second with the monotonic time. Whether a state has begun or ended. */
  sweep(now: number): boolean {
    const { heap, outside, limit } = this.#source.read();
    this.#heap = Math.min(this.#heap, heap);
    // Buffers are freed a little after the collection that found them dead.
    this.#outside = Math.min(this.#outside, outside);
    if (this.#collected) this.#collectedAt = now;
    // One look is let go for that; not two, since where memory is really short collections follow each other closely.
    this.#waits = this.#collected && !this.#waits;
    this.#collected = false;
    if (this.#waits) return false;
    const believed = now - this.#collectedAt < BELIEVED_FOR;
    const share = believed ? (this.#heap + this.#outside) / limit : 0;
    const { shedAbove, shrinkAbove } = this.entry;
    const shed = isAbove(share, shedAbove, this.shedding);
    const shrink = isAbove(share, shrinkAbove, this.shrinking);
    if (shed !== this.shedding) this.#tell(shed, 'new connections are turned away', 'new connections are taken', limit);
    if (shrink !== this.shrinking)
      this.#tell(shrink, 'idle connections are closed', 'idle connections are kept', limit);
    const changed = shed !== this.shedding || shrink !== this.shrinking;
    this.shedding = shed;
    this.shrinking = shrink;
    return changed;
  }

  #tell(begins: boolean, what: string, end: string, limit: number): void {
    const fields = { usedMiB: mebibytes(this.#heap + this.#outside), limitMiB: mebibytes(limit) };
    if (begins) this.#log('warn', `Memory runs short: ${what}.`, fields);
    else this.#log('info', `There is memory again: ${end}.`, fields);
  }

  close(): void {
    this.#unobserve();
  }
}

/** `bound` 0: never. */
const isAbove = (share: number, bound: number, already: boolean): boolean =>
  bound > 0 && share > (already ? bound - HYSTERESIS : bound);

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
