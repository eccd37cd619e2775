/**
 * Frames of WebSocket (RFC 6455 section 5.2) in one direction, found while their bytes pass. Nothing is decompressed or
 * unmasked, and no payload is kept: the reader holds at most the 13 bytes of a header whose end has not come.
 */
import { CloseCode } from './close.js';

/** How much of RSV bits and opcodes the negotiated extensions may use. */
export type Extensions = 'none' | 'deflate' | 'others';

export interface FrameBounds {
  /** Longest message in bytes on the wire; 0: no limit. */
  readonly maxMessage: number;
  /** Frames that count, per time; undefined: no limit. */
  readonly rate?: { readonly capacity: number; readonly periodMs: number } | undefined;
}

const LONGEST_HEADER = 14;
const EMPTY = Buffer.alloc(0);

export class FrameReader {
  /**
   * The close code for what is wrong; 0 while nothing is. Nothing passes from then on; after a protocol error, nothing is read
   * either.
   */
  fault = 0;
  /** What is wrong, for the log. */
  cause = '';
  /** A whole Close frame has come. Nothing passes after it (section 5.5.1). */
  closed = false;
  /** That frame has passed. */
  closePassed = false;
  /** Status code of that frame; 1005 without one. */
  closeCode = 0;
  /** Data messages that have begun. */
  messages = 0;
  /** Nothing more passes, and the last passed byte was the last one of a frame. */
  stopped = false;
  readonly #masked: boolean;
  readonly #bounds: FrameBounds;
  readonly #extensions: Extensions;
  /** The begin of a header. */
  #held: Buffer = EMPTY;
  /** Bytes of the current frame's payload that have not come. */
  #left = 0;
  /** Within a fragmented message: between frames that belong to it. */
  #inMessage = false;
  #messageBytes = 0;
  #stopping = false;
  /** The payload of the current frame is that of a Close: its place in the frame; -1: it is another one. */
  #closeAt = -1;
  readonly #mask = [0, 0, 0, 0];
  /** Tokens of the rate, and when they were counted. */
  #tokens: number;
  #countedAt = -1;

  /** `masked`: from the client (section 5.1). */
  constructor(masked: boolean, bounds: FrameBounds, extensions: Extensions) {
    this.#masked = masked;
    this.#bounds = bounds;
    this.#extensions = extensions;
    this.#tokens = bounds.rate?.capacity ?? 0;
  }

  /**
   * Reads the next bytes, and returns those that pass: all, without those of a frame that must not pass and of a header whose
   * end has not come. `now`: monotonic milliseconds, for the rate.
   */
  read(chunk: Buffer, now: number): Buffer {
    if (this.fault === CloseCode.ProtocolError || this.closed) return EMPTY;
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = EMPTY;
    let end = this.stopped ? 0 : -1;
    let at = 0;
    while (at < bytes.length) {
      if (this.#left === 0) {
        if (this.#stopping && !this.stopped) {
          this.stopped = true;
          end = at;
        }
        const length = headerLength(bytes, at);
        if (at + length > bytes.length) {
          this.#held = Buffer.from(bytes.subarray(at));
          break;
        }
        if (!this.#begin(bytes, at, length, now)) break;
        if (this.stopped && end < 0) end = at;
        at += length;
      }
      at = this.#payload(bytes, at);
      if (this.closed) break;
    }
    if (this.#stopping && !this.stopped && this.#left === 0) this.stopped = true;
    if (end < 0) end = at;
    return end === bytes.length ? bytes : bytes.subarray(0, end);
  }

  /** Nothing passes after the frame whose bytes pass now; `stopped` says when its end has passed. */
  stop(): void {
    this.#stopping = true;
    if (this.#left === 0) this.stopped = true;
  }

  /** What is held, when no more bytes come. */
  rest(): Buffer {
    const held = this.stopped || this.fault !== 0 ? EMPTY : this.#held;
    this.#held = EMPTY;
    return held;
  }

  /** Checks a header, and takes over what it says. Returns false if the rest cannot be read. */
  #begin(bytes: Buffer, at: number, length: number, now: number): boolean {
    const first = bytes[at]!;
    const second = bytes[at + 1]!;
    const payload = payloadLength(bytes, at);
    const fault = this.#faultOf(first, second, payload);
    if (fault !== '') {
      this.#refuse(CloseCode.ProtocolError, fault);
      return false;
    }
    const opcode = first & 0x0f;
    if (opcode < 8) {
      this.#messageBytes = payload + (opcode === 0 ? this.#messageBytes : 0);
      this.#inMessage = first < 0x80;
    }
    if (!this.stopped) this.#checkBounds(opcode, payload, now);
    if (!this.stopped && opcode !== 0 && opcode < 8) this.messages++;
    this.#closeAt = opcode === 8 ? 0 : -1;
    if (this.#closeAt === 0) {
      this.closeCode = payload < 2 ? CloseCode.NoStatus : 0;
      for (let i = 0; i < 4; i++) this.#mask[i] = this.#masked ? bytes[at + length - 4 + i]! : 0;
    }
    this.#left = payload;
    return true;
  }

  /** What the header breaks of section 5; '' for nothing. */
  #faultOf(first: number, second: number, payload: number): string {
    const opcode = first & 0x0f;
    const final = first >= 0x80;
    const size = second & 0x7f;
    if (second >= 0x80 !== this.#masked) return this.#masked ? 'frame of the client without mask' : 'frame with mask';
    if (payload < 0 || (size === 126 && payload < 126) || (size === 127 && payload < 65_536))
      return 'length of a frame not in its shortest form, or too long';
    if (this.#extensions !== 'others') {
      // RFC 7692 section 6: RSV1 is set in the first frame of a compressed message, and in no control frame.
      const allowed = this.#extensions === 'deflate' && (opcode === 1 || opcode === 2) ? 0x40 : 0;
      if ((first & 0x70 & ~allowed) !== 0) return 'reserved bit set';
      if ((opcode > 2 && opcode < 8) || opcode > 10) return `reserved opcode ${opcode}`;
    }
    if (opcode >= 8) return !final || size > 125 ? 'control frame that is fragmented or longer than 125 bytes' : '';
    if (opcode === 0 && !this.#inMessage) return 'continuation without a message';
    return opcode !== 0 && this.#inMessage ? 'new message within a fragmented one' : '';
  }

  #checkBounds(opcode: number, payload: number, now: number): void {
    const { maxMessage } = this.#bounds;
    if (opcode < 8 && maxMessage > 0 && this.#messageBytes > maxMessage)
      this.#refuse(CloseCode.TooBig, `message larger than ${maxMessage} bytes`);
    else if ((opcode !== 0 || payload === 0) && !this.#takeToken(now))
      this.#refuse(CloseCode.Policy, 'more messages than max_rate allows');
  }

  #refuse(code: number, cause: string): void {
    this.fault = code;
    this.cause = cause;
    this.stopped = true;
  }

  #takeToken(now: number): boolean {
    const { rate } = this.#bounds;
    if (rate === undefined) return true;
    const { capacity, periodMs } = rate;
    if (this.#countedAt >= 0)
      this.#tokens = Math.min(capacity, this.#tokens + ((now - this.#countedAt) * capacity) / periodMs);
    this.#countedAt = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** Skips payload. Returns where the next header begins, or the end of the bytes. */
  #payload(bytes: Buffer, at: number): number {
    const length = Math.min(this.#left, bytes.length - at);
    if (this.#closeAt >= 0) {
      for (let i = 0; i < length && this.#closeAt < 2; i++, this.#closeAt++)
        if (this.closeCode !== CloseCode.NoStatus)
          this.closeCode = this.closeCode * 256 + (bytes[at + i]! ^ this.#mask[this.#closeAt]!);
    }
    this.#left -= length;
    if (this.#left === 0 && this.#closeAt >= 0) {
      this.closed = true;
      this.closePassed = !this.stopped;
    }
    return at + length;
  }
}

/** Length of the header at `at`, as far as its first two bytes say it; longer than the bytes if those are missing. */
function headerLength(bytes: Buffer, at: number): number {
  if (bytes.length - at < 2) return LONGEST_HEADER;
  const second = bytes[at + 1]!;
  const size = second & 0x7f;
  return 2 + (size === 126 ? 2 : size === 127 ? 8 : 0) + (second >= 0x80 ? 4 : 0);
}

/** -1 if its most significant bit is set, which section 5.2 forbids, or it is beyond what can be counted. */
function payloadLength(bytes: Buffer, at: number): number {
  const size = bytes[at + 1]! & 0x7f;
  if (size < 126) return size;
  if (size === 126) return bytes.readUInt16BE(at + 2);
  const high = bytes.readUInt32BE(at + 2);
  return high >= 0x20_0000 ? -1 : high * 0x1_0000_0000 + bytes.readUInt32BE(at + 6);
}
