/** The consumers of a spec as it is on disk, for `gw keys`. */
import { hasErrors } from '../../schema/diagnostic.js';
import { loadSpec } from '../../spec/index.js';
import { consumerEntry } from '../../spec/stored/entry.js';
import type { ConsumerPlaces, PlacedConsumer } from './places.js';

/** A text says why the spec cannot be read. Errors in parts of it do not matter: a key must be revocable at any time. */
export function createKeysPlaces(path: string, overlays: readonly string[]): ConsumerPlaces | string {
  const { value: model, diagnostics, files } = loadSpec({ path, overlays, code: 'none' });
  if (!model) {
    const first = diagnostics.find(({ severity }) => severity === 'error');
    if (first === undefined) return 'cannot be read';
    return first.code === 'file/unreadable' ? first.message : `${first.message} \`gw validate\` shows where.`;
  }
  const { stored, root, consumerFiles } = model;
  const absolute = new Map(files.map((file) => [file.path, file.absolute]));
  const own = new Map<string, PlacedConsumer>();
  for (const { name, config, credentials, plan, nameSpan } of model.consumers) {
    own.set(name, { entry: consumerEntry(name, config, credentials, plan?.name), file: absolute.get(nameSpan.file) });
  }
  const placed = (name: string): PlacedConsumer | undefined => {
    const entry = stored.get(name);
    return entry === undefined ? own.get(name) : { entry, file: stored.pathOf(name) };
  };
  return {
    find: placed,
    *all() {
      yield* own.values();
      for (const entry of stored.entries()) yield { entry, file: stored.pathOf(entry.name) };
    },
    hasPlan: (name) => model.plans.some((plan) => plan.name === name),
    root,
    patterns: consumerFiles,
    files: stored.paths,
    spec: path,
    incomplete: hasErrors(diagnostics),
  };
}
