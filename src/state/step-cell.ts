/**
 * Which custom step each worker runs now, in shared memory: another thread samples it and reports steps that take long.
 * A cell is one 32-bit word: 0 for none, otherwise a count of entries and the number of the step.
 */

/** Bits of a cell for the number of a step. */
const NUMBER_BITS = 12;
const NUMBER_MASK = (1 << NUMBER_BITS) - 1;

/** The cell of one worker, or one of its own without shared memory. */
export class StepCell {
  readonly #words: Int32Array;
  readonly #at: number;
  #numbers: ReadonlyMap<string, number> = new Map();
  #entries = 0;

  /** @param worker index from 0 */
  constructor(memory: SharedArrayBuffer | ArrayBuffer = new ArrayBuffer(4), worker = 0) {
    this.#words = new Int32Array(memory);
    this.#at = worker;
  }

  /** Memory for the cells of so many workers. */
  static allocate(workers: number): SharedArrayBuffer {
    return new SharedArrayBuffer(4 * workers);
  }

  /** The numbers of steps by name, as control has assigned them. */
  adopt(numbers: ReadonlyMap<string, number> | undefined): void {
    if (numbers !== undefined) this.#numbers = numbers;
  }

  /** 0 if the step has none; then it is not watched. */
  numberOf(name: string): number {
    return this.#numbers.get(name) ?? 0;
  }

  /** A step begins. Returns what leave() needs: the step around it. */
  enter(step: number): number {
    const words = this.#words;
    const outer = words[this.#at]!;
    this.#entries = (this.#entries + (1 << NUMBER_BITS)) | 0;
    words[this.#at] = this.#entries | step;
    return outer;
  }

  leave(outer: number): void {
    this.#words[this.#at] = outer;
  }
}

/** Numbers of custom steps by name, over all loads of a gateway. */
export class StepNumbers {
  readonly #names: string[] = [''];
  readonly #numbers = new Map<string, number>();

  /** The numbers of these names. After 4095 different names, further ones get none. */
  of(names: Iterable<string>): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    for (const name of names) {
      let number = this.#numbers.get(name);
      if (number === undefined) {
        if (this.#names.length > NUMBER_MASK) continue;
        number = this.#names.push(name) - 1;
        this.#numbers.set(name, number);
      }
      found.set(name, number);
    }
    return found;
  }

  /** The name of the step in a cell; undefined if no watched step runs. */
  nameIn(word: number): string | undefined {
    return this.#names[word & NUMBER_MASK] || undefined;
  }
}
