/** Reads replies on a connection with one request at a time: their status and their end. */

/** Finds the end of a reply; supports only what the origins of the benchmark send through gateways. */
export class ReplyCounter {
  status = 0;
  /** Bytes of the body so far. */
  bytes = 0;
  #head: Buffer | undefined;
  #left = 0;
  #inBody = false;
  #chunked = false;
  #tail = '';

  /** Returns true if `data` ends the reply, and resets itself for the next one. */
  take(data: Buffer): boolean {
    if (this.#inBody) return this.#body(data);
    const seen = this.#head ? Buffer.concat([this.#head, data]) : data;
    const end = seen.indexOf('\r\n\r\n');
    if (end < 0) {
      // A copy: `data` may be a buffer that the next read writes into.
      this.#head = Buffer.from(seen);
      return false;
    }
    this.#head = undefined;
    const head = seen.toString('latin1', 0, end + 2);
    this.status = Number(head.slice(9, 12));
    if (this.status === 100) return this.take(seen.subarray(end + 4));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    this.#chunked = length === undefined;
    this.#left = Number(length ?? 0);
    this.bytes = 0;
    this.#tail = '';
    this.#inBody = true;
    return this.#body(seen.subarray(end + 4));
  }

  #body(data: Buffer): boolean {
    this.bytes += data.length;
    let ended: boolean;
    if (this.#chunked) {
      this.#tail = (this.#tail + data.toString('latin1', Math.max(0, data.length - 7))).slice(-7);
      ended = this.#tail === '\r\n0\r\n\r\n' || this.#tail === '0\r\n\r\n';
    } else {
      this.#left -= data.length;
      ended = this.#left <= 0;
    }
    if (ended) this.#inBody = false;
    return ended;
  }
}
