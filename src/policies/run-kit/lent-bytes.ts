/** A reply body in memory that is only lent, such as that of a store which all workers share. */
import type { BodyOut, BodySource } from '../contract.js';

/** Bytes that are passed on at once, for a stage or for a client that reads slowly. */
const SLICE = 64 * 1024;

/**
 * Sends bytes that must be given back: `giveBack` runs once, when the system has taken them or they are not needed. A client
 * connection writes them without a copy; for everything else it is a stream.
 */
export class LentBytes implements BodySource {
  readonly length: number;
  readonly parts: readonly Uint8Array[];
  #giveBack: (() => void) | undefined;
  #part = 0;
  #at = 0;

  /** `length`: bytes of all parts together. */
  constructor(parts: readonly Uint8Array[], length: number, giveBack: () => void) {
    this.parts = parts;
    this.length = length;
    this.#giveBack = giveBack;
  }

  start(out: BodyOut): void {
    while (this.#giveBack !== undefined) {
      const part = this.parts[this.#part];
      if (part === undefined) {
        this.discard();
        out.end();
        return;
      }
      const slice = part.subarray(this.#at, this.#at + SLICE);
      this.#at += slice.length;
      if (this.#at >= part.length) {
        this.#part++;
        this.#at = 0;
      }
      if (out.write(slice)) continue;
      out.onWritable(() => this.start(out));
      return;
    }
  }

  /** The bytes are not read any more. Idempotent. */
  discard(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }
}
