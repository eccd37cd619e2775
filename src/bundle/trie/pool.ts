/** Buffers of buildTrie: a growing byte pool and interned strings. */

export class BytePool {
  #bytes = new Uint8Array(1024);
  #length = 0;
  readonly #encoder = new TextEncoder();

  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  add(bytes: ArrayLike<number>): number {
    const at = this.#length;
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    this.#length += bytes.length;
    return at;
  }

  addText(text: string): { at: number; length: number } {
    const bytes = this.#encoder.encode(text);
    return { at: this.add(bytes), length: bytes.length };
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

export class StringTable {
  readonly #indices = new Map<string, number>();
  readonly words: number[] = [];

  constructor(private readonly pool: BytePool) {}

  intern(text: string): number {
    const known = this.#indices.get(text);
    if (known !== undefined) return known;
    const index = this.#indices.size;
    this.#indices.set(text, index);
    const { at, length } = this.pool.addText(text);
    this.words.push(at, length);
    return index;
  }
}
