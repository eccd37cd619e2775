/** Applies an overlay to a spec: changes named parts wherever they are defined, and adds new complete ones. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { shown } from '../schema/scalars.js';
import { KnownWords } from '../schema/suggest.js';
import type { TableEntry, TableNode, TomlNode } from '../schema/tree.js';
import { ACTION_KEYS } from './actions.js';
import { type Changes, type NamedItem, namedItems, textOf, withChanges } from './items.js';

type Report = (diagnostic: Diagnostic) => void;

/** Keys of which a new entity has at least one; a table without them must name an existing entity. */
const WHOLE: ReadonlyMap<string, readonly string[]> = new Map([
  ['listener', ['address']],
  ['service', ['targets', 'run', 'discover']],
  ['policy', ['use']],
  ['consumer', []],
  ['plan', []],
]);

/** Keys that exclude each other: an overlay that sets one removes the other. */
const INSTEAD: ReadonlyMap<string, readonly string[]> = new Map(
  [['targets', 'run', 'discover'], ['rewrite', 'strip_prefix'], ACTION_KEYS].flatMap((keys) =>
    keys.map((key) => [key, keys.filter((other) => other !== key)] as const),
  ),
);

/** Merges tables key by key and entities, routes and groups by name; replaces everything else. */
export function overlay(base: TableNode, over: TableNode, report: Report): TableNode {
  const entries = new Map(base.entries);
  for (const entry of over.entries.values()) {
    const { key, value } = entry;
    if ((key === 'route' || key === 'group') && isList(value) && isList(entries.get(key)?.value)) continue;
    const known = entries.get(key);
    if (WHOLE.has(key) && value.kind === 'table') entries.set(key, section(known, entry, report));
    else entries.set(key, merged(known, entry));
  }
  const tree = { ...base, entries };
  return new ItemPatcher(tree, report).patch(over);
}

const isList = (node: TomlNode | undefined): boolean => node === undefined || node.kind === 'array';

/** The key span of the base is kept, because the entity is declared there. */
function merged(known: TableEntry | undefined, entry: TableEntry): TableEntry {
  if (known?.value.kind !== 'table' || entry.value.kind !== 'table') return entry;
  return { ...known, value: mergedTable(known.value, entry.value) };
}

function mergedTable(base: TableNode, over: TableNode): TableNode {
  const entries = new Map(base.entries);
  for (const entry of over.entries.values()) entries.set(entry.key, merged(entries.get(entry.key), entry));
  return { ...base, entries };
}

/** For services and routes: of keys that exclude each other, those of the overlay win. */
function mergedExclusive(base: TableNode, over: TableNode): TableNode {
  const entries = new Map(base.entries);
  mergeExclusive(entries, over.entries);
  return { ...base, entries };
}

function mergeExclusive(entries: Map<string, TableEntry>, over: TableNode['entries']): void {
  for (const key of over.keys()) {
    for (const other of INSTEAD.get(key) ?? []) if (!over.has(other)) entries.delete(other);
  }
  for (const entry of over.values()) entries.set(entry.key, merged(entries.get(entry.key), entry));
}

function section(known: TableEntry | undefined, over: TableEntry, report: Report): TableEntry {
  const word = over.key;
  const base = known?.value;
  if (over.value.kind !== 'table' || (base !== undefined && base.kind !== 'table')) return known ?? over;
  const entries = new Map(base?.entries);
  const unknown: TableEntry[] = [];
  for (const entry of over.value.entries.values()) {
    const there = entries.get(entry.key);
    if (there === undefined && isPart(word, entry.value)) unknown.push(entry);
    else entries.set(entry.key, entity(word, there, entry));
  }
  const words = new KnownWords(unknown.length === 0 ? [] : entries.keys());
  for (const { key, keySpan } of unknown) report(nothingToChange(word, key, keySpan, words, { isKey: true }));
  return { ...(known ?? over), value: { ...(base ?? over.value), entries } };
}

function isPart(word: string, value: TomlNode): boolean {
  const keys = WHOLE.get(word) ?? [];
  return value.kind === 'table' && keys.length > 0 && !keys.some((key) => value.entries.has(key));
}

function entity(word: string, known: TableEntry | undefined, over: TableEntry): TableEntry {
  if (known?.value.kind !== 'table' || over.value.kind !== 'table') return over;
  if (word === 'service') return { ...known, value: mergedExclusive(known.value, over.value) };
  const use = word === 'policy' ? textOf(over.value, 'use') : undefined;
  // Another kind of policy has other keys, so nothing of the old one is kept.
  return use !== undefined && use !== textOf(known.value, 'use') ? over : merged(known, over);
}

/** Items with the same kind and name. */
class Namesakes {
  readonly all: NamedItem[] = [];
  /** By container, and all of them under undefined; built on first use. */
  #candidates: ReadonlyMap<TableNode | undefined, readonly NamedItem[]> | undefined;

  /** Candidates in the container, or anywhere: items with a written name, else items with a derived name. */
  candidates(container: TableNode | undefined): readonly NamedItem[] {
    this.#candidates ??= this.#sorted();
    return this.#candidates.get(container) ?? [];
  }

  #sorted(): Map<TableNode | undefined, readonly NamedItem[]> {
    const given = new Map<TableNode | undefined, NamedItem[]>();
    const made = new Map<TableNode | undefined, NamedItem[]>();
    for (const item of this.all) {
      const kept = item.given ? given : made;
      for (const container of [undefined, item.container]) {
        const list = kept.get(container);
        if (list) list.push(item);
        else kept.set(container, [item]);
      }
    }
    return new Map([...made, ...given]);
  }
}

/** Collects the changes that the routes and groups of an overlay make to a tree. */
class ItemPatcher {
  /** By kind, then by name. */
  readonly #items = { route: new Map<string, Namesakes>(), group: new Map<string, Namesakes>() };
  readonly #words: { route?: KnownWords; group?: KnownWords } = {};
  /** New content of changed tables; the overlay may change one several times. */
  readonly #changed = new Map<TableNode, Map<string, TableEntry>>();
  readonly #added: Changes['added'][number][] = [];

  constructor(
    readonly tree: TableNode,
    readonly report: Report,
  ) {
    for (const item of namedItems(tree)) {
      const items = this.#items[item.kind];
      const known = items.get(item.name) ?? new Namesakes();
      known.all.push(item);
      items.set(item.name, known);
    }
  }

  patch(over: TableNode): TableNode {
    this.#lists(over, this.tree);
    const replaced = new Map([...this.#changed].map(([node, entries]) => [node, { ...node, entries }]));
    return withChanges(this.tree, { replaced, added: this.#added });
  }

  #lists(over: TableNode, container: TableNode): void {
    for (const kind of ['route', 'group'] as const) {
      const list = over.entries.get(kind)?.value;
      if (list?.kind !== 'array') continue;
      for (const node of list.items) {
        if (node.kind === 'table' && textOf(node, 'name') !== undefined) this.#named(kind, node, container);
        else if (kind === 'group' && node.kind === 'table' && !isWhole(kind, node))
          this.report(namelessGroup(node, (name) => this.#items.group.has(name)));
        else this.#added.push({ kind, container, node });
      }
    }
  }

  #named(kind: NamedItem['kind'], over: TableNode, container: TableNode): void {
    const name = textOf(over, 'name') ?? '';
    const span = over.entries.get('name')?.value.span ?? over.span;
    const everywhere = this.#items[kind].get(name);
    // At the top of an overlay a name refers to any place; within a group, only to that group.
    const here = everywhere?.candidates(container) ?? [];
    const found = here.length > 0 || container !== this.tree ? here : (everywhere?.candidates(undefined) ?? []);
    if (found.length === 1) this.#change(found[0]!, over);
    else if (found.length > 1) this.report(severalOf(kind, name, span, found));
    else if (isWhole(kind, over)) this.#added.push({ kind, container, node: over });
    else if (everywhere !== undefined) this.report(elsewhere(kind, name, span, everywhere.all[0]!));
    else {
      this.#words[kind] ??= new KnownWords(this.#items[kind].keys());
      this.report(nothingToChange(kind, name, span, this.#words[kind], {}));
    }
  }

  #change({ kind, node }: NamedItem, over: TableNode): void {
    const entries = new Map(over.entries);
    if (node.entries.has('name')) entries.delete('name');
    if (kind === 'group') {
      this.#lists(over, node);
      entries.delete('route');
      entries.delete('group');
    }
    const known = this.#changed.get(node) ?? new Map(node.entries);
    mergeExclusive(known, entries);
    this.#changed.set(node, known);
  }
}

/** A route with a match is complete, and so is a group that contains such a route. */
function isWhole(kind: NamedItem['kind'], node: TableNode): boolean {
  if (kind === 'route') return node.entries.has('match');
  return namedItems(node).some((item) => item.kind === 'route' && item.node.entries.has('match'));
}

const NEEDS: { readonly [word: string]: string } = {
  listener: 'A new listener needs an `address`.',
  service: 'A new service needs `targets`, `run` or `discover`.',
  policy: 'A new policy needs `use`.',
  route: 'A new route needs a `match`.',
  group: 'A new group needs routes.',
};

function nothingToChange(
  word: string,
  name: string,
  span: Span,
  words: KnownWords,
  { isKey = false }: { readonly isKey?: boolean },
): Diagnostic {
  const suggestion = words.nearest(name);
  const near = suggestion?.word;
  const text = near === undefined || (isKey && /^[A-Za-z0-9_-]+$/.test(near)) ? (near ?? '') : JSON.stringify(near);
  return {
    code: 'name/unresolved',
    severity: 'error',
    span,
    message: `Unknown ${word} \`${shown(name)}\`: this overlay has nothing to change.`,
    help: near === undefined ? (NEEDS[word] ?? '') : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Write \`${near}\``,
            applicability: suggestion?.isClear ? ('safe' as const) : ('unsafe' as const),
            edits: [{ span, text }],
          },
        }),
  };
}

/** A group without name and routes would be added without effect. */
function namelessGroup(node: TableNode, isGroup: (name: string) => boolean): Diagnostic {
  const prefix = textOf(node, 'prefix');
  const name = prefix !== undefined && isGroup(prefix) ? prefix : 'NAME';
  return {
    code: 'name/unresolved',
    severity: 'error',
    span: node.headSpan ?? node.span,
    message: 'This group has neither a `name` nor routes, so it has no effect.',
    help: `To change a group of the spec, add \`name = ${JSON.stringify(name)}\`. A new group needs routes.`,
  };
}

export const severalOf = (kind: string, name: string, span: Span, found: readonly NamedItem[]): Diagnostic => ({
  code: 'name/duplicate',
  severity: 'error',
  span,
  message: `The spec has several ${kind}s named \`${shown(name)}\`, so this name is ambiguous.`,
  related: found.slice(0, 3).map(({ node }) => ({ span: node.headSpan ?? node.span, message: 'one of them' })),
  help: `Give each ${kind} a unique \`name\`.`,
});

const elsewhere = (kind: string, name: string, span: Span, { node }: NamedItem): Diagnostic => ({
  code: 'name/unresolved',
  severity: 'error',
  span,
  message: `${kind === 'route' ? 'Route' : 'Group'} \`${shown(name)}\` is not in this group.`,
  related: [{ span: node.headSpan ?? node.span, message: `\`${shown(name)}\` is defined here` }],
  help: `To change it, write \`[[${kind}]]\` at the top level of the overlay. To move it, add it to \`remove\` and define it here completely.`,
});
