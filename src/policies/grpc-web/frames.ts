/** Frames of gRPC messages: a byte of flags, a length of four bytes, and the message. */
import type { HeaderFields } from '../contract.js';

const HEAD = 5;
/** A bit of the flags: the frame has trailers. Only gRPC-Web has such frames. */
const TRAILERS = 0x80;
/** Bytes of a trailer frame. */
const MAX_TRAILERS = 64 * 1024;

/** Follows the frames of a body without keeping them. */
export class FrameReader {
  /** Bytes of the current head that have come. */
  #head = 0;
  /** The length that they say, and then how much of it is to come. */
  #left = 0;

  /** No frame has begun that is not complete. */
  get between(): boolean {
    return this.#head === 0;
  }

  /** Follows the current frame from `at`. Returns the offset behind its end, or of the end of these bytes; -1 if this is not gRPC. */
  next(bytes: Uint8Array, at: number): number {
    let next = at;
    while (next < bytes.length) {
      if (this.#head < HEAD) {
        const byte = bytes[next++]!;
        if (this.#head === 0) this.#left = 0;
        if (this.#head === 0 && (byte & TRAILERS) !== 0) return -1;
        if (this.#head > 0) this.#left = this.#left * 256 + byte;
        this.#head++;
      } else {
        const taken = Math.min(this.#left, bytes.length - next);
        this.#left -= taken;
        next += taken;
      }
      if (this.#head < HEAD || this.#left > 0) continue;
      this.#head = 0;
      break;
    }
    return next;
  }
}

/** The frame at the end of a body; undefined if the fields are too long. Without a status among them, it says that none came. */
export function trailerFrame(fields: HeaderFields | undefined): Uint8Array | undefined {
  let lines = '';
  if (fields !== undefined)
    for (const [name, value] of fields.entries()) {
      lines += `${name}: ${value}\r\n`;
      if (lines.length > MAX_TRAILERS) return undefined;
    }
  if (fields?.get('grpc-status') === undefined) lines += NO_STATUS;
  const frame = Buffer.alloc(HEAD + lines.length);
  frame[0] = TRAILERS;
  frame.writeUInt32BE(lines.length, 1);
  frame.write(lines, HEAD, 'latin1');
  return frame;
}

/** UNKNOWN. Some clients take a body without a status for a success. */
const NO_STATUS = 'grpc-status: 2\r\ngrpc-message: the reply has no grpc-status\r\n';
