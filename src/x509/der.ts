/**
 * Reads DER (ITU-T X.690), the encoding of certificates and revocation lists. Strict: definite lengths in their shortest form,
 * tags of one byte, and no element beyond its parent. It never copies, so the size of the input bounds its work.
 */

/** The input is not valid DER, or not what its format requires. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

export const Tag = {
  Boolean: 0x01,
  Integer: 0x02,
  BitString: 0x03,
  OctetString: 0x04,
  Oid: 0x06,
  Utf8String: 0x0c,
  PrintableString: 0x13,
  TeletexString: 0x14,
  Ia5String: 0x16,
  UtcTime: 0x17,
  GeneralizedTime: 0x18,
  UniversalString: 0x1c,
  BmpString: 0x1e,
  Sequence: 0x30,
  Set: 0x31,
} as const;

/** The tag of an element `[number]`; `constructed`: it holds further elements. */
export const contextTag = (number: number, constructed: boolean): number => 0x80 | (constructed ? 0x20 : 0) | number;

/** One element: its tag, its content, and all its bytes. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  readonly whole: Buffer;
}

/** Reads the elements of one level in order. */
export class DerReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** The tag of the next element; -1 at the end. */
  get tag(): number {
    return this.#bytes[this.#at] ?? -1;
  }

  /** The next element. Throws if there is none, or if it has another tag. */
  next(expected?: number): DerElement {
    const bytes = this.#bytes;
    const start = this.#at;
    const tag = bytes[start];
    if (tag === undefined) throw new DerError('an element is missing');
    if (expected !== undefined && tag !== expected) throw new DerError(`tag ${tag} where ${expected} is required`);
    if ((tag & 0x1f) === 0x1f) throw new DerError('a tag has several bytes');
    const [length, from] = this.#length(start + 1);
    const end = from + length;
    if (end > bytes.length) throw new DerError('an element is longer than its parent');
    this.#at = end;
    return { tag, content: bytes.subarray(from, end), whole: bytes.subarray(start, end) };
  }

  #length(at: number): readonly [length: number, from: number] {
    const first = this.#bytes[at];
    if (first === undefined) throw new DerError('a length is missing');
    if (first < 0x80) return [first, at + 1];
    const count = first & 0x7f;
    if (count === 0 || count > 4) throw new DerError('a length is indefinite or too large');
    let length = 0;
    for (let i = 1; i <= count; i++) {
      const byte = this.#bytes[at + i];
      if (byte === undefined) throw new DerError('a length is cut off');
      length = length * 256 + byte;
    }
    if (length < 0x80 || length < 2 ** (8 * (count - 1))) throw new DerError('a length is not in its shortest form');
    return [length, at + 1 + count];
  }

  /** The next element if it has this tag. */
  optional(tag: number): DerElement | undefined {
    return this.tag === tag ? this.next() : undefined;
  }

  /** A reader of the elements within the next one. */
  enter(tag: number = Tag.Sequence): DerReader {
    return new DerReader(this.next(tag).content);
  }

  /** Throws if elements are left. */
  end(): void {
    if (!this.done) throw new DerError('there are bytes after the last element');
  }
}

/** The single element that `bytes` hold. */
export function readSingle(bytes: Buffer, tag: number = Tag.Sequence): DerElement {
  const reader = new DerReader(bytes);
  const element = reader.next(tag);
  reader.end();
  return element;
}

/** An OBJECT IDENTIFIER as text: `2.5.29.17`. */
export function readOid(content: Buffer): string {
  const parts: number[] = [];
  let value = 0;
  let open = true;
  for (const byte of content) {
    if (value === 0 && open && parts.length > 0 && byte === 0x80) throw new DerError('an object identifier is padded');
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerError('an object identifier is too large');
    open = (byte & 0x80) === 0;
    if (!open) continue;
    if (parts.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      parts.push(first, value - first * 40);
    } else parts.push(value);
    value = 0;
  }
  if (!open || parts.length === 0) throw new DerError('an object identifier is cut off');
  return parts.join('.');
}

/** A non-negative INTEGER as hex digits in lower case without leading zeros, as serial numbers are compared. */
export function readSerial(content: Buffer): string {
  const [first, second] = content;
  if (first === undefined) throw new DerError('an integer is empty');
  if (
    (first === 0 && second !== undefined && second < 0x80) ||
    (first === 0xff && second !== undefined && second >= 0x80)
  )
    throw new DerError('an integer is not in its shortest form');
  // Some old certificates have negative serial numbers: they are compared as their bytes.
  const digits = content.toString('hex').replace(/^0+/, '');
  return digits === '' ? '0' : digits;
}

/** A small non-negative INTEGER. */
export function readSmall(content: Buffer): number {
  const value = Number.parseInt(readSerial(content), 16);
  if (content.length > 4 || (content[0] ?? 0) >= 0x80) throw new DerError('an integer is out of range');
  return value;
}

/** A BOOLEAN, which DER writes in one way. Throws DerError. */
export function readBoolean(content: Buffer): boolean {
  if (content.length !== 1 || (content[0] !== 0 && content[0] !== 0xff)) throw new DerError('a boolean is not valid');
  return content[0] === 0xff;
}

/** A Time of RFC 5280 section 4.1.2.5, in milliseconds since 1970: in UTC, with seconds and without fractions. */
export function readTime({ tag, content }: DerElement): number {
  const text = content.toString('latin1');
  const isUtc = tag === Tag.UtcTime;
  if (!isUtc && tag !== Tag.GeneralizedTime) throw new DerError('a time is missing');
  const found = (isUtc ? /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/ : /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/).exec(
    text,
  );
  if (found === null) throw new DerError('a time is not valid');
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map(Number);
  const whole = isUtc ? year + (year < 50 ? 2000 : 1900) : year;
  const time = Date.UTC(whole, month - 1, day, hour, minute, second);
  const back = new Date(time);
  if (back.getUTCMonth() !== month - 1 || back.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    throw new DerError('a time is not valid');
  return time;
}

/** The bytes of a BIT STRING whose bits fill whole bytes, as those of signatures do. */
export function readBits(content: Buffer): Buffer {
  if (content[0] !== 0) throw new DerError('a bit string is not valid');
  return content.subarray(1);
}
