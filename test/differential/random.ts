import { seeded } from '../support/random.js';

/** Seeded randomness: the same seed makes the same specs and requests on every machine. */

export class Random {
  readonly next: () => number;

  constructor(seed: number) {
    this.next = seeded(seed);
  }

  /** 0 to `below` - 1. */
  index(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.index(items.length)];
    if (item === undefined) throw new Error('The list is empty.');
    return item;
  }

  /** Up to `most` different items, in the order of the list. */
  some<T>(items: readonly T[], most: number): T[] {
    const count = this.index(most + 1);
    return items.filter(() => this.chance(count / Math.max(1, items.length)));
  }
}
