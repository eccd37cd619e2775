/** Trees of the files of a spec, kept from one build to the next. */
import type { Outcome } from '../../schema/diagnostic.js';
import type { From, TableNode } from '../../schema/tree.js';
import type { Source } from '../source.js';
import { CutFile } from './cut-file.js';
import { parseToml } from './toml.js';

/** Shorter texts are parsed as a whole. In characters. */
const CUT_FROM = 32 * 1024;
/** Characters of text whose trees are kept. Further files are parsed in each build. */
const MOST_KEPT = 32 * 1024 ** 2;

interface Kept {
  readonly text: string;
  readonly outcome: Outcome<TableNode>;
  readonly cut: CutFile | undefined;
}

export class TreeCache {
  readonly #files = new Map<string, Kept>();
  readonly #cutFrom: number;
  readonly #mostKept: number;
  #size = 0;
  #used = new Set<string>();

  constructor({ cutFrom = CUT_FROM, mostKept = MOST_KEPT }: { cutFrom?: number; mostKept?: number } = {}) {
    this.#cutFrom = cutFrom;
    this.#mostKept = mostKept;
  }

  /** Number of files that are kept. */
  get size(): number {
    return this.#files.size;
  }

  /** What parseToml() returns. Nodes of unchanged parts of a file are the same objects, so they must not be changed. */
  parse(source: Source, from: From): Outcome<TableNode> {
    const { absolute, path, text } = source;
    const key = `${from}\0${path}\0${absolute}`;
    this.#used.add(key);
    const known = this.#files.get(key);
    if (known?.text === text) return known.outcome;
    const cut = text.length >= this.#cutFrom ? (known?.cut ?? new CutFile(from)) : undefined;
    const tree = cut?.read(source);
    const outcome = tree === undefined ? parseToml(source, from) : { value: tree, diagnostics: [] };
    this.#keep(key, { text, outcome, cut });
    return outcome;
  }

  /** Ends a build. `complete`: all files of the spec were read; the others are forgotten. */
  endBuild(complete: boolean): void {
    const used = this.#used;
    this.#used = new Set();
    if (complete) for (const key of this.#files.keys()) if (!used.has(key)) this.#forget(key);
  }

  #keep(key: string, kept: Kept): void {
    this.#forget(key);
    if (this.#size + kept.text.length > this.#mostKept) return;
    this.#size += kept.text.length;
    this.#files.set(key, kept);
  }

  #forget(key: string): void {
    this.#size -= this.#files.get(key)?.text.length ?? 0;
    this.#files.delete(key);
  }
}
