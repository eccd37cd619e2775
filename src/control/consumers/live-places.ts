/** The consumers of a running gateway and the files that declare them, for the admin API. */
import { resolve } from 'node:path';
import type { ConsumerStore } from '../../spec/stored/store.js';
import type { Candidate } from '../reload/candidate.js';
import { nameOfSource, type Source } from '../reload/source.js';
import type { ConsumerPlaces, PlacedConsumer } from './places.js';

const KEYS = ['api_keys', 'credentials', 'plan', 'groups', 'tags', 'disabled', 'keep_streams'];

/** The file is part of the spec: a change needs a reload. */
export const isOfSpec = ({ program, root }: Candidate, file: string): boolean =>
  program.provenance.files.some(({ path }) => resolve(root, path) === file);

/** What serves. */
export function livePlaces({ program, root }: Candidate, store: ConsumerStore, source: Source): ConsumerPlaces {
  const spec = source.kind === 'spec' ? nameOfSource(source) : undefined;
  const { origins } = program.provenance;
  const placed = (entry: PlacedConsumer['entry']): PlacedConsumer => {
    if (spec === undefined) return { entry, file: undefined };
    const file = KEYS.map((key) => origins[`consumer.${entry.name}.${key}`]?.file).find((path) => path !== undefined);
    return { entry, file: file === undefined ? spec : resolve(root, file) };
  };
  const stored = (entry: PlacedConsumer['entry']): PlacedConsumer => ({ entry, file: store.pathOf(entry.name) });
  return {
    find(name) {
      const entry = store.get(name);
      if (entry) return stored(entry);
      const own = program.consumers.find((consumer) => consumer.name === name);
      return own && placed(own);
    },
    *all() {
      for (const entry of program.consumers) yield placed(entry);
      for (const entry of store.entries()) yield stored(entry);
    },
    hasPlan: (name) => program.plans.some((plan) => plan.name === name),
    root,
    patterns: program.consumerFiles ?? [],
    files: store.paths,
    spec,
    incomplete: false,
  };
}
