/** Masks bodies that stream: JSON in lines, and server-sent events. Only the line or event that is not complete is kept. */
import { isUtf8 } from 'node:buffer';
import type { BodyStage, HeaderFields, StageOut } from '../contract.js';
import { type DataMask, isUnreadable } from './data.js';

const LF = 0x0a;
const CR = 0x0d;

export interface StreamOptions {
  /** Bytes of a line, or of an event. */
  readonly max: number;
  readonly mask: DataMask;
  readonly out: StageOut;
  /** What trailers become. */
  trailers(fields: HeaderFields): void;
}

/** Thrown for what cannot be masked. */
class UnreadableError extends Error {}

/** Takes whole units of a stream, and gives them masked. */
abstract class MaskStage implements BodyStage {
  protected readonly mask: DataMask;
  readonly #options: StreamOptions;
  /** The bytes of a unit that is not complete: the first `#length` of them. */
  #held = NO_BYTES;
  #length = 0;
  #over = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.mask = options.mask;
  }

  /**
   * The end of the unit from `start` on, its separator included; -1 if it is not complete. It is asked again when more bytes have come,
   * and then need not read the same ones again.
   */
  protected abstract endOfUnit(bytes: Buffer, start: number): number;
  /** Undefined: it stays as it is. */
  protected abstract masked(text: string): string | undefined;

  write(bytes: Uint8Array): boolean {
    if (this.#over) return false;
    const all = this.#with(bytes);
    const done: Uint8Array[] = [];
    let start = 0;
    try {
      for (let end = this.endOfUnit(all, 0); end >= 0; end = this.endOfUnit(all, start)) {
        done.push(this.#unit(all.subarray(start, end)));
        start = end;
      }
      if (all.length - start > this.#options.max) throw new UnreadableError(this.#tooLong());
    } catch (error) {
      return this.#refuse(error);
    }
    // Before the bytes that are kept move, and those of the caller belong to it again.
    const more = done.length === 0 || this.#options.out.write(done.length === 1 ? done[0]! : Buffer.concat(done));
    this.#keep(all, start);
    return more;
  }

  /** The bytes that were kept, and these. */
  #with(bytes: Uint8Array): Buffer {
    if (this.#length === 0) return bufferOf(bytes);
    const length = this.#length + bytes.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafeSlow(2 * length);
      this.#held.copy(larger, 0, 0, this.#length);
      this.#held = larger;
    }
    this.#held.set(bytes, this.#length);
    return this.#held.subarray(0, length);
  }

  #keep(all: Buffer, start: number): void {
    this.#length = all.length - start;
    if (this.#length === 0) this.#held = NO_BYTES;
    else if (start > 0 || all.buffer !== this.#held.buffer) this.#held = Buffer.from(all.subarray(start));
  }

  end(trailers: HeaderFields | undefined): void {
    if (this.#over) return;
    const { out } = this.#options;
    try {
      if (this.#length > 0) out.write(this.#unit(this.#held.subarray(0, this.#length)));
    } catch (error) {
      this.#refuse(error);
      return;
    }
    this.abort();
    if (trailers !== undefined) this.#options.trailers(trailers);
    out.end(trailers);
  }

  abort(): void {
    this.#over = true;
    this.#held = NO_BYTES;
    this.#length = 0;
  }

  #tooLong(): string {
    return `a line or event of it has more than ${this.#options.max} bytes`;
  }

  #unit(bytes: Buffer): Uint8Array {
    if (bytes.length > this.#options.max) throw new UnreadableError(this.#tooLong());
    if (!isUtf8(bytes)) throw new UnreadableError('it is not UTF-8');
    const masked = this.masked(bytes.toString('utf8'));
    return masked === undefined ? bytes : Buffer.from(masked);
  }

  #refuse(error: unknown): false {
    if (!(error instanceof UnreadableError)) throw error;
    this.abort();
    this.#options.out.refuse(`the reply cannot be masked: ${error.message}`);
    return false;
  }
}

const NO_BYTES = Buffer.alloc(0);

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The text, or what it stays; throws for what cannot be masked. */
function readable(result: ReturnType<DataMask['line']>): string | undefined {
  if (isUnreadable(result)) throw new UnreadableError(result.fault);
  return result;
}

/** JSON in lines; also those of JSON text sequences, which begin with a record separator (RFC 7464). */
export class LinesStage extends MaskStage {
  /** Bytes of the line that were read. */
  #read = 0;

  protected endOfUnit(bytes: Buffer, start: number): number {
    const at = bytes.indexOf(LF, start + this.#read);
    this.#read = at < 0 ? bytes.length - start : 0;
    return at < 0 ? -1 : at + 1;
  }

  protected masked(text: string): string | undefined {
    const [, begin = '', json = '', end = ''] = /^(\x1e*)([\s\S]*?)(\r?\n?)$/.exec(text) ?? [];
    if (json.trim() === '') return undefined;
    const masked = readable(this.mask.line(json));
    return masked === undefined ? undefined : begin + masked + end;
  }
}

/** Server-sent events: lines up to an empty one. */
export class EventsStage extends MaskStage {
  /** Of the event: bytes that were read, and the beginning of the line that they end in. */
  #read = 0;
  #line = 0;

  protected endOfUnit(bytes: Buffer, start: number): number {
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

  protected masked(text: string): string | undefined {
    const lines = text.split(/\r\n|\n|\r/);
    const data = lines.flatMap((line) => dataOf(line) ?? []);
    const masked = data.length === 0 ? undefined : readable(this.mask.data(data.join('\n')));
    let changed = masked !== undefined;
    let first = true;
    const written = lines.flatMap((line) => {
      if (dataOf(line) === undefined) {
        const other = this.mask.text(line);
        if (other !== undefined) changed = true;
        return [other ?? line];
      }
      if (masked === undefined) return [line];
      const isFirst = first;
      first = false;
      return isFirst ? masked.split('\n').map((part) => `data: ${part}`) : [];
    });
    return changed ? written.join('\n') : undefined;
  }
}

/** The data in a line; undefined for another line. */
function dataOf(line: string): string | undefined {
  const [, value] = /^\ufeff?data(?:$|: ?([\s\S]*)$)/.exec(line) ?? [];
  return value ?? (/^\ufeff?data$/.test(line) ? '' : undefined);
}
