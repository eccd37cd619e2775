/** Whole bodies in memory, for the hooks of policies that need them. */
import { getHeapStatistics } from 'node:v8';
import type { HeaderFields } from '../../../policies/contract.js';
import type { BodySink, ReplyReceiver } from './types.js';

/** Share of the heap limit that all collected bodies of a worker may take together. */
const HEAP_SHARE = 1 / 8;
/** First allocation for a body, in bytes; each later one doubles it. */
const FIRST = 4 * 1024;

/** The memory of all collected bodies of a worker. */
export class CollectBudget {
  /** Bytes. */
  readonly limit: number;
  #used = 0;

  /** `limit` in bytes; default: an eighth of the heap limit. */
  constructor(limit: number = Math.floor(getHeapStatistics().heap_size_limit * HEAP_SHARE)) {
    this.limit = limit;
  }

  /** Bytes that are taken. */
  get used(): number {
    return this.#used;
  }

  /** Takes `bytes` if they are left. */
  take(bytes: number): boolean {
    if (this.#used + bytes > this.limit) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/** Why a body could not be collected. */
export type CollectFault = 'too-large' | 'no-memory';

/** A body as it grows: memory is allocated as bytes arrive, never from an announced length. */
class Growing {
  length = 0;
  /** Bytes of the budget that it has taken. */
  taken = 0;
  #buffer: Buffer | undefined = undefined;
  readonly #budget: CollectBudget;
  readonly #max: number;

  constructor(budget: CollectBudget, max: number) {
    this.#budget = budget;
    this.#max = max;
  }

  /** Copies buffer[start, end); `last`: nothing follows. Returns why it cannot, or undefined. */
  add(buffer: Uint8Array, start: number, end: number, last: boolean): CollectFault | undefined {
    const length = this.length + end - start;
    if (length > this.#max) return 'too-large';
    if (length > this.taken && !this.#grow(length, last)) return 'no-memory';
    this.#buffer?.set(buffer.subarray(start, end), this.length);
    this.length = length;
    return undefined;
  }

  #grow(length: number, last: boolean): boolean {
    const size = Math.min(Math.max(FIRST, length, this.taken * 2), Math.max(this.#max, length));
    if (!this.#budget.take(size - this.taken)) return false;
    this.taken = size;
    // A small body that comes at once needs no memory of its own; what it takes of the budget stands for the part of the pool that
    // it holds.
    const larger = last ? Buffer.allocUnsafe(length) : Buffer.allocUnsafeSlow(size);
    this.#buffer?.copy(larger, 0, 0, this.length);
    this.#buffer = larger;
    return true;
  }

  get bytes(): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined) return Buffer.alloc(0);
    return buffer.length === this.length ? buffer : buffer.subarray(0, this.length);
  }

  release(): void {
    this.#budget.give(this.taken);
    this.taken = 0;
    this.#buffer = undefined;
    this.length = 0;
  }
}

/** A collected body. The bytes of the budget that it takes are given back by release(). */
export interface Collected {
  readonly bytes: Buffer;
  /** Idempotent. */
  release(): void;
}

/**
 * Collects a body, of a request or of a reply, and calls back once: with the bytes, or with the reason why it cannot. cancel()
 * frees the memory and drops the callback.
 */
export class Collector implements BodySink, ReplyReceiver {
  readonly #body: Growing;
  #done: ((result: Collected | CollectFault) => void) | undefined;

  /** `max`: largest body in bytes. */
  constructor(budget: CollectBudget, max: number, done: (result: Collected | CollectFault) => void) {
    this.#body = new Growing(budget, max);
    this.#done = done;
  }

  get takesBody(): boolean {
    return this.#done !== undefined;
  }

  /** Not once the body is here: then the client is not what the exchange waits for. */
  get collecting(): boolean {
    return this.#done !== undefined;
  }

  sendBody(bytes: Buffer, last: boolean): void {
    this.body(bytes, 0, bytes.length, last);
  }

  body(buffer: Buffer, start: number, end: number, last: boolean): boolean {
    if (this.#done === undefined) return false;
    const fault = this.#body.add(buffer, start, end, last);
    if (fault !== undefined) this.#settle(fault);
    else if (last) this.#settle(new Held(this.#body));
    return fault === undefined;
  }

  /** Trailers of a collected body are dropped: its message gets a Content-Length. */
  trailers(_fields: HeaderFields): void {}

  #settle(result: Collected | CollectFault): void {
    const done = this.#done;
    this.#done = undefined;
    if (typeof result === 'string') this.#body.release();
    done?.(result);
  }

  /** Idempotent. After the callback it does nothing. */
  cancel(): void {
    if (this.#done === undefined) return;
    this.#done = undefined;
    this.#body.release();
  }
}

/** A body that a policy has made, counted like a collected one; undefined if the budget has no room for it. */
export function countBytes(budget: CollectBudget, bytes: Buffer): Collected | undefined {
  let taken = bytes.length;
  if (!budget.take(taken)) return undefined;
  const release = (): void => {
    budget.give(taken);
    taken = 0;
  };
  return { bytes, release };
}

class Held implements Collected {
  readonly bytes: Buffer;
  #body: Growing | undefined;

  constructor(body: Growing) {
    this.bytes = body.bytes;
    this.#body = body;
  }

  release(): void {
    this.#body?.release();
    this.#body = undefined;
  }
}
