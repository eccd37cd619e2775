/** The bytes of an unfinished line. One buffer that grows, because a client may send each byte in a chunk of its own. */
export class Held {
  #buffer = Buffer.alloc(0);
  length = 0;

  add(bytes: Buffer): void {
    const needed = this.length + bytes.length;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length, 64));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, this.length);
    this.length = needed;
  }

  /** What is held and these bytes behind it. Valid until the next `add`. */
  take(last: Buffer): Buffer {
    if (this.length === 0) return last;
    this.add(last);
    const all = this.#buffer.subarray(0, this.length);
    this.length = 0;
    return all;
  }

  clear(): void {
    this.#buffer = Buffer.alloc(0);
    this.length = 0;
  }
}
