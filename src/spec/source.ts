/** A source file in memory, and positions in it. */
import { createHash } from 'node:crypto';
import { INPUT_LIMITS, InputError, readInputFile } from '../input-file.js';
import { reasonOf } from '../reason.js';
import type { Position, Span } from '../schema/diagnostic.js';
import type { SourceFile } from './model.js';
import { valueOffsets } from './string-offsets.js';
import type { CustomResolver } from './uses.js';

/** Far above any real spec; a larger file is refused before it is read. */
export const MAX_FILE_BYTES = INPUT_LIMITS.spec;

/** A text and the positions in it. */
export class LocatedText {
  readonly #lineStarts: number[] = [0];
  /** Index of the last requested line. */
  #line = 0;

  /** `path`: as in spans. */
  constructor(
    readonly path: string,
    readonly text: string,
  ) {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lineStarts.push(at + 1);
  }

  position(offset: number): Position {
    const at = Math.max(0, Math.min(offset, this.text.length));
    // Most requests are for the same line as the one before.
    const near =
      this.#lineStarts[this.#line]! <= at && at < (this.#lineStarts[this.#line + 1] ?? Number.POSITIVE_INFINITY);
    let low = near ? this.#line : 0;
    let high = near ? low : this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lineStarts[middle]! <= at) low = middle;
      else high = middle - 1;
    }
    this.#line = low;
    return { offset: at, line: low + 1, column: at - this.#lineStarts[low]! + 1 };
  }

  span(start: number, end: number): Span {
    return { file: this.path, start: this.position(start), end: this.position(end) };
  }

  /** The line at the offset, without its line end. */
  lineSpan(offset: number): Span {
    const start = this.#lineStarts[this.position(offset).line - 1]!;
    const found = this.text.indexOf('\n', start);
    const end = found < 0 ? this.text.length : found;
    return this.span(start, end > start && this.text[end - 1] === '\r' ? end - 1 : end);
  }
}

export class Source extends LocatedText implements SourceFile {
  readonly sha256: string;
  /** The last requested string: a path has many segments. */
  #spelled:
    | { readonly node: Span; readonly value: string; readonly offsets: ReturnType<typeof valueOffsets> }
    | undefined;

  constructor(
    path: string,
    readonly absolute: string,
    text: string,
  ) {
    super(path, text);
    this.sha256 = createHash('sha256').update(text).digest('hex');
  }

  /** The source span of the part from..to of a string value; accounts for escapes. */
  valueSpan(node: Span, value: string, from: number, to: number): Span {
    if (this.#spelled?.node !== node || this.#spelled.value !== value) {
      const raw = this.text.slice(node.start.offset, node.end.offset);
      this.#spelled = { node, value, offsets: valueOffsets(raw, value) };
    }
    const { offsets } = this.#spelled;
    if (!offsets) return node;
    return this.span(node.start.offset + offsets(from), node.start.offset + offsets(to));
  }
}

/** The files of a load, by path as in spans. */
export class Sources {
  readonly #byPath = new Map<string, Source>();
  /** The custom kinds that the files name; undefined: only kinds of gw. */
  custom: CustomResolver | undefined;

  get files(): readonly Source[] {
    return [...this.#byPath.values()];
  }

  add(source: Source): void {
    this.#byPath.set(source.path, source);
  }

  valueSpan(node: Span, value: string, from: number, to: number): Span {
    return this.#byPath.get(node.file)?.valueSpan(node, value, from, to) ?? node;
  }
}

export interface ReadProblem {
  readonly code: 'file/unreadable' | 'file/too-large' | 'file/not-text';
  readonly message: string;
  readonly help: string;
  /** The cause as a phrase: `no such file`. */
  readonly reason: string;
}

/**
 * Reads at most MAX_FILE_BYTES of UTF-8 text. `pipes`: a pipe is read to its end, within the time limit of input-file.ts.
 * Never throws, never hangs.
 */
export function readText(absolute: string, pipes = true): string | ReadProblem {
  try {
    return decodeText(readInputFile(absolute, { maxBytes: MAX_FILE_BYTES, pipes }));
  } catch (error) {
    if (error instanceof InputError && error.kind === 'too-large') return tooLarge(error.message);
    return unreadable(reasonOf(error));
  }
}

/** The same as bytes, for files of consumers, which may be large. */
export function readBytes(absolute: string): Buffer | ReadProblem {
  try {
    return readInputFile(absolute, { maxBytes: INPUT_LIMITS.consumers });
  } catch (error) {
    if (error instanceof InputError && error.kind === 'too-large') return tooLarge(error.message);
    return unreadable(reasonOf(error));
  }
}

const unreadable = (reason: string): ReadProblem => ({
  code: 'file/unreadable',
  reason,
  message: `The file cannot be read: ${reason}.`,
  help: 'Check the path and its permissions. Paths in a spec are relative to the file that contains them.',
});

const tooLarge = (reason: string): ReadProblem => ({
  code: 'file/too-large',
  reason: `too large: ${reason}`,
  message: `The file is too large for a spec: ${reason}.`,
  help: 'Check the path, or split the spec into several files with `include`.',
});

/** Decodes UTF-8 without NUL bytes, or says what is wrong. A byte order mark is kept, so that offsets stay valid. */
export function decodeText(bytes: Uint8Array): string | ReadProblem {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return notText(utf16(bytes) ? 'it looks like UTF-16' : 'it contains bytes that are not UTF-8');
  }
  return text.includes('\0') ? notText('it contains NUL bytes') : text;
}

const utf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);

const notText = (reason: string): ReadProblem => ({
  code: 'file/not-text',
  reason: `not UTF-8 text: ${reason}`,
  message: `The file is not UTF-8 text: ${reason}.`,
  help: 'A spec is a TOML file in UTF-8. Save the file as UTF-8, or check the path.',
});
