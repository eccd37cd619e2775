/** Cuts a stream into units, such as lines, each with its end. Memory is bounded by one unit and the bytes that came with it. */

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const COLON = 0x3a;

/**
 *     splitter.push(chunk);
 *     for (let unit = splitter.next(); unit !== undefined; unit = splitter.next()) { ... }
 *     if (splitter.tooLong) fail();
 */
export abstract class UnitSplitter {
  /** Units that next() has returned. */
  count = 0;
  /** A unit is longer than allowed: nothing more is read. */
  tooLong = false;
  /** The last unit has no end, because the stream ended in it. */
  incomplete = false;
  readonly max: number;
  #buffer = NO_BYTES;
  /** The bytes that are not read yet. */
  #start = 0;
  #end = 0;
  #ended = false;

  /** `max`: bytes of a unit. */
  constructor(max: number) {
    this.max = max;
  }

  /** Where the unit from `start` on ends; -1 if that has not come. Asked again when more has come, with the unit at another place. */
  protected abstract endOfUnit(bytes: Buffer, start: number, end: number): number;
  /** Bytes that count for the bound. */
  protected abstract sizeOf(unit: Buffer): number;

  /** Copies the bytes. */
  push(bytes: Uint8Array): void {
    if (this.tooLong) return;
    if (this.#end + bytes.length > this.#buffer.length) this.#move(bytes.length);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** To a new buffer, so that units that were returned stay valid. Twice as large, because each byte may come by itself. */
  #move(more: number): void {
    const held = this.#end - this.#start;
    const larger = Buffer.allocUnsafe(held === 0 ? more : 2 * (held + more));
    this.#buffer.copy(larger, 0, this.#start, this.#end);
    this.#buffer = larger;
    this.#start = 0;
    this.#end = held;
  }

  /** No more bytes will come: what is left is the last unit. */
  end(): void {
    this.#ended = true;
  }

  /** Nothing is left to return. */
  get done(): boolean {
    return this.#ended && (this.tooLong || this.#start === this.#end);
  }

  /** Undefined if no whole unit has come. */
  next(): Buffer | undefined {
    if (this.tooLong || this.#start === this.#end) return undefined;
    let end = this.endOfUnit(this.#buffer, this.#start, this.#end);
    this.incomplete = end < 0;
    if (this.incomplete && !this.#ended) {
      // A line may end in CRLF, of which the CR has come.
      if (this.#end - this.#start > this.max + 1) this.#fail();
      return undefined;
    }
    if (this.incomplete) end = this.#end;
    const unit = this.#buffer.subarray(this.#start, end);
    if (this.sizeOf(unit) > this.max) {
      this.#fail();
      return undefined;
    }
    this.#start = end;
    if (this.#start === this.#end) this.#release();
    this.count++;
    return unit;
  }

  #fail(): void {
    this.tooLong = true;
    this.#release();
  }

  #release(): void {
    this.#buffer = NO_BYTES;
    this.#start = 0;
    this.#end = 0;
  }

  /** Frees what is held. */
  clear(): void {
    this.#release();
    this.#ended = true;
  }
}

const NO_BYTES = Buffer.alloc(0);

/** The line without LF or CRLF. */
export function withoutEnd(line: Buffer): Buffer {
  let end = line.length;
  if (end > 0 && line[end - 1] === LINE_FEED) end--;
  if (end > 0 && line[end - 1] === CARRIAGE_RETURN) end--;
  return line.subarray(0, end);
}

/** Lines, which end in LF. The bound counts a line without its end. */
export class LineSplitter extends UnitSplitter {
  /** Bytes of the line that were searched. */
  #read = 0;

  protected endOfUnit(bytes: Buffer, start: number, end: number): number {
    const found = bytes.subarray(start + this.#read, end).indexOf(LINE_FEED);
    if (found < 0) {
      this.#read = end - start;
      return -1;
    }
    const at = start + this.#read + found + 1;
    this.#read = 0;
    return at;
  }

  protected sizeOf(unit: Buffer): number {
    return withoutEnd(unit).length;
  }
}

/**
 * Server-sent events: lines up to an empty one, which end in LF, CR or CRLF. A comment between events is a unit of its own, so that it
 * is passed on at once: it keeps the connection alive. So is an empty line, and the LF of a CRLF whose CR has ended a unit.
 */
export class EventSplitter extends UnitSplitter {
  /** Of the event: bytes that were read, and where the line begins that they end in. */
  #read = 0;
  #line = 0;

  protected endOfUnit(bytes: Buffer, start: number, end: number): number {
    for (let at = start + this.#read; at < end; at++) {
      const byte = bytes[at];
      if (byte !== LINE_FEED && byte !== CARRIAGE_RETURN) continue;
      const line = start + this.#line;
      this.#line = at + 1 - start;
      // The LF of a CRLF.
      if (byte === LINE_FEED && at === line && at > start && bytes[at - 1] === CARRIAGE_RETURN) continue;
      if (at > line && !(line === start && this.#isComment(bytes, start))) continue;
      this.#read = 0;
      this.#line = 0;
      return byte === CARRIAGE_RETURN && at + 1 < end && bytes[at + 1] === LINE_FEED ? at + 2 : at + 1;
    }
    this.#read = end - start;
    return -1;
  }

  #isComment(bytes: Buffer, start: number): boolean {
    const first = this.count === 0 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf;
    return bytes[first ? start + 3 : start] === COLON;
  }

  protected sizeOf(unit: Buffer): number {
    return unit.length;
  }
}
