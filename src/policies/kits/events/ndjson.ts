/** NDJSON: a JSON value in each line. */

import { Held } from './held.js';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Splits a stream into lines. Lines end in LF or CRLF; empty ones are left out. Memory is bounded by one line.
 *
 *     const lines = new NdjsonSplitter(64 << 10, (line) => { ... });
 *     if (!lines.write(chunk)) fail();        // a line is too long
 *     if (!lines.end()) fail();
 */
export class NdjsonSplitter {
  readonly #maxBytes: number;
  readonly #onLine: (line: Buffer) => void;
  readonly #held = new Held();
  #failed = false;

  /** `maxBytes` of a line without its end. `onLine` gets bytes that are valid until it returns. */
  constructor(maxBytes: number, onLine: (line: Buffer) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  /** False if a line is too long; then nothing more is read. */
  write(bytes: Uint8Array): boolean {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let start = 0;
    while (!this.#failed) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end < 0) break;
      this.#line(chunk.subarray(start, end));
      start = end + 1;
    }
    if (this.#failed) return false;
    const rest = chunk.subarray(start);
    // The end of a line may be CRLF.
    if (this.#held.length + rest.length > this.#maxBytes + 1) return this.#fail();
    this.#held.add(rest);
    return true;
  }

  /** The last line needs no end. False if a line was too long. */
  end(): boolean {
    if (!this.#failed) this.#line(Buffer.alloc(0));
    return !this.#failed;
  }

  #line(last: Buffer): void {
    let line = this.#held.take(last);
    if (line.at(-1) === CARRIAGE_RETURN) line = line.subarray(0, -1);
    if (line.length > this.#maxBytes) this.#fail();
    else if (line.length > 0) this.#onLine(line);
  }

  #fail(): false {
    this.#failed = true;
    this.#held.clear();
    return false;
  }
}

/** `json`: compact JSON, as `writeJsonText` makes it. */
export const ndjsonLine = (json: string): string => `${json}\n`;
