/**
 * Bodies, or parts of them, that are held until they can go on: what has come of a request while its target is not asked
 * yet, what a client has not read of its reply. Memory is taken as bytes arrive, never by what a length announces.
 */
import { getHeapStatistics } from 'node:v8';
import { BLOCK, blocks } from './blocks.js';

/** Of the heap's limit, what all held bodies of a worker may take together. */
const HEAP_SHARE = 1 / 16;
/**
 * Half of the budget goes to those that come first: one body may have this share of what is left of it. The other half is
 * for many: there a body gets the least that is worth having, so that 8192 of them have it.
 */
const BODY_SHARE = 1 / 128;
const LEAST_SHARE = 1 / 16_384;
/** The first blocks of a body that comes in small parts; then each is as large as all before it, up to 64 KiB. */
const SMALLEST = 1024;
const SMALL = 4 * 1024;
const POOLED = 16 * 1024;

/** Up to POOLED, blocks are made to measure: a thousand clients that trickle must not cost a thousand large blocks. */
const blockFor = (bytes: number): Buffer =>
  bytes > SMALL ? blocks.take(Math.min(bytes, BLOCK)) : Buffer.allocUnsafeSlow(bytes > SMALLEST ? SMALL : SMALLEST);

/** The memory of all bodies that a worker holds. Counts blocks, not the bytes in them. */
export class BodyBudget {
  /** Bytes. */
  readonly limit: number;
  #used = 0;

  /** `limit` in bytes; left out, a sixteenth of what the heap may take. */
  constructor(limit: number = Math.floor(getHeapStatistics().heap_size_limit * HEAP_SHARE)) {
    this.limit = limit;
  }

  /** Bytes of blocks that are taken. */
  get used(): number {
    return this.#used;
  }

  /** Bytes that one body may hold at present. */
  get share(): number {
    const { limit } = this;
    if (this.#used >= limit) return 0;
    return Math.floor(Math.max(limit * LEAST_SHARE, (limit / 2 - this.#used) * BODY_SHARE));
  }

  /** A block for about `bytes`, at most 64 KiB. Never refused: the caller checks `share` first. */
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

/** Part of a body, in the order in which it came. Its owner empties it: by shift() or by clear(). */
export class Collector {
  /** Bytes that are here. */
  length = 0;
  readonly #budget: BodyBudget;
  #blocks: Block[] = [];
  /** Bytes of the blocks. */
  #taken = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** Bytes that it may take yet, where its owner bounds it to `most`; 0 or less: none. */
  room(most: number): number {
    const last = this.#blocks.at(-1);
    const free = last === undefined ? 0 : last.buffer.length - last.length;
    return Math.min(most - this.length, Math.max(0, this.#budget.share - this.#taken) + free);
  }

  /** Copies buffer[start, end). What has come is taken, also beyond the room: that bounds what is asked for. */
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

  /** Takes out the oldest bytes; undefined when there are none. The block is the caller's, and goes to the budget's give(). */
  shift(): Block | undefined {
    const block = this.#blocks.shift();
    if (block === undefined) return undefined;
    this.length -= block.length;
    this.#taken -= block.buffer.length;
    return block;
  }

  /** Gives all memory back. */
  clear(): void {
    for (const block of this.#blocks) this.#budget.give(block);
    this.#blocks = [];
    this.length = 0;
    this.#taken = 0;
  }
}
