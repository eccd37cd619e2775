/** Finds where entities are written: from a key to the line of the spec, also for a bundle without the spec's text. */
import type { Program, SourceRef } from '../../bundle/types.js';
import { positionAt } from '../../lint/edits.js';
import type { Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { startOf } from '../codes.js';

export class Places {
  readonly #origins: Program['provenance']['origins'];
  readonly #files: readonly Pick<SourceFile, 'path' | 'text'>[];
  readonly #fallback: string;

  /** `files`: the files of the spec, if known; `fallback`: the path for keys without a place. */
  constructor({ provenance }: Program, files: readonly Pick<SourceFile, 'path' | 'text'>[], fallback: string) {
    this.#origins = provenance.origins;
    this.#files = files;
    this.#fallback = files[0]?.path ?? fallback;
  }

  /**
   * The span of the value at a dotted path (`listener.main.address`), or of its nearest parent, or the start of the spec.
   * `text` narrows the span to its first occurrence from there on.
   */
  of(path: string, text?: string): Span {
    return this.find(path, text) ?? startOf(this.#fallback);
  }

  /** The same; undefined if the entity is not in the spec. */
  find(path: string, text?: string): Span | undefined {
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
      const span = this.at(this.#origins[at], text);
      if (span) return span;
    }
    return undefined;
  }

  /** The span of a source reference; undefined if it has no line. */
  at(source: SourceRef | undefined, text?: string): Span | undefined {
    if (source?.file === undefined || source.line === undefined) return undefined;
    const { file, line } = source;
    const found = this.#files.find((one) => one.path === file);
    if (!found) {
      const start = { offset: 0, line, column: 1 };
      return { file, start, end: start };
    }
    const lines = found.text.split('\n');
    const whole = lines[line - 1] ?? '';
    const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    const position = (column: number) => ({ offset: before + column, line, column: column + 1 });
    const inside = text === undefined || text === '' ? -1 : found.text.indexOf(text, before);
    if (inside >= 0) {
      const start = positionAt(found.text, inside);
      return { file, start, end: positionAt(found.text, inside + (text?.length ?? 0), start) };
    }
    return { file, start: position(whole.length - whole.trimStart().length), end: position(whole.trimEnd().length) };
  }
}
