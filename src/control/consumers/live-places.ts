/** The consumers of a running gateway and the files that declare them, for the admin API. */
import { resolve } from 'node:path';
import type { Program } from '../../bundle/types.js';
import type { ConsumerStore } from '../../spec/stored/store.js';
import type { ConsumerPlaces, PlacedConsumer } from './places.js';

const KEYS = ['api_keys', 'credentials', 'plan', 'groups', 'tags', 'disabled', 'keep_streams'];

/** What serves, and the folder of its spec or bundle. */
interface Live {
  readonly program: Program;
  readonly root: string;
}

/** The file is part of the spec: a change needs a reload. */
export const isOfSpec = ({ program, root }: Live, file: string): boolean =>
  program.provenance.files.some(({ path }) => resolve(root, path) === file);

/** `spec`: the root spec; undefined: its consumers are not in files that can be edited. */
export function livePlaces({ program, root }: Live, store: ConsumerStore, spec: string | undefined): ConsumerPlaces {
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
