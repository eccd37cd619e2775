/** Lines that wait to be written: whole batches in order, of which the first may be written in part. */

interface Batch {
  readonly bytes: Uint8Array;
  readonly lines: number;
}

/** Batches that are written are let go of when there are so many. */
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

  /** What is to be written next: the rest of the first batch; with `most`, whole lines up to so many bytes, at least one. */
  next(most = Number.POSITIVE_INFINITY): Uint8Array | undefined {
    const batch = this.#batches[this.#first];
    if (batch === undefined) return undefined;
    const { bytes } = batch;
    if (bytes.length - this.#offset <= most) return bytes.subarray(this.#offset);
    const last = bytes.lastIndexOf(NEWLINE, this.#offset + most - 1);
    const end = last >= this.#offset ? last : bytes.indexOf(NEWLINE, this.#offset);
    return bytes.subarray(this.#offset, end + 1);
  }

  /** So many bytes of next() are written. */
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

  /** A line that is written in part is to be written again from its start. */
  rewind(): void {
    const batch = this.#batches[this.#first];
    if (batch === undefined || this.#offset === 0) return;
    const start = batch.bytes.lastIndexOf(NEWLINE, this.#offset - 1) + 1;
    this.#waiting += this.#offset - start;
    this.#offset = start;
  }

  /** Forgets all of it; returns how many lines that were. */
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
