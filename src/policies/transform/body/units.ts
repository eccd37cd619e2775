/** The units of a streamed body: lines of JSON, and server-sent events. */
import { isUtf8 } from 'node:buffer';
import { BodyFault } from './edits.js';

const LF = 0x0a;
const CR = 0x0d;
const NO_BYTES = Buffer.alloc(0);

/** Cuts a stream into units, and finds the document in each. */
export abstract class Units {
  readonly #max: number;
  /** The bytes of the unit that is not complete: the first `#length` of them. */
  #held = NO_BYTES;
  #length = 0;

  /** `max`: bytes of a unit. */
  constructor(max: number) {
    this.#max = max;
  }

  /** The units that are complete with these bytes, their ends included; undefined if one is too long. They are copies. */
  add(bytes: Uint8Array): Uint8Array[] | undefined {
    const all = this.#with(bytes);
    const units: Uint8Array[] = [];
    let start = 0;
    for (let end = this.endOf(all, 0); end >= 0; end = this.endOf(all, start)) {
      if (end - start > this.#max) return undefined;
      units.push(Buffer.from(all.subarray(start, end)));
      start = end;
    }
    this.#length = all.length - start;
    if (this.#length > this.#max) return undefined;
    if (start > 0) this.#held.copyWithin(0, start, all.length);
    return units;
  }

  /** What is left at the end of the stream; undefined for nothing. */
  rest(): Uint8Array | undefined {
    return this.#length === 0 ? undefined : Buffer.from(this.#held.subarray(0, this.#length));
  }

  clear(): void {
    this.#held = NO_BYTES;
    this.#length = 0;
  }

  /**
   * The end of the unit from `start` on; -1 if it is not complete. It is asked again when more bytes have come, and then need not read
   * the same ones again.
   */
  protected abstract endOf(bytes: Buffer, start: number): number;
  /** The document in a unit; undefined for a unit that passes unchanged. Throws BodyFault for bytes that are not UTF-8. */
  abstract document(unit: Uint8Array): Uint8Array | undefined;
  /** The unit with another document. */
  abstract written(unit: Uint8Array, text: string): Uint8Array;

  #with(bytes: Uint8Array): Buffer {
    const length = this.#length + bytes.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#held.length, length));
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    this.#held.set(bytes, this.#length);
    return this.#held.subarray(0, length);
  }
}

/** JSON in lines. */
export class LineUnits extends Units {
  /** Bytes of the line that were read. */
  #read = 0;

  protected endOf(bytes: Buffer, start: number): number {
    const at = bytes.indexOf(LF, start + this.#read);
    this.#read = at < 0 ? bytes.length - start : 0;
    return at < 0 ? -1 : at + 1;
  }

  document(unit: Uint8Array): Uint8Array | undefined {
    return isBlank(unit) ? undefined : unit;
  }

  written(_unit: Uint8Array, text: string): Uint8Array {
    return Buffer.from(`${text}\n`);
  }
}

/** Whether a line has only what JSON takes for white space. */
export const isBlank = (line: Uint8Array): boolean =>
  line.every((byte) => byte === 0x20 || byte === 0x09 || byte === CR || byte === LF);

/** Server-sent events: lines up to an empty one. */
export class EventUnits extends Units {
  /** Of the event: bytes that were read, and the beginning of the line that they end in. */
  #read = 0;
  #line = 0;

  protected endOf(bytes: Buffer, start: number): number {
    for (let at = start + this.#read; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte !== LF && byte !== CR) continue;
      // A LF may follow a CR.
      if (byte === CR && at + 1 === bytes.length) {
        this.#read = at - start;
        return -1;
      }
      const isEmpty = at === start + this.#line;
      if (byte === CR && bytes[at + 1] === LF) at++;
      this.#line = at + 1 - start;
      if (!isEmpty) continue;
      this.#read = 0;
      this.#line = 0;
      return at + 1;
    }
    this.#read = bytes.length - start;
    return -1;
  }

  /** Comments, and the `[DONE]` with which some streams end, are no documents. */
  document(unit: Uint8Array): Uint8Array | undefined {
    if (!isUtf8(unit)) throw new BodyFault('an event is not UTF-8');
    const data = linesOf(unit).flatMap((line) => dataOf(line) ?? []);
    const text = data.join('\n').trim();
    return text === '' || text === '[DONE]' ? undefined : Buffer.from(text);
  }

  /** The data takes the place of the first line with data; all other lines stay. */
  written(unit: Uint8Array, text: string): Uint8Array {
    let first = true;
    const lines = linesOf(unit).flatMap((line) => {
      if (dataOf(line) === undefined) return [line];
      if (!first) return [];
      first = false;
      return [`data: ${text}`];
    });
    return Buffer.from(lines.join('\n'));
  }
}

const linesOf = (unit: Uint8Array): string[] =>
  Buffer.from(unit)
    .toString('utf8')
    .split(/\r\n|\n|\r/);

/** The data in a line; undefined for another line. */
function dataOf(line: string): string | undefined {
  const text = line.startsWith('\ufeff') ? line.slice(1) : line;
  if (text === 'data') return '';
  if (!text.startsWith('data:')) return undefined;
  return text.startsWith('data: ') ? text.slice(6) : text.slice(5);
}
