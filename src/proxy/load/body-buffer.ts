/**
 * Buffers for bodies that must wait: a request body before its target is connected, a reply that its client has not read
 * yet. Memory is allocated as bytes arrive, never from an announced length.
 */
import { getHeapStatistics } from 'node:v8';
import { BLOCK, blocks } from './blocks.js';

/** Share of the heap limit that all buffered bodies of a worker may take together. */
const HEAP_SHARE = 1 / 16;
/**
 * Half of the budget is first come, first served: one body may take BODY_SHARE of what is left of it. The other half is for
 * many bodies: there each gets LEAST_SHARE of the whole, enough for 8192 bodies.
 */
const BODY_SHARE = 1 / 128;
const LEAST_SHARE = 1 / 16_384;
/** Sizes of the first blocks of a body that comes in small parts; each later block doubles the total, up to 64 KiB. */
const SMALLEST = 1024;
const SMALL = 4 * 1024;
const POOLED = 16 * 1024;

/** Below POOLED, blocks are not pooled and small: a thousand slow clients must not take a thousand large blocks. */
const blockFor = (bytes: number): Buffer =>
  bytes > SMALL ? blocks.take(Math.min(bytes, BLOCK)) : Buffer.allocUnsafeSlow(bytes > SMALLEST ? SMALL : SMALLEST);

/** The memory of all buffered bodies of a worker. Counts blocks, not the bytes in them. */
export class BodyBudget {
  /** Bytes. */
  readonly limit: number;
  #used = 0;

  /** `limit` in bytes; default: a sixteenth of the heap limit. */
  constructor(limit: number = Math.floor(getHeapStatistics().heap_size_limit * HEAP_SHARE)) {
    this.limit = limit;
  }

  /** Bytes of blocks that are taken. */
  get used(): number {
    return this.#used;
  }

  /** Bytes that one body may take at present. */
  get share(): number {
    const { limit } = this;
    if (this.#used >= limit) return 0;
    return Math.floor(Math.max(limit * LEAST_SHARE, (limit / 2 - this.#used) * BODY_SHARE));
  }

  /** Counts bytes that are kept elsewhere; false if they would exceed the limit. */
  reserve(bytes: number): boolean {
    if (this.#used + bytes > this.limit) return false;
    this.#used += bytes;
    return true;
  }

  /** Bytes that reserve() has counted are free again. */
  unreserve(bytes: number): void {
    this.#used -= bytes;
  }

  /** A block for about `bytes`, at most 64 KiB. Always succeeds: the caller checks `share` first. */
  take(bytes: number): Block {
    const block = new Block(blockFor(bytes));
    this.#used += block.buffer.length;
    return block;
  }

  give({ buffer }: Block): void {
    this.#used -= buffer.length;
    if (buffer.length >= POOLED) blocks.give(buffer);
  }
}

/** Some bytes of a body, in memory of their own. */
export class Block {
  readonly buffer: Buffer;
  length = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  get full(): boolean {
    return this.length === this.buffer.length;
  }

  /** Valid until the block is given back. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }
}

/** Part of a body, in order of arrival. Its owner empties it by shift() or clear(). */
export class BodyBuffer {
  /** Bytes in the buffer. */
  length = 0;
  readonly #budget: BodyBudget;
  #blocks: Block[] = [];
  /** Bytes of the blocks. */
  #taken = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** Bytes that it may still take, if its owner bounds it to `most`; 0 or less for none. */
  room(most: number): number {
    const last = this.#blocks.at(-1);
    const free = last === undefined ? 0 : last.buffer.length - last.length;
    return Math.min(most - this.length, Math.max(0, this.#budget.share - this.#taken) + free);
  }

  /** Copies buffer[start, end), also beyond room(): that bounds what the caller reads next. */
  add(buffer: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      let block = this.#blocks.at(-1);
      if (block === undefined || block.full) {
        block = this.#budget.take(Math.max(end - at, this.length));
        this.#blocks.push(block);
        this.#taken += block.buffer.length;
      }
      const count = Math.min(end - at, block.buffer.length - block.length);
      block.buffer.set(buffer.subarray(at, at + count), block.length);
      block.length += count;
      this.length += count;
      at += count;
    }
  }

  /** Removes the oldest bytes; undefined if there are none. The caller gives the block back by BodyBudget.give(). */
  shift(): Block | undefined {
    const block = this.#blocks.shift();
    if (block === undefined) return undefined;
    this.length -= block.length;
    this.#taken -= block.buffer.length;
    return block;
  }

  /** Takes over the bytes of `other`, which is empty then. */
  append(other: BodyBuffer): void {
    this.#blocks.push(...other.#blocks);
    this.length += other.length;
    this.#taken += other.#taken;
    other.#blocks = [];
    other.length = 0;
    other.#taken = 0;
  }

  /** A copy of all bytes; they stay in the buffer. */
  joined(): Buffer {
    return Buffer.concat(
      this.#blocks.map(({ bytes }) => bytes),
      this.length,
    );
  }

  /** Frees all memory. */
  clear(): void {
    for (const block of this.#blocks) this.#budget.give(block);
    this.#blocks = [];
    this.length = 0;
    this.#taken = 0;
  }
}
