/** Reads a spec: text -> located tree -> model. */
import { CodeThread } from '../custom/code-thread.js';
import type { Diagnostic, Outcome } from '../schema/diagnostic.js';
import { buildModel } from './build.js';
import { CustomKinds } from './custom.js';
import { loadFiles, type ReadFile } from './files.js';
import type { Model, SourceFile } from './model.js';
import { PolicyFiles, type ReadNamed } from './policy-files.js';
import type { StoreTools } from './stored/index.js';
import { ConsumerStore } from './stored/store.js';
import type { TreeCache } from './toml/tree-cache.js';

export { declarations as actionDeclarations } from '../actions/registry.js';
export { declarations as policyDeclarations } from '../policies/registry.js';
export { ACTION_KEYS } from './actions.js';
export { type CodeEntry, SPEC_CODES } from './codes.js';
export type * from './model.js';
export { TreeCache } from './toml/tree-cache.js';

export interface LoadOptions {
  /** The root file; paths in it are relative to it. */
  readonly path: string;
  /** Overlay files, applied in this order: `gateway.prod.toml`. */
  readonly overlays?: readonly string[] | undefined;
  /** Text to use instead of the content of the root file, such as unsaved text of an editor. */
  readonly text?: string | undefined;
  /** Whether the root file and overlays may be pipes; this call waits for their writers. Default: true. */
  readonly pipes?: boolean | undefined;
  /** Reads a file. Default: from disk. A watcher records the paths. */
  readonly read?: ReadFile | undefined;
  /** Keeps trees from one load to the next; for one spec, of a process that loads it again and again. */
  readonly trees?: TreeCache | undefined;
  /** Keeps the consumers of files from one load to the next; for one spec. */
  readonly store?: StoreTools | undefined;
  /** Reads a file that the config of a policy names. Default: from disk. */
  readonly readNamed?: ReadNamed | undefined;
  /**
   * Runs the compile parts of custom policies and actions. Default: a thread that ends after a time without work. `none`: no
   * code runs; the settings of custom policies are not checked, and the model cannot be compiled.
   */
  readonly code?: CodeThread | 'none' | undefined;
}

export interface LoadOutcome extends Outcome<Model> {
  /** Every file that was read or tried, also without a value; diagnostics point into them. */
  readonly files: readonly SourceFile[];
  /** Custom code that was not run, as `use` names it. */
  readonly unchecked: readonly string[];
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
  const { code = new CodeThread(), readNamed, store = { store: new ConsumerStore() } } = options;
  const policyFiles = new PolicyFiles(root, readNamed);
  const custom = new CustomKinds(root, policyFiles, code === 'none' ? undefined : code);
  sources.custom = custom;
  const value = tree && buildModel(tree, sources, { root, policyFiles, store }, (diagnostic) => all.push(diagnostic));
  return {
    value,
    diagnostics: all,
    files: [...sources.files, ...custom.sources, ...(value?.stored.sourcesOf(all) ?? [])],
    unchecked: custom.unchecked,
  };
}
