/**
 * The consumers of the files that `consumers` names: a store of its own, by the thousands. A read parses only what has changed
 * since the last one, and takes effect with `commit()`: a file with errors leaves everything as it was.
 */
import type { ConsumerEntry } from '../../bundle/types.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { SourceFile } from '../model.js';
import { decodeText, type ReadProblem, readBytes } from '../source.js';
import type { FileChange, ReadConsumers, ReadEntry, StoreChange, StoreContext } from './change.js';
import { checkStored } from './check.js';
import { Draft, Known } from './draft.js';
import { LineFile, readLineFile } from './line-file.js';
import { isLines, type StoredPath, storedPaths } from './patterns.js';
import { readTomlFile, TomlFile } from './toml-file.js';

/** Reads a file by absolute path. Never throws. */
export type ReadBytes = (absolute: string) => Buffer | ReadProblem;

/** A read that can take effect. */
export interface StoreRead {
  readonly diagnostics: readonly Diagnostic[];
  readonly change: StoreChange;
  readonly size: number;
  readonly paths: readonly string[];
  /** All consumers, as after commit(). */
  entries(): Iterable<ConsumerEntry>;
  /** The same, by name. */
  get(name: string): ConsumerEntry | undefined;
  pathOf(name: string): string | undefined;
  placeOf(name: string): Span | undefined;
  sourcesOf(diagnostics: readonly Diagnostic[]): readonly SourceFile[];
  /** Call it at most once, before any other read takes effect, and not after errors. */
  commit(): void;
}

const NOTHING: StoreChange = { set: [], removed: [] };

export class ConsumerStore {
  #files = new Map<string, ReadConsumers>();
  readonly #known = new Known();

  /** Number of consumers. */
  get size(): number {
    return this.#known.entries.size;
  }

  /** The files, by absolute path, sorted. */
  get paths(): readonly string[] {
    return [...this.#files.keys()].sort();
  }

  get(name: string): ConsumerEntry | undefined {
    return this.#known.entries.get(name);
  }

  /** Absolute path of the file that declares a consumer. */
  pathOf(name: string): string | undefined {
    return this.#known.files.get(name);
  }

  entries(): Iterable<ConsumerEntry> {
    return this.#known.entries.values();
  }

  /** Reads the files. Never throws, whatever they hold. */
  read(context: StoreContext, bytesOf: ReadBytes = readBytes): StoreRead {
    const diagnostics: Diagnostic[] = [];
    const paths = storedPaths(context.patterns, context.root, (diagnostic) => diagnostics.push(diagnostic));
    const files = new Map<string, ReadConsumers>();
    const changes: FileChange[] = [];
    for (const path of paths) {
      const change = this.#readFile(path, context.readEntry, bytesOf);
      if ('severity' in change) {
        diagnostics.push(change);
        continue;
      }
      files.set(path.absolute, change.file);
      changes.push(change);
      diagnostics.push(...change.diagnostics);
    }
    for (const [absolute, file] of this.#files) {
      if (!files.has(absolute)) changes.push({ file, removed: [...file.names()], added: [], diagnostics: [] });
    }
    const draft = new Draft(this.#known, files, changes);
    diagnostics.push(...checkStored(draft, context));
    return this.#outcome(draft, files, diagnostics);
  }

  #readFile({ path, absolute, named }: StoredPath, readEntry: ReadEntry, bytesOf: ReadBytes): FileChange | Diagnostic {
    const before = this.#files.get(absolute);
    const bytes = bytesOf(absolute);
    if (!Buffer.isBuffer(bytes)) return fileProblem(bytes, path, named.span);
    if (before?.bytes.equals(bytes)) return { file: before, removed: [], added: [], diagnostics: [] };
    const text = decodeText(bytes);
    if (typeof text !== 'string') return fileProblem(text, path, named.span);
    return isLines(path)
      ? readLineFile(new LineFile(path, absolute, bytes), before, readEntry)
      : readTomlFile(new TomlFile(path, absolute, bytes), before, readEntry);
  }

  #outcome(draft: Draft, files: Map<string, ReadConsumers>, diagnostics: readonly Diagnostic[]): StoreRead {
    const { change } = draft;
    return {
      diagnostics,
      get change() {
        return draft.committed ? NOTHING : change;
      },
      size: draft.size,
      entries: () => draft.entries(),
      get: (name) => draft.get(name),
      paths: [...files.keys()].sort(),
      pathOf: (name) => draft.fileOf(name)?.absolute,
      placeOf: (name) => draft.fileOf(name)?.find(name),
      sourcesOf: (shown) => {
        const paths = new Set(
          shown.flatMap(({ span, related = [] }) => [span, ...related.map((one) => one.span)].map(({ file }) => file)),
        );
        return [...files.values()].filter(({ path }) => paths.has(path)).map((file) => file.source());
      },
      commit: () => {
        if (draft.committed) return;
        this.#files = files;
        draft.commit();
      },
    };
  }
}

function fileProblem({ code, message, help }: ReadProblem, path: string, span: Span): Diagnostic {
  const named = message.replace(/^The file/, `The file \`${path}\` of consumers`);
  const where =
    'Check the path and its permissions. It is relative to the root spec. `gw keys new NAME --create` writes a first file.';
  return { code, severity: 'error', span, message: named, help: code === 'file/unreadable' ? where : help };
}
