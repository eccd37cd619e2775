/** Reads a spec: text -> located tree -> model. */
import type { Diagnostic, Outcome } from '../schema/diagnostic.js';
import { buildModel } from './build.js';
import { loadFiles, type ReadFile } from './files.js';
import type { Model, SourceFile } from './model.js';

export { declarations as policyDeclarations } from '../policies/registry.js';
export { type CodeEntry, SPEC_CODES } from './codes.js';
export type * from './model.js';

export interface LoadOptions {
  /** The root file; what it names is relative to it. */
  readonly path: string;
  /** Files laid over the spec, in this order: `gateway.prod.toml`. */
  readonly overlays?: readonly string[] | undefined;
  /** Content to use instead of the root file's: an editor's unsaved text. */
  readonly text?: string | undefined;
  /** The root file and overlays may be pipes, for whose writers this call waits. Default true. */
  readonly pipes?: boolean | undefined;
  /** Reads the files; left out, from the disk. A watcher notes which they are. */
  readonly read?: ReadFile | undefined;
}

export interface LoadOutcome extends Outcome<Model> {
  /** Every file that was read or tried, also when there is no value: what diagnostics point into. */
  readonly files: readonly SourceFile[];
}

/**
 * Reads a spec with everything that it includes, synchronously. Never throws, whatever the files hold.
 *
 * Reports all errors, in any order. The value exists whenever the root file could be parsed. With errors it is partial:
 * entities with errors are left out, and no entity is half read. It is complete only without errors.
 */
export function loadSpec(options: LoadOptions): LoadOutcome {
  const { sources, tree, root, diagnostics } = loadFiles(options);
  const all: Diagnostic[] = [...diagnostics];
  const value = tree && buildModel(tree, sources, root, (diagnostic) => all.push(diagnostic));
  return { value, diagnostics: all, files: sources.files };
}
