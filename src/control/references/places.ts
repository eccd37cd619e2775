/** Where things were written: from an entity's key to the line of the spec, also for a bundle, whose spec is elsewhere. */
import type { Program, SourceRef } from '../../bundle/types.js';
import type { Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../../spec/model.js';
import { startOf } from '../codes.js';

export class Places {
  readonly #origins: Program['provenance']['origins'];
  readonly #files: readonly Pick<SourceFile, 'path' | 'text'>[];
  readonly #fallback: string;

  /** `files`: the spec's, where they are known; `fallback`: the path that is named for what has no place. */
  constructor({ provenance }: Program, files: readonly Pick<SourceFile, 'path' | 'text'>[], fallback: string) {
    this.#origins = provenance.origins;
    this.#files = files;
    this.#fallback = files[0]?.path ?? fallback;
  }

  /**
   * Of the value at a dotted path (`listener.main.address`), or the nearest thing around it, or the start of the spec.
   * `text` is looked for in the line, to narrow the span.
   */
  of(path: string, text?: string): Span {
    return this.find(path, text) ?? startOf(this.#fallback);
  }

  /** The same; undefined where nothing of the entity was written. */
  find(path: string, text?: string): Span | undefined {
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
      const span = this.at(this.#origins[at], text);
      if (span) return span;
    }
    return undefined;
  }

  /** The line that a reference to the source names; undefined where it names none. */
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
    const inside = text === undefined || text === '' ? -1 : whole.indexOf(text);
    if (inside >= 0) return { file, start: position(inside), end: position(inside + (text?.length ?? 0)) };
    return { file, start: position(whole.length - whole.trimStart().length), end: position(whole.trimEnd().length) };
  }
}
