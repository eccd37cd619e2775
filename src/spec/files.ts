/** Reads the root file, its includes and the overlays, and merges them into one tree. */
import { realpathSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { Decoder } from '../schema/decoder.js';
import { type Diagnostic, hasErrors, type Span } from '../schema/diagnostic.js';
import { shown } from '../schema/scalars.js';
import { INVALID } from '../schema/schema.js';
import type { From, TableNode, TomlNode } from '../schema/tree.js';
import { expandGlob, hasWildcard } from './glob.js';
import { Merger } from './merge.js';
import { overlay } from './overlay.js';
import { type Removal, removeFrom } from './remove.js';
import { includeShape, removeShape } from './shapes.js';
import { type ReadProblem, readText, Source, Sources } from './source.js';
import { parseToml } from './toml/toml.js';
import type { TreeCache } from './toml/tree-cache.js';

const MAX_FILES = 5000;

/** Reads the text of a file by absolute path. `pipes`: the file may be a pipe. Never throws. */
export type ReadFile = (absolute: string, pipes: boolean) => string | ReadProblem;

export interface LoadedFiles {
  readonly sources: Sources;
  /** Undefined if the root file has no tree. */
  readonly tree: TableNode | undefined;
  readonly root: string;
  readonly diagnostics: readonly Diagnostic[];
}

/** A file on the include path from the root to the current file. */
interface Step {
  readonly identity: string;
  readonly path: string;
}

export function loadFiles(options: {
  readonly path: string;
  readonly overlays?: readonly string[] | undefined;
  readonly text?: string | undefined;
  readonly pipes?: boolean | undefined;
  readonly read?: ReadFile | undefined;
  readonly trees?: TreeCache | undefined;
}): LoadedFiles {
  const absolute = resolve(options.path);
  const overlays = options.overlays ?? [];
  const loader = new Loader(
    dirname(absolute),
    overlays.map((path) => identityOf(resolve(path))),
    options.pipes ?? true,
    options.read ?? readText,
    options.trees,
  );
  let tree = loader.load(absolute, 'spec', undefined, [], options.text);
  for (const path of overlays) {
    const over = loader.load(resolve(path), 'overlay', undefined, []);
    if (tree && over) tree = loader.layOver(tree, over);
  }
  options.trees?.endBuild(!hasErrors(loader.diagnostics));
  return { sources: loader.sources, tree, root: loader.root, diagnostics: loader.diagnostics };
}

class Loader {
  readonly sources = new Sources();
  readonly diagnostics: Diagnostic[] = [];
  readonly #loaded = new Set<string>();

  constructor(
    readonly root: string,
    /** Files that wildcards do not match. */
    readonly overlays: readonly string[],
    /** Whether files from the command line may be pipes. */
    readonly pipes: boolean,
    readonly read: ReadFile,
    readonly trees: TreeCache | undefined,
  ) {}

  /** `at`: the string that names the file; undefined for a file from the command line. */
  load(
    absolute: string,
    from: From,
    at: Span | undefined,
    chain: readonly Step[],
    given?: string,
  ): TableNode | undefined {
    const identity = identityOf(absolute);
    const path = this.#shown(absolute);
    if (chain.some((step) => step.identity === identity)) {
      this.#reportCycle([...chain, { identity, path }], at);
      return undefined;
    }
    // A file matched by two patterns is loaded once.
    if (this.#loaded.has(identity)) return undefined;
    this.#loaded.add(identity);
    const text = given ?? this.read(absolute, this.pipes && at === undefined);
    const source = new Source(path, absolute, typeof text === 'string' ? text : '');
    this.sources.add(source);
    if (typeof text !== 'string') {
      const subject = at ? text.message.replace(/^The file/, `The included file \`${path}\``) : text.message;
      this.diagnostics.push({ ...text, severity: 'error', span: at ?? source.span(0, 0), message: subject });
      return undefined;
    }
    const { value, diagnostics } = this.trees?.parse(source, from) ?? parseToml(source, from);
    for (const diagnostic of diagnostics) this.diagnostics.push(diagnostic);
    if (value && chain.length > 0) this.#refuseVersion(value);
    return value && this.#withIncludes(value, absolute, from, [...chain, { identity, path }]);
  }

  /** Removals are applied first, so that the overlay can define the same thing again. */
  layOver(tree: TableNode, over: TableNode): TableNode {
    const entries = new Map(over.entries);
    const written = entries.get('remove');
    entries.delete('remove');
    const removals = written ? this.#removals(written.value) : [];
    const report = (diagnostic: Diagnostic): void => void this.diagnostics.push(diagnostic);
    return overlay(removeFrom(tree, removals, report), { ...over, entries }, report);
  }

  #removals(node: TomlNode): Removal[] {
    const decoder = new Decoder(node);
    const paths = decoder.within('remove', node, undefined, () => removeShape.decode(node, decoder));
    decoder.explain(0, `\`remove = ["route.debug"]\`: ${removeShape.doc}`);
    for (const diagnostic of decoder.diagnostics) this.diagnostics.push(diagnostic);
    if (paths === INVALID) return [];
    return paths.map((path, index) => ({ path, span: decoder.spanOf('remove', index) }));
  }

  #withIncludes(tree: TableNode, absolute: string, from: From, chain: readonly Step[]): TableNode {
    const include = tree.entries.get('include')?.value;
    const entries = new Map(tree.entries);
    entries.delete('include');
    if (chain.length > 1) entries.delete('spec');
    let merged: TableNode = { ...tree, entries };
    const merger = new Merger((diagnostic) => this.diagnostics.push(diagnostic));
    for (const { path, at } of include ? this.#included(include, absolute) : []) {
      if (this.sources.files.length >= MAX_FILES) {
        const message = `This include brings the spec to more than ${MAX_FILES} files.`;
        const help = 'Check that the pattern matches only files of the spec, or put several routes into one file.';
        this.diagnostics.push({ code: 'include/too-many', severity: 'error', span: at, message, help });
        return merged;
      }
      const added = this.load(path, from, at, chain);
      if (added) merged = merger.add(merged, added);
    }
    return merged;
  }

  #included(include: TomlNode, absolute: string): { readonly path: string; readonly at: Span }[] {
    const decoder = new Decoder(include);
    const patterns = decoder.within('include', include, undefined, () => includeShape.decode(include, decoder));
    decoder.explain(0, 'Write paths or patterns: `include = ["routes/*.toml"]`.');
    for (const diagnostic of decoder.diagnostics) this.diagnostics.push(diagnostic);
    if (patterns === INVALID) return [];
    return patterns.flatMap((pattern, index) => {
      const at = decoder.spanOf('include', index);
      if (!hasWildcard(pattern)) return [{ path: resolve(dirname(absolute), pattern), at }];
      const { paths, whole } = expandGlob(pattern, dirname(absolute));
      if (!whole) this.#reportTooMuch(pattern, at);
      else if (paths.length === 0) this.#reportNothing(pattern, at);
      // `*.toml` does not match the file itself or the overlays.
      const apart = [identityOf(absolute), ...this.overlays];
      return paths.filter((path) => !apart.includes(identityOf(path))).map((path) => ({ path, at }));
    });
  }

  #reportTooMuch(pattern: string, span: Span): void {
    this.diagnostics.push({
      code: 'include/too-many',
      severity: 'error',
      span,
      message: `\`${shown(pattern)}\` matches in too many folders or has too many alternatives.`,
      help: 'Begin the pattern with the folder of the included files, such as `routes/**/*.toml`.',
    });
  }

  #reportNothing(pattern: string, span: Span): void {
    this.diagnostics.push({
      code: 'include/nothing',
      severity: 'warning',
      span,
      message: `No file matches \`${shown(pattern)}\`.`,
      help: 'Check the pattern. It is relative to the file that contains it.',
    });
  }

  #reportCycle(steps: readonly Step[], at: Span | undefined): void {
    const last = steps.at(-1)!;
    const from = steps.findIndex((step) => step.identity === last.identity);
    const cycle = steps.slice(from).map((step) => `\`${step.path}\``);
    this.diagnostics.push({
      code: 'include/cycle',
      severity: 'error',
      span: at ?? { file: last.path, start: ORIGIN, end: ORIGIN },
      message: `These files include each other in a cycle: ${cycle.join(' -> ')}.`,
      help: 'Remove one of these includes. An included file can already use everything from the file that includes it.',
    });
  }

  #refuseVersion(tree: TableNode): void {
    const entry = tree.entries.get('spec');
    if (!entry) return;
    this.diagnostics.push({
      code: 'include/version',
      severity: 'error',
      span: entry.keySpan,
      message: 'An included file cannot set `spec`; only the root file sets the spec version.',
      help: 'Remove this line.',
    });
  }

  #shown(absolute: string): string {
    return (relative(this.root, absolute) || absolute).split(sep).join('/');
  }
}

const ORIGIN = { offset: 0, line: 1, column: 1 };

/** Equal for two paths of the same file. A missing file is identified by its path. */
function identityOf(absolute: string): string {
  try {
    return realpathSync(absolute);
  } catch {
    return absolute;
  }
}
