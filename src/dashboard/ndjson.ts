const NEWLINE = 0x0a;

/** A line is longer than the reader's bound. */
export class LineTooLong extends Error {
  constructor(readonly maxBytes: number) {
    super(`a line of the event stream is longer than ${maxBytes} bytes`);
  }
}

/**
 * Cuts a byte stream into lines, holding at most `maxBytes` of an unfinished one. Chunks of a long line are joined once,
 * at its end, so a line costs time linear in its length however it was split.
 */
export class LineReader {
  #parts: Uint8Array[] = [];
  #held = 0;

  constructor(readonly maxBytes: number) {}

  /** The lines that `chunk` completes, without empty ones. Throws LineTooLong. */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    while (start < chunk.length) {
      const end = chunk.indexOf(NEWLINE, start);
      const stop = end === -1 ? chunk.length : end;
      if (this.#held + stop - start > this.maxBytes) throw new LineTooLong(this.maxBytes);
      this.#parts.push(chunk.subarray(start, stop));
      this.#held += stop - start;
      if (end === -1) break;
      if (this.#held > 0) lines.push(Buffer.concat(this.#parts).toString('utf8'));
      this.#parts = [];
      this.#held = 0;
      start = end + 1;
    }
    return lines;
  }
}
