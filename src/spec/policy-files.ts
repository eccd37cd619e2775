/** Files that the configs of policies and actions name: schemas, keys, templates, documents. */
import { resolve } from 'node:path';
import type { PolicyFile } from '../policies/contract.js';
import type { PolicyFileReader } from './model.js';
import { readText } from './source.js';

/** Reads each file once, so that lint and compile see the same text. */
export class PolicyFiles implements PolicyFileReader {
  readonly #root: string;
  readonly #files = new Map<string, PolicyFile>();

  /** `root`: folder that paths are relative to. */
  constructor(root: string) {
    this.#root = root;
  }

  get paths(): Iterable<string> {
    return this.#files.keys();
  }

  readonly read = (path: string): PolicyFile => {
    const absolute = resolve(this.#root, path);
    let file = this.#files.get(absolute);
    if (file === undefined) {
      const text = readText(absolute, false);
      file = typeof text === 'string' ? { text } : { cause: text.message };
      this.#files.set(absolute, file);
    }
    return file;
  };
}
