/**
 * Memory for body bytes: blocks of 16, 32 and 64 KiB, so that bytes that wait for a slow reader take at most twice their
 * size. Blocks are reused. The blocks that many slow clients need at once come from slabs, which the system gets back whole.
 */

/** Bytes of the largest block: the size of the read buffers of a thread. */
export const BLOCK = 64 * 1024;
/** Blocks of each size that are kept for the next write: 2 MiB in all. */
const MOST_KEPT = [32, 16, 16];
/** Bytes of blocks that are allocated one by one; further blocks come from slabs. */
const SINGLES = 4 * 1024 ** 2;
/**
 * Cells of a slab, 64 KiB each. glibc returns freed memory only from the end of its heap, so one small object allocated
 * after the blocks keeps all of them resident. An allocation of more than 32 MiB always gets a mapping of its own, which is
 * unmapped when it is freed; pages of it that were never written take no memory.
 */
const CELLS = 513;
const SLAB = CELLS * BLOCK;

class Slab {
  readonly memory = new ArrayBuffer(SLAB);
  /** Cells that were given back. */
  readonly #free: number[] = [];
  /** The first cell that was never taken. */
  #fresh = 0;

  take(bytes: number): Buffer | undefined {
    const cell = this.#free.pop() ?? this.#fresh;
    if (cell === CELLS) return undefined;
    if (cell === this.#fresh) this.#fresh++;
    return Buffer.from(this.memory, cell * BLOCK, bytes);
  }

  give(block: Buffer): void {
    this.#free.push(block.byteOffset / BLOCK);
  }
}

const sizeOf = (bytes: number): 0 | 1 | 2 => (bytes > BLOCK / 2 ? 2 : bytes > BLOCK / 4 ? 1 : 0);

/** The blocks of a thread. */
export class BlockPool {
  readonly #kept: readonly Buffer[][] = [[], [], []];
  #slabs: Slab[] = [];
  #inUse = 0;
  /** Bytes of blocks that were allocated one by one, kept ones included. */
  #singles = 0;
  /** Bytes of blocks in slabs, kept ones included. */
  #slabbed = 0;

  /** Bytes of blocks that are taken. */
  get inUse(): number {
    return this.#inUse;
  }

  /** Bytes of slabs outside any block: V8 counts them as memory outside its heap. */
  get spare(): number {
    return this.#slabs.length * SLAB - this.#slabbed;
  }

  /** A block of 16, 32 or 64 KiB, the smallest that holds `bytes` (at most 64 KiB). Return it with give(). */
  take(bytes: number): Buffer {
    const size = sizeOf(bytes);
    const block = this.#kept[size]!.pop() ?? this.#make(BLOCK >> (2 - size));
    this.#inUse += block.length;
    return block;
  }

  #make(bytes: number): Buffer {
    if (this.#singles + bytes <= SINGLES) {
      this.#singles += bytes;
      return Buffer.allocUnsafeSlow(bytes);
    }
    const block = this.#fromSlab(bytes);
    this.#slabbed += bytes;
    return block;
  }

  /** The oldest slab first, so that the others can empty. */
  #fromSlab(bytes: number): Buffer {
    for (const slab of this.#slabs) {
      const block = slab.take(bytes);
      if (block !== undefined) return block;
    }
    const slab = new Slab();
    this.#slabs.push(slab);
    return slab.take(bytes)!;
  }

  /** Takes back an unreferenced block of take(), for reuse or to free it. */
  give(block: Buffer): void {
    const bytes = block.length;
    this.#inUse -= bytes;
    const single = block.buffer.byteLength === bytes;
    const slab = single ? undefined : this.#slabOf(block);
    // Its slab was released, and is freed with the last of its blocks.
    if (!single && slab === undefined) return;
    const size = sizeOf(bytes);
    const kept = this.#kept[size]!;
    if (kept.length < MOST_KEPT[size]!) kept.push(block);
    else if (slab === undefined) this.#singles -= bytes;
    else {
      this.#slabbed -= bytes;
      slab.give(block);
    }
  }

  #slabOf({ buffer }: Buffer): Slab | undefined {
    for (const slab of this.#slabs) if (slab.memory === buffer) return slab;
    return undefined;
  }

  /** Drops all kept memory: the next garbage collection frees it, a slab once none of its blocks is taken. */
  release(): void {
    for (const blocks of this.#kept) {
      for (const block of blocks) if (block.buffer.byteLength === block.length) this.#singles -= block.length;
      blocks.length = 0;
    }
    this.#slabs = [];
    this.#slabbed = 0;
  }
}

/** The pool of this thread, shared by all its data planes. */
export const blocks = new BlockPool();
