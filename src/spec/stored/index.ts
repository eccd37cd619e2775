/** Reads the consumers of files for a model. */
import type { Program } from '../../bundle/types.js';
import type { Diagnostic, Span } from '../../schema/diagnostic.js';
import type { ConsumerModel, Model, PlanModel, StoredConsumers } from '../model.js';
import { DeclaredNames, unresolved } from '../names.js';
import type { PolicyFiles } from '../policy-files.js';
import { consumerEntry, entryReader } from './entry.js';
import type { ConsumerStore, ReadBytes, StoreRead } from './store.js';

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

/** Reads what has changed in the files of consumers, and reports what is wrong. Nothing takes effect before commit(). */
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

/** What a program says about the consumers of files: of a bundle, or of a spec that is live. */
export interface ProgramAround {
  readonly program: Pick<Program, 'consumers' | 'consumerFiles' | 'plans'>;
  /** The folder of the root spec or of the bundle. */
  readonly root: string;
  /** Where something is written: `consumers.0`, `consumer.acme`. */
  readonly spanOf: (path: string) => Span;
  readonly policyFiles: PolicyFiles;
}

/** The same for a program: a model is not needed. */
export function readStoredOf(
  { program, root, spanOf, policyFiles }: ProgramAround,
  { store, read }: StoreTools,
): StoreRead {
  const plans = new DeclaredNames<true>();
  for (const { name } of program.plans) plans.add(name, true);
  return store.read(
    {
      root,
      patterns: (program.consumerFiles ?? []).map((pattern, index) => ({
        pattern,
        span: spanOf(`consumers.${index}`),
      })),
      readEntry: entryReader(policyFiles.read),
      declared: program.consumers.map((entry) => ({
        entry,
        get span() {
          return spanOf(`consumer.${entry.name}`);
        },
      })),
      plans: { has: (name) => plans.isKnown(name), unknown: (name, span) => unresolved('plan', name, span, plans) },
    },
    read,
  );
}
