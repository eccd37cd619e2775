/**
 * Locks in shared memory, one word each, for sections of a few dozen instructions. A word is 0 while the lock is free;
 * otherwise it is the ticket of the acquisition that holds it, and a bit that is set while threads wait:
 *
 *     | ticket: 30 bits | waiters: 1 bit |
 *
 * A thread that is terminated inside a section leaves its word held. A waiter takes the lock over if one ticket has held
 * it longer than a running holder needs, so an ended thread never blocks the others. Tickets keep two mistakes out: a
 * waiter that only lost many races never takes a lock over, and of several waiters one does.
 */
import { threadId } from 'node:worker_threads';

const FREE = 0;
const WAITERS = 1;

/** Attempts before a waiter sleeps: the holder may need the core. */
const SPINS = 200;

/** Milliseconds. On an overloaded machine a live holder is descheduled for tens of them. */
const TAKE_OVER_AFTER = 500;

const THREAD_BITS = 10;
const COUNT_MASK = (1 << (30 - THREAD_BITS)) - 1;

export class SharedLocks {
  readonly #words: Int32Array<ArrayBufferLike>;
  readonly #takeOverAfter: number;
  /** The high bits of this thread's tickets. */
  readonly #thread = (threadId & ((1 << THREAD_BITS) - 1)) << (31 - THREAD_BITS);
  #count = 0;
  /** The word as this thread wrote it when it acquired the lock. A thread holds one lock of an instance at a time. */
  #held = 0;

  constructor(words: Int32Array<ArrayBufferLike>, takeOverAfter: number = TAKE_OVER_AFTER) {
    this.#words = words;
    this.#takeOverAfter = takeOverAfter;
  }

  /** Waits until this thread has the lock. True if it was taken over from an ended thread. */
  acquire(index: number): boolean {
    this.#count = (this.#count + 1) & COUNT_MASK;
    // The main thread's bits are 0, and its count passes 0: a ticket is never FREE.
    const word = this.#thread | (this.#count << 1) || COUNT_MASK << 1;
    this.#held = word;
    if (Atomics.compareExchange(this.#words, index, FREE, word) === FREE) return false;
    return this.#acquireSlowly(index, word);
  }

  /** False, and no effect, if another thread took the lock over meanwhile. */
  release(index: number): boolean {
    const word = this.#held;
    if (Atomics.compareExchange(this.#words, index, word, FREE) === word) return true;
    const awaited = word | WAITERS;
    if (Atomics.compareExchange(this.#words, index, awaited, FREE) !== awaited) return false;
    Atomics.notify(this.#words, index, 1);
    return true;
  }

  #acquireSlowly(index: number, word: number): boolean {
    const words = this.#words;
    for (let spin = 0; spin < SPINS; spin++) {
      if (Atomics.load(words, index) !== FREE) continue;
      if (Atomics.compareExchange(words, index, FREE, word) === FREE) return false;
    }
    // Others may wait as well: they are woken when this thread releases the lock.
    const mine = word | WAITERS;
    let holder = FREE;
    let deadline = 0;
    for (;;) {
      const seen = Atomics.load(words, index);
      if (seen === FREE) {
        if (Atomics.compareExchange(words, index, FREE, mine) === FREE) return false;
        continue;
      }
      const awaited = seen | WAITERS;
      if (awaited !== holder) {
        holder = awaited;
        deadline = performance.now() + this.#takeOverAfter;
      } else if (performance.now() > deadline && Atomics.compareExchange(words, index, seen, mine) === seen)
        return true;
      if (seen !== awaited && Atomics.compareExchange(words, index, seen, awaited) !== seen) continue;
      Atomics.wait(words, index, awaited, 1);
    }
  }
}
