/** Base64 (RFC 4648 section 4) as a stream: padding may stand wherever the sender has flushed. */

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const PADDING = 0x3d;
const INVALID = 0xff;

/** The value of each byte as a character of base64; INVALID for other ones. */
const VALUES = new Uint8Array(256).fill(INVALID);
for (let value = 0; value < 64; value++) VALUES[ALPHABET.charCodeAt(value)] = value;

export class Base64Decoder {
  /** The bits of the current four characters. */
  #bits = 0;
  /** How many of them have come, with padding. */
  #count = 0;
  #padding = 0;

  /** All groups of four characters are complete. */
  get complete(): boolean {
    return this.#count === 0;
  }

  /** The bytes of all groups that are complete; undefined if this is not base64. Then it must not be used again. */
  decode(text: Uint8Array): Uint8Array | undefined {
    const bytes = Buffer.allocUnsafe(Math.floor((this.#count + text.length) / 4) * 3);
    let length = 0;
    for (const char of text) {
      if (!this.#take(char)) return undefined;
      if (this.#count < 4) continue;
      const bits = this.#bits;
      const kept = 3 - this.#padding;
      // Bits that no byte has: a sender that sets them means something else.
      if (this.#padding > 0 && (bits & ((1 << (8 * this.#padding)) - 1)) !== 0) return undefined;
      bytes[length++] = bits >>> 16;
      if (kept > 1) bytes[length++] = (bits >>> 8) & 0xff;
      if (kept > 2) bytes[length++] = bits & 0xff;
      this.#bits = 0;
      this.#count = 0;
      this.#padding = 0;
    }
    return bytes.subarray(0, length);
  }

  #take(char: number): boolean {
    const value = VALUES[char]!;
    if (value === INVALID) {
      if (char !== PADDING || this.#count < 2) return false;
      this.#padding++;
    } else if (this.#padding > 0) return false;
    this.#bits = (this.#bits << 6) | (value === INVALID ? 0 : value);
    this.#count++;
    return true;
  }
}

/**
 * Encodes frames that come in parts. Padding stands only behind whole frames, so each one is readable at once; within a frame, up to two
 * bytes wait for the next part.
 */
export class Base64Encoder {
  #rest: Uint8Array = NOTHING;

  /** `ends`: these bytes are the last ones of a frame. */
  encode(bytes: Uint8Array, ends: boolean): string {
    const all =
      this.#rest.length === 0
        ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
        : Buffer.concat([this.#rest, bytes]);
    const length = ends ? all.length : all.length - (all.length % 3);
    // The bytes belong to the caller again.
    this.#rest = length === all.length ? NOTHING : Uint8Array.from(all.subarray(length));
    return all.toString('base64', 0, length);
  }
}

const NOTHING = new Uint8Array(0);
