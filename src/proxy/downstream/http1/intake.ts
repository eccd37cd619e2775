/** Unread input of a client, and the body of the present request. */
import { BodyReader } from '../../http/body.js';
import { CR, LF } from '../../http/chars.js';

/** Up to this size, input is decoded whole; in larger input, the end of the head is searched first. */
const DECODE_WHOLE = 2 * 1024;

/** Bytes of an unread request body that are read and dropped after the reply, to keep the connection. */
export const DRAIN_BYTES = 256 * 1024;

const EMPTY = Buffer.alloc(0);

export class Intake {
  readonly body = new BodyReader();
  #buffer: Buffer | undefined = undefined;
  /** Unread input: buffer[at, end). */
  #at = 0;
  #end = 0;
  /** The buffer belongs to the socket, which reads into it again. */
  #lent = false;
  /** A line feed has come since the last text(). */
  #lineCame = true;

  /** Adds buffer[0, count). If it is only `lent`, keep() must follow before the socket reads again. */
  push(buffer: Buffer, count: number, lent: boolean): void {
    if (this.#buffer === undefined) {
      this.#buffer = buffer;
      this.#end = count;
      this.#lent = lent;
      this.#lineCame = true;
    } else {
      const chunk = buffer.subarray(0, count);
      this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at, this.#end), chunk]);
      this.#end = this.#buffer.length;
      this.#lent = false;
      this.#lineCame ||= chunk.includes(LF);
    }
    this.#at = 0;
  }

  /** Copies unread input out of a lent buffer. */
  keep(): void {
    if (!this.#lent || this.#buffer === undefined) return;
    this.#buffer = Buffer.from(this.#buffer.subarray(this.#at, this.#end));
    this.#end = this.#buffer.length;
    this.#at = 0;
    this.#lent = false;
  }

  /**
   * Whether a head that was incomplete at the last text() may now be complete, or too long. A client that sends single bytes
   * must not cause a scan for each.
   */
  headMayEnd(max: number): boolean {
    return this.#lineCame || this.#end - this.#at >= max;
  }

  get empty(): boolean {
    return this.#buffer === undefined;
  }

  /** Input that may be a head, as latin1: slightly more than `max` bytes, to detect a head that is too long. */
  text(max: number): string {
    const buffer = this.#buffer ?? EMPTY;
    this.#lineCame = false;
    const from = this.#at;
    let to = this.#end;
    if (to - from > DECODE_WHOLE) {
      const blank = buffer.indexOf('\r\n\r\n', from, 'latin1');
      to = Math.min(blank < 0 ? to : blank + 4, to, from + max + 4);
    }
    return buffer.toString('latin1', from, to);
  }

  /** The first bytes of the input as latin1, at most `most`. */
  peek(most: number): string {
    return (this.#buffer ?? EMPTY).toString('latin1', this.#at, Math.min(this.#at + most, this.#end));
  }

  /** Whether the refused head is a HEAD request, whose reply has no body: RFC 9110 section 9.3.2. */
  get beginsWithHead(): boolean {
    return /^(\r\n)?HEAD /.test(this.text(8));
  }

  /** Whether the input is a single empty line, which some clients send after a body. */
  get blank(): boolean {
    return this.#end - this.#at === 2 && this.#buffer?.[this.#at] === CR && this.#buffer[this.#at + 1] === LF;
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#at >= this.#end) this.#buffer = undefined;
  }

  /** The payload of the body in the input; may be empty. Check body.failed and body.done afterwards. Valid until keep(). */
  payload(): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined) return EMPTY;
    const used = this.body.take(buffer, this.#at, this.#end);
    this.skip(used - this.#at);
    return buffer.subarray(this.body.start, this.body.end);
  }

  /**
   * Whether to wait for the rest of the body, so that the next request can be read after it. `doubtful`: the client may leave
   * the body out. `taken`: a sink reads it.
   */
  willEnd(doubtful: boolean, taken: boolean): boolean {
    const { done, kind, left } = this.body;
    return done || (!doubtful && (taken || (kind === 'length' && left <= DRAIN_BYTES)));
  }

  /** Removes all input and returns it for the caller to keep; undefined for none. */
  takeAll(): Buffer | undefined {
    this.keep();
    const all = this.#buffer?.subarray(this.#at, this.#end);
    this.#buffer = undefined;
    return all;
  }
}
