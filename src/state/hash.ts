/**
 * A seeded 64-bit hash of text, as two 32-bit words: multiply and rotate one code unit at a time, two lanes with different
 * constants. Not for secrets; the random seed prevents chosen collisions. Writes in place, without allocation.
 */
export class TextHash {
  low = 0;
  high = 0;

  /** Continues from two words: a seed, or the hash of the preceding text. */
  update(low: number, high: number, text: string): this {
    let a = low ^ 0x9e3779b9;
    let b = high ^ 0x85ebca6b;
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at);
      a = Math.imul(a ^ unit, 0xcc9e2d51);
      a = (a << 15) | (a >>> 17);
      b = Math.imul(b ^ unit, 0x1b873593);
      b = (b << 13) | (b >>> 19);
    }
    a ^= text.length;
    this.low = finish(a ^ Math.imul(b, 0x27d4eb2f));
    this.high = finish(b ^ Math.imul(a, 0x165667b1));
    return this;
  }
}

/** Spreads the bits of a word over the whole word. */
export function finish(word: number): number {
  let h = word ^ (word >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
