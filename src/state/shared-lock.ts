/**
 * Locks in shared memory, one word each, for sections of a few dozen instructions: 0 free, 1 held, 2 held with waiters. A
 * thread that is terminated inside a section leaves its word held; a waiter takes the lock over after a time longer than any
 * running holder needs, so an ended thread never blocks the others.
 */
const FREE = 0;
const HELD = 1;
const CONTENDED = 2;

/** Attempts before a waiter sleeps: the holder may need the core. */
const SPINS = 200;

/** Milliseconds. A running holder is descheduled for a few at most. */
const TAKE_OVER_AFTER = 200;

export class SharedLocks {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #takeOverAfter: number;

  constructor(words: Int32Array<ArrayBufferLike>, takeOverAfter: number = TAKE_OVER_AFTER) {
    this.#words = words;
    this.#takeOverAfter = takeOverAfter;
  }

  /** Waits until this thread has the lock. True if it was taken over from an ended thread. */
  acquire(index: number): boolean {
    if (Atomics.compareExchange(this.#words, index, FREE, HELD) === FREE) return false;
    return this.#acquireSlowly(index);
  }

  release(index: number): void {
    if (Atomics.exchange(this.#words, index, FREE) === CONTENDED) Atomics.notify(this.#words, index, 1);
  }

  #acquireSlowly(index: number): boolean {
    const words = this.#words;
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.load(words, index) !== FREE) continue;
      if (Atomics.compareExchange(words, index, FREE, HELD) === FREE) return false;
    }
    const deadline = performance.now() + this.#takeOverAfter;
    while (Atomics.exchange(words, index, CONTENDED) !== FREE) {
      if (performance.now() > deadline) return true;
      Atomics.wait(words, index, CONTENDED, 1);
    }
    return false;
  }
}
