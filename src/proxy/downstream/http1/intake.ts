/** What has come from a client and is not used up yet, and the body of the request that is being read from it. */
import { BodyReader } from '../../http/body.js';
import { CR, LF } from '../../http/chars.js';

/** Up to this size what is here is decoded whole; in more of it the end of the head is looked for first. */
const DECODE_WHOLE = 2 * 1024;

/** What is left of a request's body after its reply: read and thrown away up to here, so that the connection can be kept. */
export const DRAIN_BYTES = 256 * 1024;

const EMPTY = Buffer.alloc(0);

export class Intake {
  readonly body = new BodyReader();
  #buffer: Buffer | undefined = undefined;
  /** What is not used up: buffer[at, end). */
  #at = 0;
  #end = 0;
  /** The buffer is another's, who reads into it again. */
  #lent = false;
  /** Since text() was looked at. */
  #lineCame = true;

  /** Takes in buffer[0, count). Where it is only `lent`, keep() must follow before anybody reads into it again. */
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

  /** Copies what was lent and is not used up. */
  keep(): void {
    if (!this.#lent || this.#buffer === undefined) return;
    this.#buffer = Buffer.from(this.#buffer.subarray(this.#at, this.#end));
    this.#end = this.#buffer.length;
    this.#at = 0;
    this.#lent = false;
  }

  /**
   * Whether a head that was incomplete in the last text() may be complete, or too long, now. Nobody may have one read again
   * and again by sending it byte by byte.
   */
  headMayEnd(max: number): boolean {
    return this.#lineCame || this.#end - this.#at >= max;
  }

  get empty(): boolean {
    return this.#buffer === undefined;
  }

  /** What may be a head, as latin1: at most `max` bytes and a few more, so that one that is too long shows. */
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

  /** Whether what is here, a head that is refused, asks by HEAD: RFC 9110 section 9.3.2 wants no body in reply. */
  get beginsWithHead(): boolean {
    return /^(\r\n)?HEAD /.test(this.text(8));
  }

  /** Whether nothing but an empty line is here, which some clients send behind a body. */
  get blank(): boolean {
    return this.#end - this.#at === 2 && this.#buffer?.[this.#at] === CR && this.#buffer[this.#at + 1] === LF;
  }

  skip(count: number): void {
    this.#at += count;
    if (this.#at >= this.#end) this.#buffer = undefined;
  }

  /**
   * The payload of the body that is here; empty when only framing was. Look at body.failed and body.done afterwards.
   * Valid until keep().
   */
  payload(): Buffer {
    const buffer = this.#buffer;
    if (buffer === undefined) return EMPTY;
    const used = this.body.take(buffer, this.#at, this.#end);
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

  /** Everything that is here, as it is, for the caller to keep; undefined for nothing. */
  takeAll(): Buffer | undefined {
    this.keep();
    const all = this.#buffer?.subarray(this.#at, this.#end);
    this.#buffer = undefined;
    return all;
  }
}
