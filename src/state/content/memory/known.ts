/** Decoded facts by key, in one worker: two maps of a bounded size, of which the older one is dropped as a whole. */

/** Contents of one map, and the sum of their sizes: a worker has at most twice as much, for each identity. */
const MAX_CONTENTS = 4096;
const MAX_SIZE = 4 * 1024 * 1024;

export class KnownContents<Known> {
  #young = new Map<string, Known>();
  #old = new Map<string, Known>();
  /** Of `#young`. */
  #size = 0;

  get(key: string): Known | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  /** `size`: characters of key and facts. */
  set(key: string, known: Known, size: number): void {
    if (this.#young.size >= MAX_CONTENTS || this.#size + size > MAX_SIZE) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#size = 0;
    }
    if (size > MAX_SIZE) return;
    this.#young.set(key, known);
    this.#old.delete(key);
    this.#size += size;
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }
}
