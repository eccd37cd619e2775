/** Where a message body ends, RFC 9112 sections 6 and 7: by length, by chunks, at the close of the connection, or at once. */
import { CR, FIELD, HEX, HTAB, LF, SP, TOKEN } from './chars.js';

export type BodyKind = 'none' | 'length' | 'chunked' | 'close';

/** Bytes of one chunk's extensions, and of all trailer fields together. */
const MAX_EXTENSION = 1024;
const MAX_TRAILER = 8 * 1024;
/** 13 hex digits stay below 2^53. */
const MAX_SIZE_DIGITS = 13;

enum State {
  SizeFirst,
  Size,
  ExtensionSpace,
  Extension,
  SizeLf,
  Data,
  DataCr,
  DataLf,
  TrailerStart,
  TrailerName,
  TrailerValue,
  TrailerLf,
  EndLf,
}

/**
 * Takes a body off the wire. take() hands out the payload of the buffered bytes as one range of the same buffer: chunk
 * framing is squeezed out in place, so the buffer must be the caller's to change. Extensions and trailers are dropped.
 */
export class BodyReader {
  kind: BodyKind = 'none';
  done = true;
  /** Set when the framing is not valid: there is no way on from there. */
  failed = false;
  /** Payload of the last take(): [start, end) of its buffer. */
  start = 0;
  end = 0;
  /** Payload bytes so far. */
  total = 0;
  /** Still to come of the body (length), or of the chunk (chunked). */
  left = 0;
  #state: State = State.SizeFirst;
  #digits = 0;
  #extra = 0;

  /** Begins a body. `length` is only read for `length`. */
  begin(kind: BodyKind, length: number): void {
    this.kind = kind;
    this.left = kind === 'length' ? length : 0;
    this.done = kind === 'none' || (kind === 'length' && length === 0);
    this.failed = false;
    this.start = 0;
    this.end = 0;
    this.total = 0;
    this.#state = State.SizeFirst;
    this.#digits = 0;
    this.#extra = 0;
  }

  /** Reads buffer[from, to): returns one past the last byte that belongs to this body. */
  take(buffer: Uint8Array, from: number, to: number): number {
    this.start = from;
    this.end = from;
    if (this.done || this.failed) return from;
    if (this.kind === 'chunked') return this.#chunks(buffer, from, to);
    let end = to;
    if (this.kind === 'length') {
      if (to - from >= this.left) {
        end = from + this.left;
        this.done = true;
      }
      this.left -= end - from;
    }
    this.end = end;
    this.total += end - from;
    return end;
  }

  #chunks(buffer: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to) {
      if (this.#state === State.Data) {
        at = this.#data(buffer, at, to);
        continue;
      }
      const code = buffer[at++]!;
      if (!this.#step(code)) {
        this.failed = true;
        return at;
      }
      if (this.done) return at;
    }
    return at;
  }

  #data(buffer: Uint8Array, from: number, to: number): number {
    const count = Math.min(this.left, to - from);
    if (this.end === this.start) {
      this.start = from;
      this.end = from + count;
    } else {
      if (this.end !== from) buffer.copyWithin(this.end, from, from + count);
      this.end += count;
    }
    this.total += count;
    this.left -= count;
    if (this.left === 0) this.#state = State.DataCr;
    return from + count;
  }

  /** One byte of framing: false when it must not stand there. */
  #step(code: number): boolean {
    switch (this.#state) {
      case State.SizeFirst:
      case State.Size:
        return this.#size(code);
      case State.ExtensionSpace:
        // BWS before the semicolon of an extension: RFC 9112 section 7.1.1 has recipients parse it.
        this.#extra++;
        if (code === SP || code === HTAB) return this.#extra <= MAX_EXTENSION;
        this.#state = State.Extension;
        return code === 0x3b;
      case State.Extension:
        this.#extra++;
        if (code === CR) this.#state = State.SizeLf;
        else if (FIELD[code] !== 1) return false;
        return this.#extra <= MAX_EXTENSION;
      case State.SizeLf:
        if (code !== LF) return false;
        this.#state = this.left === 0 ? State.TrailerStart : State.Data;
        this.#extra = 0;
        return true;
      case State.DataCr:
        this.#state = State.DataLf;
        return code === CR;
      case State.DataLf:
        this.#state = State.SizeFirst;
        this.#digits = 0;
        return code === LF;
      default:
        return this.#trailer(code);
    }
  }

  #size(code: number): boolean {
    const digit = HEX[code]!;
    if (digit < 16) {
      this.#state = State.Size;
      this.left = this.left * 16 + digit;
      return ++this.#digits <= MAX_SIZE_DIGITS;
    }
    if (this.#state === State.SizeFirst) return false;
    this.#extra = 0;
    if (code === CR) this.#state = State.SizeLf;
    else if (code === 0x3b) this.#state = State.Extension;
    else if (code === SP || code === HTAB) this.#state = State.ExtensionSpace;
    else return false;
    return true;
  }

  /** Trailer fields are read as strictly as header fields, and dropped: nobody downstream may mistake one for a header. */
  #trailer(code: number): boolean {
    if (++this.#extra > MAX_TRAILER) return false;
    switch (this.#state) {
      case State.TrailerStart:
        if (code === CR) this.#state = State.EndLf;
        else if (TOKEN[code] === 1) this.#state = State.TrailerName;
        else return false;
        return true;
      case State.TrailerName:
        if (code === 0x3a) this.#state = State.TrailerValue;
        else return TOKEN[code] === 1;
        return true;
      case State.TrailerValue:
        if (code === CR) this.#state = State.TrailerLf;
        else return FIELD[code] === 1;
        return true;
      case State.TrailerLf:
        this.#state = State.TrailerStart;
        return code === LF;
      default:
        this.done = code === LF;
        return this.done;
    }
  }
}
