/** The consumers of files for a gateway: what a build or a refresh has read, with references resolved. */

import type { ConsumerEntry, Program } from '../../bundle/types.js';
import { type Diagnostic, hasErrors } from '../../schema/diagnostic.js';
import type { SourceFile, StoredConsumers } from '../../spec/model.js';
import { PolicyFiles } from '../../spec/policy-files.js';
import { readStoredOf } from '../../spec/stored/index.js';
import type { ConsumerStore } from '../../spec/stored/store.js';
import type { ConsumerChanges } from '../../state/consumers/set.js';
import { hasReferences, resolveConsumers } from '../references/consumers.js';
import { Places } from '../references/places.js';
import type { SecretLookup } from '../references/resolve.js';
import type { Reads } from '../watch/reads.js';

/** Consumers of files that can go live. */
export interface StoredCandidate {
  /** The difference to what is live; nothing after commit(). */
  readonly change: ConsumerChanges;
  readonly consumers: StoredConsumers;
  /** They are live. Idempotent. */
  commit(): void;
}

export interface StoredAttempt {
  /** Undefined with errors. */
  readonly stored: StoredCandidate | undefined;
  readonly diagnostics: readonly Diagnostic[];
  /** For code frames. */
  readonly files: readonly SourceFile[];
}

export interface StoredAround {
  readonly program: Program;
  /** The folder of the spec or of the bundle. */
  readonly root: string;
  readonly env: { readonly [name: string]: string | undefined };
  /** Of the files of consumers. */
  readonly reads: Reads;
  readonly secrets: SecretLookup;
}

/** A consumer of a spec is where one of its keys is. */
const KEYS = ['', '.groups', '.plan', '.api_keys', '.credentials', '.tags', '.disabled', '.keep_streams'];

const NOTHING: ConsumerChanges = { set: [], removed: [] };

/** The consumers with references. */
export const openConsumers = (consumers: StoredConsumers): readonly ConsumerEntry[] =>
  Array.from(consumers.entries()).filter(hasReferences);

/** Resolves references. `all`: also those of consumers that have not changed, because what they name may have. */
export function resolveStored(consumers: StoredConsumers, around: StoredAround, all: boolean): StoredAttempt {
  const { change } = consumers;
  const open = all ? openConsumers(consumers) : change.set.filter(hasReferences);
  let [set, diagnostics, files]: [ConsumerChanges['set'], readonly Diagnostic[], readonly SourceFile[]] = [
    change.set,
    [],
    [],
  ];
  if (open.length > 0) {
    const places = open.map(({ name }) => consumers.placeOf(name)).filter((span) => span !== undefined);
    files = consumers.sourcesOf(places.map((span) => ({ code: '', severity: 'error', span, message: '' })));
    const written = { files, fallback: files[0]?.path ?? '' };
    const resolved = resolveConsumers(open, around.program, around, written);
    diagnostics = resolved.diagnostics;
    const names = new Set(open.map(({ name }) => name));
    set = [...change.set.filter(({ name }) => !names.has(name)), ...resolved.consumers];
  }
  if (hasErrors(diagnostics)) return { stored: undefined, diagnostics, files };
  let committed = false;
  const stored: StoredCandidate = {
    get change() {
      return committed ? NOTHING : { set, removed: change.removed };
    },
    consumers,
    commit: () => {
      if (committed) return;
      committed = true;
      consumers.commit();
    },
  };
  return { stored, diagnostics, files };
}

/** Notes the patterns of a program, so that files which match later are seen. */
export function notePatterns({ program, root, reads }: StoredAround): void {
  for (const pattern of program.consumerFiles ?? []) reads.notePattern({ pattern, base: root });
}

/** Reads the files for a program: that of a bundle, or the live one. `files`: of its spec. */
export function readStored(
  around: StoredAround,
  store: ConsumerStore,
  files: readonly SourceFile[],
  fallback: string,
): StoredAttempt & { readonly consumers: StoredConsumers } {
  const { program, root, reads } = around;
  const places = new Places(program, files, fallback);
  const read = readStoredOf(
    {
      program,
      root,
      spanOf: (path) =>
        KEYS.map((key) => places.find(path + key)).find((span) => span !== undefined) ?? places.of(path),
      policyFiles: new PolicyFiles(root, reads.readNamed),
    },
    { store, read: reads.readBytes },
  );
  const shown = [...files, ...read.sourcesOf(read.diagnostics)];
  if (hasErrors(read.diagnostics)) {
    return { stored: undefined, diagnostics: read.diagnostics, files: shown, consumers: read };
  }
  const found = resolveStored(read, around, false);
  return {
    ...found,
    diagnostics: [...read.diagnostics, ...found.diagnostics],
    files: [...shown, ...found.files],
    consumers: read,
  };
}
