/** Puts the trees of several files together: includes add to one another, an overlay lies over what is there. */
import type { Diagnostic } from '../schema/diagnostic.js';
import type { ArrayNode, TableEntry, TableNode, TomlNode } from '../schema/tree.js';

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

/** Keys that stand for one another: an overlay that sets one takes the other away. */
const INSTEAD: { readonly [key: string]: string } = { targets: 'run', run: 'targets', to: 'reply', reply: 'to' };

/** Lays `over` upon `base`: tables merge key by key, routes and groups by name, everything else is replaced. */
export function overlay(base: TableNode, over: TableNode): TableNode {
  return overlayTable(base, over);
}

function overlayTable(base: TableNode, over: TableNode): TableNode {
  const entries = new Map(base.entries);
  for (const entry of over.entries.values()) {
    const instead = INSTEAD[entry.key];
    if (instead !== undefined && !over.entries.has(instead)) entries.delete(instead);
    const known = entries.get(entry.key);
    entries.set(entry.key, known ? { ...entry, value: overlayValue(known.value, entry.value, entry.key) } : entry);
  }
  return withEntries(base, entries);
}

function overlayValue(base: TomlNode, over: TomlNode, key: string): TomlNode {
  if (base.kind === 'table' && over.kind === 'table') return overlayTable(base, over);
  if (base.kind === 'array' && over.kind === 'array' && (key === 'route' || key === 'group')) {
    return overlayByName(base, over);
  }
  return over;
}

/** Routes (or groups) of an existing name merge over it; others are added. */
function overlayByName(base: ArrayNode, over: ArrayNode): ArrayNode {
  const items = [...base.items];
  const places = new Map<string, number>();
  items.forEach((item, index) => {
    const name = nameOf(item);
    if (name !== undefined && !places.has(name)) places.set(name, index);
  });
  for (const item of over.items) {
    const place = places.get(nameOf(item) ?? '');
    const known = place === undefined ? undefined : items[place];
    if (place === undefined || known?.kind !== 'table' || item.kind !== 'table') items.push(item);
    else items[place] = overlayTable(known, item);
  }
  return { ...base, items };
}

function nameOf(node: TomlNode): string | undefined {
  const name = node.kind === 'table' ? node.entries.get('name')?.value : undefined;
  return name?.kind === 'string' && name.value !== '' ? name.value : undefined;
}
