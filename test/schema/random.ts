import { seeded } from '../support/random.js';

/** Seeded random choices, so that a failing case can be run again. */
export class Random {
  readonly #next: () => number;
  constructor(seed: number) {
    this.#next = seeded(seed);
  }
  /** From 0 up to, not including, `limit`. */
  below(limit: number): number {
    return (this.#next() * 2 ** 32) % limit;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}
