/** Puts the trees of files together that include one another: each adds to what is there. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { TableEntry, TableNode, TomlNode } from '../schema/tree.js';

type Report = (diagnostic: Diagnostic) => void;

/** Tables of named entities: files may each add some. */
const SECTIONS: ReadonlySet<string> = new Set(['listener', 'service', 'consumer', 'plan', 'policy']);
/** Tables of settings: files may each set some keys. */
const SETTINGS: ReadonlySet<string> = new Set([
  'normalize',
  'admin',
  'access_log',
  'overload',
  'lint',
  'defaults',
  'defaults.service',
  'defaults.listener',
]);

const withEntries = (table: TableNode, entries: Map<string, TableEntry>): TableNode => ({ ...table, entries });

/** Adds what an included file holds. What both hold is an error at the later place. */
export function addIncluded(base: TableNode, added: TableNode, report: Report): TableNode {
  const entries = new Map(base.entries);
  for (const entry of added.entries.values()) {
    const known = entries.get(entry.key);
    if (!known) entries.set(entry.key, entry);
    else entries.set(entry.key, { ...known, value: together(known, entry, entry.key, report) });
  }
  return withEntries(base, entries);
}

function together(known: TableEntry, entry: TableEntry, path: string, report: Report): TomlNode {
  const [a, b] = [known.value, entry.value];
  const isSection = SECTIONS.has(path) || SETTINGS.has(path);
  if (a.kind === 'table' && b.kind === 'table' && isSection) return union(a, b, path, report);
  if (a.kind === 'array' && b.kind === 'array' && ['route', 'group', 'lint.allow'].includes(path)) {
    return { ...a, items: [...a.items, ...b.items] };
  }
  report({
    code: 'name/duplicate',
    severity: 'error',
    span: entry.keySpan,
    message: `\`${path}\` is declared twice.`,
    related: [{ span: known.keySpan, message: 'first declared here' }],
    help: 'Files that are included add to one another. To change what another file says, use an overlay.',
  });
  return a;
}

function union(a: TableNode, b: TableNode, path: string, report: Report): TableNode {
  const entries = new Map(a.entries);
  for (const entry of b.entries.values()) {
    const known = entries.get(entry.key);
    if (!known) entries.set(entry.key, entry);
    else entries.set(entry.key, { ...known, value: together(known, entry, `${path}.${entry.key}`, report) });
  }
  return withEntries(a, entries);
}
