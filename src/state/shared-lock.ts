/**
 * Locks in shared memory, one word each, for sections of a few dozen instructions: 0 free, 1 held, 2 held and waited for.
 * A thread that dies inside a section (a terminated worker) leaves its word held; whoever waits longer than any live
 * holder could need takes the lock over, so one death never stops the others.
 */
const FREE = 0;
const HELD = 1;
const CONTENDED = 2;

/** Tries before a waiter gives its core away: the holder may need it. */
const SPINS = 200;

/** Milliseconds. A live holder is off its core for a few at most. */
const TAKE_OVER_AFTER = 200;

export class SharedLocks {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #takeOverAfter: number;

  constructor(words: Int32Array<ArrayBufferLike>, takeOverAfter: number = TAKE_OVER_AFTER) {
    this.#words = words;
    this.#takeOverAfter = takeOverAfter;
  }

  /** Waits until the lock is this thread's. True when it was taken over from a holder that never came back. */
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
