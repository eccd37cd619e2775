/** Reads the consumers of files for a model. */
import type { Diagnostic } from '../../schema/diagnostic.js';
import type { ConsumerModel, Model, PlanModel, StoredConsumers } from '../model.js';
import { type DeclaredNames, unresolved } from '../names.js';
import type { PolicyFiles } from '../policy-files.js';
import { consumerEntry, entryReader } from './entry.js';
import type { ConsumerStore, ReadBytes } from './store.js';

/** What reading the files needs. */
export interface StoreTools {
  readonly store: ConsumerStore;
  /** Default: from disk. */
  readonly read?: ReadBytes | undefined;
}

interface Around {
  readonly root: string;
  readonly settings: Pick<Model, 'consumerFiles' | 'at'>;
  readonly consumers: readonly ConsumerModel[];
  readonly plans: DeclaredNames<PlanModel>;
  readonly policyFiles: PolicyFiles;
}

export function readStored(
  { root, settings, consumers, plans, policyFiles }: Around,
  { store, read }: StoreTools,
  report: (diagnostic: Diagnostic) => void,
): StoredConsumers {
  const { consumerFiles, at } = settings;
  const written = at.originOf('consumers', 0).from !== 'default';
  const found = store.read(
    {
      root,
      patterns: consumerFiles.map((pattern, index) => ({
        pattern,
        span: written ? at.spanOf('consumers', index) : at.spanOf('consumers'),
      })),
      readEntry: entryReader(policyFiles.read),
      declared: consumers.map(({ name, config, credentials, plan, nameSpan }) => ({
        entry: consumerEntry(name, config, credentials, plan?.name),
        span: nameSpan,
      })),
      plans: {
        has: (name) => plans.isKnown(name),
        unknown: (name, span) => unresolved('plan', name, span, plans),
      },
    },
    read,
  );
  for (const diagnostic of found.diagnostics) report(diagnostic);
  return found;
}
