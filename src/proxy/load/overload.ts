/**
 * Detects when a worker runs low on memory. It compares memory in use with the heap limit: the heap and the buffers outside
 * it, as the last full garbage collection left them. Uncollected garbage does not count, since V8 collects it before the heap
 * is full.
 */
import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { OverloadEntry } from '../../bundle/types.js';
import { blocks } from './blocks.js';
import type { Log } from './log.js';

/** A state ends when the share is this far below its bound. */
const HYSTERESIS = 0.05;
/**
 * Milliseconds for which a collection's result is valid. Under load the next collection comes sooner. An idle worker collects
 * nothing, so memory freed since then does not show; then new connections are accepted, and their load triggers a collection.
 */
const VALID_FOR = 10_000;

/** Bytes. */
export interface MemoryReading {
  readonly heap: number;
  /** Buffers and other memory that objects of the heap hold outside it. */
  readonly outside: number;
  readonly limit: number;
}

/** The figures of V8; tests supply their own. */
export interface MemorySource {
  read(): MemoryReading;
  /** Calls `then` after each full collection, until the returned function is called. */
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
  /** Bounds of the live generation. */
  entry: OverloadEntry = { shedAbove: 0, shrinkAbove: 0 };
  /** New connections are rejected. */
  shedding = false;
  /** Idle connections are closed as well. */
  shrinking = false;
  readonly #source: MemorySource;
  readonly #log: Log;
  readonly #unobserve: () => void;
  /** A full collection has finished since the last sweep. */
  #collected = false;
  /** The last sweep skipped its check. */
  #waits = false;
  /** Monotonic time of the sweep that noticed it; -Infinity for none. */
  #collectedAt = Number.NEGATIVE_INFINITY;
  /** Lowest figures since the last full collection: the closest to memory in use. */
  #heap = 0;
  #outside = 0;

  constructor(log: Log, source: MemorySource = v8Memory) {
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

  /** Called a few times a second with the monotonic time. Returns whether a state has begun or ended. */
  sweep(now: number): boolean {
    const { heap, outside, limit } = this.#source.read();
    this.#heap = Math.min(this.#heap, heap);
    // Buffers are freed shortly after the collection that found them unreachable.
    this.#outside = Math.min(this.#outside, outside);
    if (this.#collected) this.#collectedAt = now;
    // So one sweep is skipped, but never two: when memory is low, collections follow each other closely.
    this.#waits = this.#collected && !this.#waits;
    this.#collected = false;
    if (this.#waits) return false;
    const valid = now - this.#collectedAt < VALID_FOR;
    const share = valid ? (this.#heap + this.#outside) / limit : 0;
    const { shedAbove, shrinkAbove } = this.entry;
    const shed = isAbove(share, shedAbove, this.shedding);
    const shrink = isAbove(share, shrinkAbove, this.shrinking);
    if (shed !== this.shedding) this.#report(shed, 'new connections rejected', 'new connections accepted', limit);
    if (shrink !== this.shrinking) this.#report(shrink, 'idle connections closed', 'idle connections kept', limit);
    const changed = shed !== this.shedding || shrink !== this.shrinking;
    this.shedding = shed;
    this.shrinking = shrink;
    return changed;
  }

  #report(begins: boolean, what: string, end: string, limit: number): void {
    const fields = { usedMiB: mebibytes(this.#heap + this.#outside), limitMiB: mebibytes(limit) };
    if (begins) this.#log('warn', `memory low: ${what}`, fields);
    else this.#log('info', `memory recovered: ${end}`, fields);
  }

  close(): void {
    this.#unobserve();
  }
}

/** `bound` 0: never. */
const isAbove = (share: number, bound: number, already: boolean): boolean =>
  bound > 0 && share > (already ? bound - HYSTERESIS : bound);

const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20);
