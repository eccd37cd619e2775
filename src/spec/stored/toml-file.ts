/**
 * A file of consumers in TOML: `[consumer.NAME]` as in a spec, and nothing else. Sections are read one by one without places,
 * and only those that differ from before. If anything is wrong, the whole file is read with places.
 */
import type { ConsumerEntry } from '../../bundle/types.js';
import type { Span } from '../../schema/diagnostic.js';
import type { TableEntry } from '../../schema/tree.js';
import type { SourceFile } from '../model.js';
import { Source } from '../source.js';
import { cutText } from '../toml/cut.js';
import { parseToml, tomlValue } from '../toml/toml.js';
import { type FileChange, type ReadConsumers, type ReadEntry, Reports, spanIn } from './change.js';
import { plainNode } from './json-nodes.js';

export class TomlFile implements ReadConsumers {
  readonly text: string;
  readonly entries = new Map<string, ConsumerEntry>();
  /** By the text of their section; empty if the file was read as a whole. */
  readonly sections = new Map<string, ConsumerEntry>();

  constructor(
    readonly path: string,
    readonly absolute: string,
    readonly bytes: Buffer,
  ) {
    this.text = bytes.toString('utf8');
  }

  names(): Iterable<string> {
    return this.entries.keys();
  }

  find(name: string, key?: string): Span | undefined {
    const section = parseToml(this.source(), 'spec').value?.entries.get('consumer')?.value;
    return section?.kind === 'table' ? spanIn(section.entries.get(name), key) : undefined;
  }

  source(): Source {
    return new Source(this.path, this.absolute, this.text);
  }
}

/** Reads a file, and compares its consumers with those of `before`. */
export function readTomlFile(file: TomlFile, before: ReadConsumers | undefined, readEntry: ReadEntry): FileChange {
  const old = before instanceof TomlFile ? before : undefined;
  const reports = new Reports();
  if (!readSections(file, old, readEntry)) {
    file.entries.clear();
    file.sections.clear();
    readWhole(file, readEntry, reports);
  }
  const known = old?.entries ?? new Map<string, ConsumerEntry>();
  const added = [...file.entries.values()].filter((entry) => !same(known.get(entry.name), entry));
  const removed = [...known.values()].filter((entry) => !same(file.entries.get(entry.name), entry));
  return { file, removed: removed.map(({ name }) => name), added, diagnostics: reports.end() };
}

const same = (one: ConsumerEntry | undefined, other: ConsumerEntry): boolean =>
  one === other || (one !== undefined && JSON.stringify(one) === JSON.stringify(other));

/** A part of a string refers to the whole string; a copy does not keep it in memory. */
const copyOf = (part: string): string => Buffer.from(part, 'utf16le').toString('utf16le');

const NOWHERE: Span = {
  file: '',
  start: { offset: 0, line: 1, column: 1 },
  end: { offset: 0, line: 1, column: 1 },
};

/** False if a section cannot be read on its own or has errors. */
function readSections(file: TomlFile, old: TomlFile | undefined, readEntry: ReadEntry): boolean {
  for (const { start, end, kind, name } of cutText(file.text, new Set())) {
    const text = file.text.slice(start, end);
    if (kind !== 'consumer') {
      if (/^(?:\uFEFF?\s*(?:#.*)?(?:\r?\n|$))*$/.test(text)) continue;
      return false;
    }
    const entry = old?.sections.get(text) ?? sectionEntry(text, name, readEntry);
    if (!entry) return false;
    file.entries.set(name, entry);
    file.sections.set(copyOf(text), entry);
  }
  return true;
}

function sectionEntry(text: string, name: string, readEntry: ReadEntry): ConsumerEntry | undefined {
  let failed = false;
  const fail = (): void => {
    failed = true;
  };
  try {
    const root = plainNode(tomlValue(text), NOWHERE);
    const section = root.kind === 'table' && root.entries.size === 1 ? root.entries.get('consumer')?.value : undefined;
    const declared = section?.kind === 'table' && section.entries.size === 1 ? section.entries.get(name) : undefined;
    const entry = declared && readEntry(declared, fail, true);
    return failed ? undefined : entry;
  } catch {
    // Whatever is wrong, the text of the whole file shows it better.
    return undefined;
  }
}

function readWhole(file: TomlFile, readEntry: ReadEntry, reports: Reports): void {
  const source = file.source();
  const { value, diagnostics } = parseToml(source, 'spec');
  for (const diagnostic of diagnostics) reports.add(diagnostic);
  for (const entry of value?.entries.values() ?? []) {
    if (entry.key === 'consumer' && entry.value.kind === 'table') {
      for (const each of entry.value.entries.values()) {
        const found = readEntry(each, reports.add);
        if (found) file.entries.set(found.name, found);
      }
    } else reports.add(refused(entry, source));
  }
}

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
  'state',
]);
