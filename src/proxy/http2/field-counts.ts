/**
 * Counts the fields in the header blocks of a connection, RFC 7541 section 6, without decoding them. nghttp2 leaves out fields whose
 * name or value has invalid characters and tells nothing; the count shows it.
 */
import { Flag, Frame } from './frame-scanner.js';

/** Flags of HEADERS, RFC 9113 section 6.2. */
const PADDED = 8;
const PRIORITY = 32;
const PRIORITY_BYTES = 5;
/** Blocks that are counted and not taken, beyond those of the streams that may be open. The oldest ones go first. */
const SLACK = 512;
/** The same of one stream: interim replies, the reply, and trailers, which come in one read. */
const MOST_BLOCKS = 64;
/** An integer with more bits breaks the connection, RFC 7541 section 5.1. */
const MOST_BITS = 28;

/** What the next byte of a block is. */
const Next = {
  /** The first byte of a field, or of a change of the table's size. */
  Field: 0,
  /** More of the index of a name. */
  Index: 1,
  /** The first byte of a string: its length. */
  Length: 2,
  /** More of that. */
  MoreLength: 3,
} as const;

export class FieldCounts {
  readonly #most: number;
  /** Fields of the blocks of each stream, in order. */
  readonly #counts = new Map<number, number[]>();
  #stream = 0;
  #count = 0;
  #last = false;
  /** Bytes of the present frame that are still to come. */
  #left = 0;
  #padded = false;
  /** Bytes before the block. */
  #before = 0;
  #padding = 0;
  #next: number = Next.Field;
  /** Strings of the present field that are still to come. */
  #strings = 0;
  /** Bytes of the present string that are still to come. */
  #skip = 0;
  /** Of a string, as far as it is known, and its bits so far. */
  #length = 0;
  #bits = 0;

  /** `mostStreams` at a time. */
  constructor(mostStreams: number) {
    this.#most = mostStreams + SLACK;
  }

  /** HEADERS or CONTINUATION begins, with a payload of `length` bytes. */
  begin(type: number, flags: number, stream: number, length: number): void {
    this.#left = length;
    this.#padding = 0;
    this.#last = (flags & Flag.EndHeaders) !== 0;
    this.#padded = type === Frame.Headers && (flags & PADDED) !== 0;
    this.#before = type === Frame.Headers && (flags & PRIORITY) !== 0 ? PRIORITY_BYTES : 0;
    if (type === Frame.Headers) {
      this.#stream = stream;
      this.#count = 0;
      this.#next = Next.Field;
      this.#strings = 0;
      this.#skip = 0;
    }
    if (length === 0) this.#end();
  }

  /** Bytes [start, end) of the payload. */
  take(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    this.#left -= end - start;
    if (this.#padded) {
      this.#padding = bytes[at++]!;
      this.#padded = false;
    }
    if (this.#before > 0) {
      const before = Math.min(this.#before, end - at);
      this.#before -= before;
      at += before;
    }
    // Of what is here, this is padding.
    const surplus = Math.max(0, this.#padding - this.#left);
    this.#block(bytes, at, end - surplus);
    if (this.#left === 0) this.#end();
  }

  #block(bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end; ) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - at);
        this.#skip -= skipped;
        at += skipped;
      } else this.#byte(bytes[at++]!);
    }
  }

  #byte(byte: number): void {
    switch (this.#next) {
      case Next.Field:
        this.#field(byte);
        return;
      case Next.Index:
        if (byte < 128) this.#next = this.#strings > 0 ? Next.Length : Next.Field;
        return;
      case Next.Length:
        this.#strings--;
        this.#length = byte & 127;
        this.#bits = 0;
        if (this.#length === 127) this.#next = Next.MoreLength;
        else this.#string();
        return;
      default:
        this.#length += (byte & 127) * 2 ** this.#bits;
        this.#bits += 7;
        if (byte < 128 || this.#bits >= MOST_BITS) this.#string();
    }
  }

  /** The length of a string is known. */
  #string(): void {
    this.#skip = this.#length;
    this.#next = this.#strings > 0 ? Next.Length : Next.Field;
  }

  /** RFC 7541 section 6: the bits of the first byte say which kind it is, and where its index ends. */
  #field(byte: number): void {
    const most = byte >= 0x80 ? 0x7f : byte >= 0x40 ? 0x3f : byte >= 0x20 ? 0x1f : 0x0f;
    const index = byte & most;
    const resize = byte >= 0x20 && byte < 0x40;
    if (!resize) this.#count++;
    this.#strings = byte >= 0x80 || resize ? 0 : index === 0 ? 2 : 1;
    this.#next = index === most ? Next.Index : this.#strings > 0 ? Next.Length : Next.Field;
  }

  #end(): void {
    if (!this.#last) return;
    const counts = this.#counts.get(this.#stream);
    if (counts !== undefined) {
      if (counts.length < MOST_BLOCKS) counts.push(this.#count);
      return;
    }
    this.#counts.set(this.#stream, [this.#count]);
    if (this.#counts.size <= this.#most) return;
    for (const oldest of this.#counts.keys()) {
      this.#counts.delete(oldest);
      return;
    }
  }

  /** Fields of the first block of a stream that was not asked for yet; undefined if there is none. */
  next(stream: number): number | undefined {
    const counts = this.#counts.get(stream);
    if (counts === undefined) return undefined;
    if (counts.length === 1) this.#counts.delete(stream);
    return counts.shift();
  }

  /** No block of the stream will be asked for. */
  drop(stream: number): void {
    this.#counts.delete(stream);
  }
}
