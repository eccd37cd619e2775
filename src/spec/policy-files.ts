/** Files that the configs of policies and actions name: schemas, keys, templates, documents. */
import { createHash } from 'node:crypto';
import { relative, resolve, sep } from 'node:path';
import type { PolicyFile } from '../policies/contract.js';
import type { Span } from '../schema/diagnostic.js';
import type { NamedFile, PolicyFileReader } from './model.js';
import { type ReadProblem, readText, Source } from './source.js';

/** Reads the text of a file by absolute path. Never throws. */
export type ReadNamed = (absolute: string) => string | ReadProblem;

/** Reads each file once, so that lint and compile see the same text. */
export class PolicyFiles implements PolicyFileReader {
  readonly #root: string;
  readonly #from: ReadNamed;
  readonly #files = new Map<string, PolicyFile>();
  /** By absolute path. */
  readonly #located = new Map<string, Source>();

  /** `root`: folder that paths are relative to. `from`: default is the disk. */
  constructor(root: string, from: ReadNamed = (absolute) => readText(absolute, false)) {
    this.#root = root;
    this.#from = from;
  }

  get files(): readonly NamedFile[] {
    const files: NamedFile[] = [];
    for (const [absolute, { text }] of this.#files) {
      if (text === undefined) continue;
      files.push({ path: this.#shown(absolute), sha256: createHash('sha256').update(text).digest('hex') });
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  readonly read = (path: string): PolicyFile => {
    const absolute = resolve(this.#root, path);
    let file = this.#files.get(absolute);
    if (file === undefined) {
      const text = this.#from(absolute);
      file = typeof text === 'string' ? { text } : { cause: text.reason };
      this.#files.set(absolute, file);
    }
    return file;
  };

  spanOf(path: string, start: number, end: number): Span | undefined {
    const { text } = this.read(path);
    if (text === undefined) return undefined;
    const absolute = resolve(this.#root, path);
    let source = this.#located.get(absolute);
    if (source === undefined) {
      source = new Source(this.#shown(absolute), absolute, text);
      this.#located.set(absolute, source);
    }
    return source.span(start, end);
  }

  get located(): readonly Source[] {
    return [...this.#located.values()];
  }

  readonly #shown = (absolute: string): string => relative(this.#root, absolute).split(sep).join('/');
}
