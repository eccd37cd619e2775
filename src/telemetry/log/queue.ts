/** Lines that wait to be written: batches in order; the first may be partly written. */

interface Batch {
  readonly bytes: Uint8Array;
  readonly lines: number;
}

/** Written batches are removed when there are this many. */
const COMPACT_AFTER = 1024;
const NEWLINE = 0x0a;

export class LogQueue {
  readonly #maxBytes: number;
  #batches: Batch[] = [];
  #first = 0;
  /** Bytes of the first batch that are written. */
  #offset = 0;
  #waiting = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get isEmpty(): boolean {
    return this.#first === this.#batches.length;
  }

  /** Whether the last write ended within a line. */
  get isWithinLine(): boolean {
    const batch = this.#batches[this.#first];
    return batch !== undefined && this.#offset > 0 && batch.bytes[this.#offset - 1] !== NEWLINE;
  }

  /** Takes whole lines; the bytes are kept. False: the queue is full, and they were not taken. */
  add(bytes: Uint8Array, lines: number): boolean {
    if (this.#waiting + bytes.length > this.#maxBytes) return false;
    this.#batches.push({ bytes, lines });
    this.#waiting += bytes.length;
    return true;
  }

  /** The next bytes to write: the rest of the first batch; with `most`, whole lines up to that size, at least one. */
  next(most = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    const batch = this.#batches[this.#first];
    if (batch === undefined) return undefined;
    const { bytes } = batch;
    if (bytes.length - this.#offset <= most) return bytes.subarray(this.#offset);
    const last = bytes.lastIndexOf(NEWLINE, this.#offset + most - 1);
    const end = last >= this.#offset ? last : bytes.indexOf(NEWLINE, this.#offset);
    return bytes.subarray(this.#offset, end + 1);
  }

  /** `written` bytes of next() are written. */
  advance(written: number): void {
    const batch = this.#batches[this.#first];
    if (batch === undefined) return;
    this.#offset += written;
    this.#waiting -= written;
    if (this.#offset < batch.bytes.length) return;
    this.#first++;
    this.#offset = 0;
    if (this.#first < COMPACT_AFTER && !this.isEmpty) return;
    this.#batches = this.#batches.slice(this.#first);
    this.#first = 0;
  }

  /** Repeats a partly written line from its start. */
  rewind(): void {
    const batch = this.#batches[this.#first];
    if (batch === undefined || this.#offset === 0) return;
    const start = batch.bytes.lastIndexOf(NEWLINE, this.#offset - 1) + 1;
    this.#waiting += this.#offset - start;
    this.#offset = start;
  }

  /** Drops all lines; returns their number. */
  clear(): number {
    let lines = 0;
    for (const [index, batch] of this.#batches.slice(this.#first).entries()) {
      lines += index === 0 ? linesIn(batch.bytes.subarray(this.#offset)) : batch.lines;
    }
    this.#batches = [];
    this.#first = 0;
    this.#offset = 0;
    this.#waiting = 0;
    return lines;
  }
}

function linesIn(bytes: Uint8Array): number {
  let lines = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++;
  return lines;
}
