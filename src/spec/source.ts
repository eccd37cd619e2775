/** A source file in memory, and positions in it. */
import { createHash } from 'node:crypto';
import { INPUT_LIMITS, InputError, readInputFile } from '../input-file.js';
import { reasonOf } from '../reason.js';
import type { Position, Span } from '../schema/diagnostic.js';
import type { SourceFile } from './model.js';
import { valueOffsets } from './toml/string-offsets.js';

/** No spec written by people comes near; a larger one is refused before it is read. */
export const MAX_FILE_BYTES = INPUT_LIMITS.spec;

export class Source implements SourceFile {
  readonly sha256: string;
  readonly #lineStarts: number[] = [0];
  /** Index of the line that was asked for last. */
  #line = 0;
  /** The string that was asked for last: a path has many segments. */
  #spelled:
    | { readonly node: Span; readonly value: string; readonly offsets: ReturnType<typeof valueOffsets> }
    | undefined;

  constructor(
    readonly path: string,
    readonly absolute: string,
    readonly text: string,
  ) {
    this.sha256 = createHash('sha256').update(text).digest('hex');
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lineStarts.push(at + 1);
  }

  position(offset: number): Position {
    const at = Math.max(0, Math.min(offset, this.text.length));
    // Most questions are about the line of the one before.
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

  /** The whole of the line that holds the offset, without its end. */
  lineSpan(offset: number): Span {
    const start = this.#lineStarts[this.position(offset).line - 1]!;
    const found = this.text.indexOf('\n', start);
    const end = found < 0 ? this.text.length : found;
    return this.span(start, end > start && this.text[end - 1] === '\r' ? end - 1 : end);
  }

  /** The part from..to of a string's value, as the span of what wrote it: escapes in the source are accounted for. */
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

/** Every file of a load, by the path that spans name. */
export class Sources {
  readonly #byPath = new Map<string, Source>();

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
}

/**
 * Reads at most MAX_FILE_BYTES of UTF-8 text. `pipes`: a pipe is read to its end (input-file.ts says how long that may
 * take). Never throws, never hangs.
 */
export function readText(absolute: string, pipes = true): string | ReadProblem {
  try {
    return decodeText(readInputFile(absolute, { maxBytes: MAX_FILE_BYTES, pipes }));
  } catch (error) {
    if (error instanceof InputError && error.kind === 'too-large') return tooLarge(error.message);
    return unreadable(reasonOf(error));
  }
}

const unreadable = (reason: string): ReadProblem => ({
  code: 'file/unreadable',
  message: `The file cannot be read: ${reason}.`,
  help: 'Check the path and its permissions; paths in a spec are relative to the file that names them.',
});

const tooLarge = (reason: string): ReadProblem => ({
  code: 'file/too-large',
  message: `The file is too large for a spec: ${reason}.`,
  help: 'Check that the path is right; split a spec that is really so large with `include`.',
});

/** UTF-8 without NUL bytes, or what is wrong with it. A byte order mark is kept, so that offsets stay true. */
export function decodeText(bytes: Uint8Array): string | ReadProblem {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return notText(utf16(bytes) ? 'it looks like UTF-16' : 'it holds bytes that are not UTF-8');
  }
  return text.includes('\0') ? notText('it holds NUL bytes') : text;
}

const utf16 = (bytes: Uint8Array): boolean =>
  (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);

const notText = (reason: string): ReadProblem => ({
  code: 'file/not-text',
  message: `The file is not UTF-8 text: ${reason}.`,
  help: 'A spec is TOML, which is UTF-8 text; save the file as UTF-8, or check that the path is right.',
});
