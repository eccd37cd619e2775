/** What has come from a client and is not used up yet, and the body of the request that is being read from it. */
import { BodyReader } from './body.js';
import { LF } from './chars.js';

/** Up to this size what is here is decoded whole; in more of it the end of the head is looked for first. */
const DECODE_WHOLE = 2 * 1024;

/** What is left of a request's body after its reply: read and thrown away up to here, so that the connection can be kept. */
export const DRAIN_BYTES = 256 * 1024;

const EMPTY = Buffer.alloc(0);

export class Intake {
  readonly body = new BodyReader();
  #buffer: Buffer | undefined = undefined;
  #at = 0;
  #lineCame = true;

  push(chunk: Buffer): void {
    if (this.#buffer === undefined) {
      this.#buffer = chunk;
      this.#lineCame = true;
    } else {
      this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at), chunk]);
      this.#lineCame = chunk.includes(LF);
    }
    this.#at = 0;
  }

  /**
   * Whether a head that was incomplete before the last push may be complete, or too long, now. Nobody may have one read
   * again and again by sending it byte by byte.
   */
  headMayEnd(max: number): boolean {
    return this.#lineCame || (this.#buffer ?? EMPTY).length - this.#at >= max;
  }

  get empty(): boolean {
    return this.#buffer === undefined;
  }

  /** What may be a head, as latin1: at most `max` bytes and a few more, so that one that is too long shows. */
  text(max: number): string {
    const buffer = this.#buffer ?? EMPTY;
    const from = this.#at;
    let to = buffer.length;
    if (to - from > DECODE_WHOLE) {
      const blank = buffer.indexOf('\r\n\r\n', from, 'latin1');
      to = Math.min(blank < 0 ? to : blank + 4, from + max + 4);
    }
    return buffer.toString('latin1', from, to);
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#buffer !== undefined && this.#at >= this.#buffer.length) this.#buffer = undefined;
  }

  /** The payload of the body that is here; empty when only framing was. Look at body.failed and body.done afterwards. */
  payload(): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined) return EMPTY;
    const used = this.body.take(buffer, this.#at, buffer.length);
    this.skip(used - this.#at);
    return buffer.subarray(this.body.start, this.body.end);
  }

  /**
   * Whether the rest of the body is worth waiting for, so that the next request can be read behind it. `doubtful`: the
   * client may leave the body out. `taken`: somebody reads it.
   */
  willEnd(doubtful: boolean, taken: boolean): boolean {
    const { done, kind, left } = this.body;
    return done || (!doubtful && (taken || (kind === 'length' && left <= DRAIN_BYTES)));
  }

  /** Everything that is here, as it is; undefined for nothing. */
  takeAll(): Buffer | undefined {
    const all = this.#buffer?.subarray(this.#at);
    this.#buffer = undefined;
    return all;
  }
}
