/** Body framing, RFC 9112 sections 6 and 7: by length, by chunks, until the connection closes, or no body. */
import { CR, FIELD, HEX, HTAB, LF, SP, TOKEN } from './chars.js';

export type BodyKind = 'none' | 'length' | 'chunked' | 'close';

/** Most bytes of one chunk's extensions. MAX_TRAILER bounds all trailer fields together. */
const MAX_EXTENSION = 1024;
/** Most bytes of all extensions of a body, beyond one byte per byte of payload. */
const MAX_EXTENSIONS = 16 * 1024;
const MAX_TRAILER = 8 * 1024;
/** 13 hex digits stay below 2^53. */
const MAX_SIZE_DIGITS = 13;

enum State {
  SizeFirst,
  Size,
  ExtensionSpace,
  ExtensionStart,
  ExtensionName,
  ExtensionAfterName,
  ExtensionValueStart,
  ExtensionValue,
  ExtensionQuoted,
  ExtensionEscape,
  ExtensionEnd,
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

const SEMICOLON = 0x3b;
const EQUALS = 0x3d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Next state for a space or tab in a chunk's extensions; SizeFirst if it is invalid there. */
function afterSpace(state: State): State {
  switch (state) {
    case State.ExtensionName:
      return State.ExtensionAfterName;
    case State.ExtensionValue:
    case State.ExtensionEnd:
      return State.ExtensionSpace;
    case State.ExtensionEscape:
      return State.ExtensionQuoted;
    default:
      return state;
  }
}

/** Next state for any other byte of a chunk's extensions; SizeFirst if it is invalid there. */
function afterExtensionByte(state: State, code: number): State {
  const token = TOKEN[code] === 1;
  switch (state) {
    case State.ExtensionStart:
      return token ? State.ExtensionName : State.SizeFirst;
    case State.ExtensionName:
      return token ? state : code === EQUALS ? State.ExtensionValueStart : endOfExtension(code);
    case State.ExtensionAfterName:
      return code === EQUALS ? State.ExtensionValueStart : code === SEMICOLON ? State.ExtensionStart : State.SizeFirst;
    case State.ExtensionValueStart:
      return token ? State.ExtensionValue : code === QUOTE ? State.ExtensionQuoted : State.SizeFirst;
    case State.ExtensionValue:
      return token ? state : endOfExtension(code);
    case State.ExtensionQuoted:
      if (code === QUOTE) return State.ExtensionEnd;
      return code === BACKSLASH ? State.ExtensionEscape : FIELD[code] === 1 ? state : State.SizeFirst;
    case State.ExtensionEscape:
      return FIELD[code] === 1 ? State.ExtensionQuoted : State.SizeFirst;
    case State.ExtensionEnd:
      return endOfExtension(code);
    default:
      // ExtensionSpace: only a further extension may follow.
      return code === SEMICOLON ? State.ExtensionStart : State.SizeFirst;
  }
}

const endOfExtension = (code: number): State =>
  code === CR ? State.SizeLf : code === SEMICOLON ? State.ExtensionStart : State.SizeFirst;

/**
 * Decodes a body. take() returns the payload of the buffered bytes as one range of the same buffer: it removes chunk framing
 * in place, so the caller must own the buffer. Extensions are dropped.
 */
export class BodyReader {
  kind: BodyKind = 'none';
  done = true;
  /** The framing is invalid: nothing more can be read. */
  failed = false;
  /** Payload of the last take(): buffer[start, end). */
  start = 0;
  end = 0;
  /** Payload bytes so far. */
  total = 0;
  /** Bytes left of the body (length) or of the chunk (chunked). */
  left = 0;
  /** The field lines after the last chunk, each `name:value CRLF`. Complete once `done` is set. */
  trailers = '';
  #state: State = State.SizeFirst;
  #digits = 0;
  /** Bytes of this chunk's extensions, or of all trailers. */
  #extra = 0;
  /** Bytes of all extensions so far. */
  #extensions = 0;
  /** Bytes of a chunked body, with its framing. */
  #wire = 0;
  #failedIn: State = State.SizeFirst;
  #failedBy = 0;

  /** Begins a body. `length` is used for kind `length` only. */
  begin(kind: BodyKind, length: number): void {
    this.kind = kind;
    this.left = kind === 'length' ? length : 0;
    this.done = kind === 'none' || (kind === 'length' && length === 0);
    this.failed = false;
    this.start = 0;
    this.end = 0;
    this.total = 0;
    this.trailers = '';
    this.#state = State.SizeFirst;
    this.#digits = 0;
    this.#extra = 0;
    this.#extensions = 0;
    this.#wire = 0;
  }

  /** What is invalid, and where. Valid once `failed` is set. */
  get fault(): string {
    const byte = `byte 0x${this.#failedBy.toString(16).padStart(2, '0')}`;
    return `${this.#rule()} (${byte}) at byte ${this.#wire - 1} of the body`;
  }

  #rule(): string {
    const state = this.#failedIn;
    if (state <= State.Size) return this.#digits > MAX_SIZE_DIGITS ? 'chunk size too large' : 'invalid chunk size';
    if (state === State.SizeLf) return 'CR without LF after a chunk size';
    if (state === State.DataCr || state === State.DataLf) return 'no CRLF after the data of a chunk';
    if (state === State.EndLf) return 'CR without LF after the trailers';
    if (state > State.Data) return this.#extra > MAX_TRAILER ? 'trailers too long' : 'invalid trailer field';
    const long = this.#extra > MAX_EXTENSION || this.#extensions > MAX_EXTENSIONS + this.total;
    return long ? 'chunk extensions too long' : 'invalid chunk extension';
  }

  /** Reads buffer[from, to). Returns one past the last byte of this body. */
  take(buffer: Uint8Array, from: number, to: number): number {
    this.start = from;
    this.end = from;
    if (this.done || this.failed) return from;
    if (this.kind === 'chunked') {
      const end = this.#chunks(buffer, from, to);
      this.#wire += end - from;
      return end;
    }
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
      const state = this.#state;
      if (!this.#step(code)) {
        this.failed = true;
        this.#failedIn = state;
        this.#failedBy = code;
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

  /** One byte of framing: false if it is invalid. */
  #step(code: number): boolean {
    switch (this.#state) {
      case State.SizeFirst:
      case State.Size:
        return this.#size(code);
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
      case State.TrailerStart:
      case State.TrailerName:
      case State.TrailerValue:
      case State.TrailerLf:
      case State.EndLf:
        return this.#trailer(code);
      default:
        return this.#extension(code);
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
    else if (code === SEMICOLON) this.#state = State.ExtensionStart;
    else if (code === SP || code === HTAB) this.#state = State.ExtensionSpace;
    else return false;
    return true;
  }

  /**
   * Chunk extensions, RFC 9112 section 7.1.1. They are not used, but checked by their grammar, so that every parser finds the
   * same end of the line; and bounded per chunk and in total, since a body of mostly extensions is an attack. Spaces are
   * allowed where the RFC requires recipients to accept them.
   */
  #extension(code: number): boolean {
    if (++this.#extra > MAX_EXTENSION || ++this.#extensions > MAX_EXTENSIONS + this.total) return false;
    const state = this.#state;
    const next = code === SP || code === HTAB ? afterSpace(state) : afterExtensionByte(state, code);
    this.#state = next;
    return next !== State.SizeFirst;
  }

  /** Trailer fields are checked like header fields. */
  #trailer(code: number): boolean {
    if (++this.#extra > MAX_TRAILER) return false;
    if (this.#state === State.EndLf) {
      this.done = code === LF;
      return this.done;
    }
    if (this.#state === State.TrailerStart && code === CR) {
      this.#state = State.EndLf;
      return true;
    }
    this.trailers += String.fromCharCode(code);
    switch (this.#state) {
      case State.TrailerStart:
        this.#state = State.TrailerName;
        return TOKEN[code] === 1;
      case State.TrailerName:
        if (code === 0x3a) this.#state = State.TrailerValue;
        else return TOKEN[code] === 1;
        return true;
      case State.TrailerValue:
        if (code === CR) this.#state = State.TrailerLf;
        else return FIELD[code] === 1;
        return true;
      default:
        this.#state = State.TrailerStart;
        return code === LF;
    }
  }
}
