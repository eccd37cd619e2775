/** The counters of one worker: plain stores into its own shared blocks, without allocation. */
import { bucketOf, CHUNK_ACTIVITY, Counter, GRPC_WORDS, SLOT_WORDS, SLOTS_PER_CHUNK } from './layout.js';

export type CounterWord = (typeof Counter)[keyof typeof Counter];

const SHIFT = Math.log2(SLOTS_PER_CHUNK);
const MASK = SLOTS_PER_CHUNK - 1;

export class StatsWriter {
  readonly #views: Float64Array<ArrayBufferLike>[] = [];

  constructor(chunks: readonly SharedArrayBuffer[] = []) {
    this.adopt(chunks);
  }

  /** Chunks are only added: a later generation has the same ones, and maybe more. */
  adopt(chunks: readonly SharedArrayBuffer[]): void {
    for (let at = this.#views.length; at < chunks.length; at++) this.#views.push(new Float64Array(chunks[at]!));
  }

  /** An exchange or an attempt has begun. */
  begin(slot: number): void {
    const view = this.#views[slot >>> SHIFT]!;
    const at = (slot & MASK) * SLOT_WORDS + Counter.InFlight;
    view[at] = view[at]! + 1;
    view[CHUNK_ACTIVITY] = view[CHUNK_ACTIVITY]! + 1;
  }

  /**
   * An exchange or an attempt has ended. Status 0: none. `failed`: cut before its end (routes), no usable reply (targets).
   * Total bytes and milliseconds.
   */
  end(slot: number, status: number, bytesIn: number, bytesOut: number, durationMs: number, failed: boolean): void {
    const view = this.#views[slot >>> SHIFT]!;
    const base = (slot & MASK) * SLOT_WORDS;
    view[base + Counter.InFlight] = view[base + Counter.InFlight]! - 1;
    view[base + Counter.Requests] = view[base + Counter.Requests]! + 1;
    if (status >= 100 && status < 600) {
      const word = base + Counter.Requests + ((status / 100) | 0);
      view[word] = view[word]! + 1;
    }
    view[base + Counter.BytesIn] = view[base + Counter.BytesIn]! + bytesIn;
    view[base + Counter.BytesOut] = view[base + Counter.BytesOut]! + bytesOut;
    if (failed) view[base + Counter.Failures] = view[base + Counter.Failures]! + 1;
    view[base + Counter.LatencySumMs] = view[base + Counter.LatencySumMs]! + durationMs;
    const bucket = base + Counter.Histogram + bucketOf(durationMs);
    view[bucket] = view[bucket]! + 1;
    view[CHUNK_ACTIVITY] = view[CHUNK_ACTIVITY]! + 1;
  }

  add(slot: number, counter: CounterWord, amount: number): void {
    const view = this.#views[slot >>> SHIFT]!;
    const at = (slot & MASK) * SLOT_WORDS + counter;
    view[at] = view[at]! + amount;
    view[CHUNK_ACTIVITY] = view[CHUNK_ACTIVITY]! + 1;
  }

  /** A gRPC call of a route has ended with this status. */
  grpc(slot: number, code: number): void {
    const view = this.#views[slot >>> SHIFT]!;
    const word = (slot & MASK) * SLOT_WORDS + Counter.Grpc + Math.min(code, GRPC_WORDS - 1);
    view[word] = view[word]! + 1;
    view[CHUNK_ACTIVITY] = view[CHUNK_ACTIVITY]! + 1;
  }

  set(slot: number, counter: CounterWord, value: number): void {
    const view = this.#views[slot >>> SHIFT]!;
    view[(slot & MASK) * SLOT_WORDS + counter] = value;
    view[CHUNK_ACTIVITY] = view[CHUNK_ACTIVITY]! + 1;
  }

  /** This worker's own count. */
  get(slot: number, counter: CounterWord): number {
    return this.#views[slot >>> SHIFT]![(slot & MASK) * SLOT_WORDS + counter]!;
  }
}
