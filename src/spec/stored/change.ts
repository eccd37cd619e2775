/** What reading the files of consumers found: each file as it is now, and what differs from before. */
import type { ConsumerEntry } from '../../bundle/types.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { TableEntry } from '../../schema/tree.js';
import type { SourceFile } from '../model.js';

/** The span of a name, or of the value of a key. */
export function spanIn(entry: TableEntry | undefined, key: string | undefined): Span | undefined {
  if (entry === undefined || key === undefined || entry.value.kind !== 'table') return entry?.keySpan;
  return entry.value.entries.get(key)?.value.span ?? entry.keySpan;
}

/** A file whose consumers are known. */
export interface ReadConsumers {
  /** As in spans. */
  readonly path: string;
  readonly absolute: string;
  readonly bytes: Buffer;
  /** The names that it declares. */
  names(): Iterable<string>;
  /** Where it declares a consumer, or the value of one of its keys. */
  find(name: string, key?: string): Span | undefined;
  /** For code frames. */
  source(): SourceFile;
}

/** How one file differs from what was read before. */
export interface FileChange {
  readonly file: ReadConsumers;
  /** Also those that changed: they are among `added` too. */
  readonly removed: readonly string[];
  readonly added: readonly ConsumerEntry[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Turns the declaration of a consumer into its entry; undefined if it has errors. `plain`: its spans are not known, so that
 * nothing but the number of errors is right.
 */
export type ReadEntry = (
  entry: TableEntry,
  report: (diagnostic: Diagnostic) => void,
  plain?: boolean,
) => ConsumerEntry | undefined;

/** An item of `consumers`, relative to the folder of the root spec or of the bundle. */
export interface StoredPattern {
  readonly pattern: string;
  readonly span: Span;
}

/** What the files are read for. */
export interface StoreContext {
  /** The folder of the root spec or of the bundle. */
  readonly root: string;
  readonly patterns: readonly StoredPattern[];
  /** Turns a declaration into an entry. */
  readonly readEntry: ReadEntry;
  /** The consumers of the spec itself. */
  readonly declared: readonly { readonly entry: ConsumerEntry; readonly span: Span | undefined }[];
  /** The plans that exist. `unknown`: the diagnostic for another one. */
  readonly plans: {
    has(name: string): boolean;
    unknown(name: string, span: Span): Diagnostic;
  };
}

/** The difference to what was committed before. */
export interface StoreChange {
  readonly set: readonly ConsumerEntry[];
  readonly removed: readonly string[];
}

/** Reports of one file; a file of another kind has an error on every line. */
export const MOST_REPORTED = 20;

/** Collects the diagnostics of a file, up to a number. */
export class Reports {
  readonly diagnostics: Diagnostic[] = [];
  #more = 0;

  readonly add = (diagnostic: Diagnostic): void => {
    if (this.diagnostics.length < MOST_REPORTED) this.diagnostics.push(diagnostic);
    else this.#more++;
  };

  get full(): boolean {
    return this.diagnostics.length >= MOST_REPORTED;
  }

  /** Counts an error that is not shown. */
  skip(): void {
    this.#more++;
  }

  /** All of them; the last one says how many are not shown. */
  end(): readonly Diagnostic[] {
    const last = this.diagnostics.at(-1);
    if (this.#more === 0 || last === undefined) return this.diagnostics;
    const message = `${last.message} The file has ${this.#more} more ${this.#more === 1 ? 'error' : 'errors'}.`;
    return [...this.diagnostics.slice(0, -1), { ...last, message }];
  }
}
