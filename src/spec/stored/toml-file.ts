/** A file of consumers in TOML: `[consumer.NAME]` as in a spec, and nothing else. Only sections that differ are parsed. */
import type { ConsumerEntry } from '../../bundle/types.js';
import type { Span } from '../../schema/diagnostic.js';
import type { TableEntry } from '../../schema/tree.js';
import type { SourceFile } from '../model.js';
import { Source } from '../source.js';
import type { TreeCache } from '../toml/tree-cache.js';
import { type FileChange, type ReadConsumers, type ReadEntry, Reports, spanIn } from './change.js';

export class TomlFile implements ReadConsumers {
  readonly #text: string;
  readonly entries = new Map<string, ConsumerEntry>();
  /** Where each is declared. */
  readonly #places = new Map<string, TableEntry>();

  constructor(
    readonly path: string,
    readonly absolute: string,
    readonly bytes: Buffer,
  ) {
    this.#text = bytes.toString('utf8');
  }

  names(): Iterable<string> {
    return this.entries.keys();
  }

  find(name: string, key?: string): Span | undefined {
    return spanIn(this.#places.get(name), key);
  }

  source(): Source {
    return new Source(this.path, this.absolute, this.#text);
  }

  add(place: TableEntry, entry: ConsumerEntry): void {
    this.entries.set(entry.name, entry);
    this.#places.set(entry.name, place);
  }
}

/** Reads a file, and compares its consumers with those of `before`. */
export function readTomlFile(
  file: TomlFile,
  before: ReadConsumers | undefined,
  trees: TreeCache,
  readEntry: ReadEntry,
): FileChange {
  const reports = new Reports();
  const source = file.source();
  const { value, diagnostics } = trees.parse(source, 'spec');
  for (const diagnostic of diagnostics) reports.add(diagnostic);
  for (const entry of value?.entries.values() ?? []) {
    if (entry.key === 'consumer' && entry.value.kind === 'table') {
      for (const each of entry.value.entries.values()) {
        const found = readEntry(each, reports.add);
        if (found) file.add(each, found);
      }
    } else reports.add(refused(entry, source));
  }
  const known = before instanceof TomlFile ? before.entries : new Map<string, ConsumerEntry>();
  const added = [...file.entries.values()].filter((entry) => !same(known.get(entry.name), entry));
  const removed = [...known.values()].filter((entry) => !same(file.entries.get(entry.name), entry));
  return { file, removed: removed.map(({ name }) => name), added, diagnostics: reports.end() };
}

const same = (one: ConsumerEntry | undefined, other: ConsumerEntry): boolean =>
  one === other || (one !== undefined && JSON.stringify(one) === JSON.stringify(other));

function refused({ key, keySpan, value }: TableEntry, { path }: SourceFile) {
  const table = value.kind === 'table' && !SECTIONS.has(key);
  return {
    code: 'consumer/file',
    severity: 'error',
    span: keySpan,
    message: `\`${key.slice(0, 60)}\` is not a consumer: ${path} may declare only consumers.`,
    help: table
      ? `Write \`[consumer.${/^[\w-]+$/.test(key) ? key : 'NAME'}]\`, as in a spec.`
      : 'Move it to the spec, or name this file in `include` instead of `consumers`.',
  } as const;
}

/** Sections of a spec: not the name of a consumer whose header lacks `consumer.`. */
const SECTIONS: ReadonlySet<string> = new Set([
  'access_log',
  'admin',
  'consumer',
  'defaults',
  'lint',
  'listener',
  'normalize',
  'overload',
  'plan',
  'policy',
  'service',
]);
