/** Random choices of the fuzzer, all derived from one seed, so that a case is reproducible. */
import { seeded } from '../random.js';

export class Dice {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  /** The dice of case `index`, independent of the other cases of the run. */
  static ofCase(seed: number, index: number): Dice {
    return new Dice(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(index + 1, 0xc2b2ae35));
  }

  /** A whole number from 0 to count - 1. */
  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new RangeError('The list is empty.');
    return item;
  }

  times<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index));
  }

  /** Offsets in ascending order at which a text is split; often none, sometimes every byte. */
  cuts(length: number): number[] {
    const kind = this.below(10);
    if (kind < 4 || length < 2) return [];
    if (kind === 9 && length < 160) return this.times(length - 1, (index) => index + 1);
    const cuts = new Set(this.times(1 + this.below(kind === 8 ? 12 : 3), () => 1 + this.below(length - 1)));
    return [...cuts].sort((a, b) => a - b);
  }

  /** Changes, removes, doubles or inserts one to three bytes or pieces at random places. */
  mutate(text: string, pieces: readonly string[]): string {
    let out = text;
    for (let count = this.chance(0.7) ? 1 : 2 + this.below(2); count > 0; count--) out = this.#mutateOnce(out, pieces);
    return out;
  }

  /** Replaces the end of a random line: parsers differ most in line ends. */
  breakEnd(text: string): string {
    const end = text.indexOf('\r\n', this.below(text.length));
    return end < 0 ? text : text.slice(0, end) + this.pick(ENDS) + text.slice(end + 2);
  }

  #mutateOnce(text: string, pieces: readonly string[]): string {
    const at = this.below(text.length + 1);
    const to = Math.min(text.length, at + 1 + (this.chance(0.3) ? this.below(20) : 0));
    switch (this.below(7)) {
      case 0:
        return text.slice(0, at) + text.slice(to);
      case 1:
        return text.slice(0, at) + this.pick(pieces) + text.slice(to);
      case 2:
        return text.slice(0, at) + text.slice(at, to) + text.slice(at);
      case 3:
        return text.slice(0, at) + String.fromCharCode(this.below(256)) + text.slice(at + 1);
      case 4:
        return this.breakEnd(text);
      case 5: {
        const end = text.indexOf('\r\n', at);
        return end < 0 ? text : `${text.slice(0, end)}\r\n${this.pick(pieces)}${text.slice(end)}`;
      }
      default:
        return text.slice(0, at) + this.pick(pieces) + text.slice(at);
    }
  }
}

const ENDS = [
  '\n',
  '\r',
  '\r\r\n',
  '\n\n',
  '',
  '\n\r',
  ' \r\n',
  '\0\r\n',
  '\r\n ',
  '\r\n\t',
  '\x0b\r\n',
  '\x85',
  'x\n',
  '\rx',
  ';\n',
  ';x\r',
];
