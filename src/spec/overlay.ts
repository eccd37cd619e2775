/** Lays an overlay over a spec. It changes what has a name wherever that is defined, and adds what is new and whole. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { shown } from '../schema/scalars.js';
import { isClear, suggest } from '../schema/suggest.js';
import type { TableEntry, TableNode, TomlNode } from '../schema/tree.js';
import { type Changes, type NamedItem, namedItems, textOf, withChanges } from './items.js';

type Report = (diagnostic: Diagnostic) => void;

/** Entities by name, and of which keys a new one has at least one: without, the table is meant for one that is there. */
const WHOLE: { readonly [section: string]: readonly string[] } = {
  listener: ['address'],
  service: ['targets', 'run'],
  policy: ['use'],
  consumer: [],
  plan: [],
};

/** Keys that stand for one another: an overlay that sets one takes the other away. */
const INSTEAD: { readonly [key: string]: string } = {
  targets: 'run',
  run: 'targets',
  to: 'reply',
  reply: 'to',
  rewrite: 'strip_prefix',
  strip_prefix: 'rewrite',
};

/** Tables merge key by key, entities, routes and groups by name; everything else is replaced. */
export function overlay(base: TableNode, over: TableNode, report: Report): TableNode {
  const entries = new Map(base.entries);
  for (const entry of over.entries.values()) {
    const { key, value } = entry;
    if ((key === 'route' || key === 'group') && isList(value) && isList(entries.get(key)?.value)) continue;
    const known = entries.get(key);
    if (WHOLE[key] !== undefined && value.kind === 'table') entries.set(key, section(known, entry, report));
    else entries.set(key, merged(known, entry));
  }
  const tree = { ...base, entries };
  return new ItemPatcher(tree, report).patch(over);
}

const isList = (node: TomlNode | undefined): boolean => node === undefined || node.kind === 'array';

/** The base keeps the place of its name: that is where the thing is declared. */
function merged(known: TableEntry | undefined, entry: TableEntry): TableEntry {
  if (known?.value.kind !== 'table' || entry.value.kind !== 'table') return entry;
  return { ...known, value: mergedTable(known.value, entry.value) };
}

function mergedTable(base: TableNode, over: TableNode): TableNode {
  const entries = new Map(base.entries);
  for (const entry of over.entries.values()) entries.set(entry.key, merged(entries.get(entry.key), entry));
  return { ...base, entries };
}

/** A service or a route: of keys that exclude each other the overlay's count. */
function mergedExclusive(base: TableNode, over: TableNode): TableNode {
  const entries = new Map(base.entries);
  for (const key of over.entries.keys()) {
    const instead = INSTEAD[key];
    if (instead !== undefined && !over.entries.has(instead)) entries.delete(instead);
  }
  return mergedTable({ ...base, entries }, over);
}

function section(known: TableEntry | undefined, over: TableEntry, report: Report): TableEntry {
  const word = over.key;
  const base = known?.value;
  if (over.value.kind !== 'table' || (base !== undefined && base.kind !== 'table')) return known ?? over;
  const entries = new Map(base?.entries);
  for (const entry of over.value.entries.values()) {
    const there = entries.get(entry.key);
    if (there === undefined && isPart(word, entry.value)) {
      report(nothingToChange(word, entry.key, entry.keySpan, [...entries.keys()], { isKey: true }));
    } else entries.set(entry.key, entity(word, there, entry));
  }
  return { ...(known ?? over), value: { ...(base ?? over.value), entries } };
}

function isPart(word: string, value: TomlNode): boolean {
  const keys = WHOLE[word] ?? [];
  return value.kind === 'table' && keys.length > 0 && !keys.some((key) => value.entries.has(key));
}

function entity(word: string, known: TableEntry | undefined, over: TableEntry): TableEntry {
  if (known?.value.kind !== 'table' || over.value.kind !== 'table') return over;
  if (word === 'service') return { ...known, value: mergedExclusive(known.value, over.value) };
  const use = word === 'policy' ? textOf(over.value, 'use') : undefined;
  // Another kind of policy has other keys: nothing of the old one can stay.
  return use !== undefined && use !== textOf(known.value, 'use') ? over : merged(known, over);
}

/** Gathers what the routes and groups of an overlay change in a tree. */
class ItemPatcher {
  /** By kind and name. */
  readonly #items = new Map<string, NamedItem[]>();
  readonly #replaced = new Map<TableNode, TableNode>();
  readonly #added: Changes['added'][number][] = [];

  constructor(
    readonly tree: TableNode,
    readonly report: Report,
  ) {
    for (const item of namedItems(tree)) {
      const known = this.#items.get(`${item.kind} ${item.name}`);
      if (known) known.push(item);
      else this.#items.set(`${item.kind} ${item.name}`, [item]);
    }
  }

  patch(over: TableNode): TableNode {
    this.#lists(over, this.tree);
    return withChanges(this.tree, { replaced: this.#replaced, added: this.#added });
  }

  #lists(over: TableNode, container: TableNode): void {
    for (const kind of ['route', 'group'] as const) {
      const list = over.entries.get(kind)?.value;
      if (list?.kind !== 'array') continue;
      for (const node of list.items) {
        if (node.kind === 'table' && textOf(node, 'name') !== undefined) this.#named(kind, node, container);
        else if (kind === 'group' && node.kind === 'table' && !isWhole(kind, node))
          this.report(namelessGroup(node, (name) => this.#items.has(`group ${name}`)));
        else this.#added.push({ kind, container, node });
      }
    }
  }

  #named(kind: NamedItem['kind'], over: TableNode, container: TableNode): void {
    const name = textOf(over, 'name') ?? '';
    const span = over.entries.get('name')?.value.span ?? over.span;
    const all = this.#items.get(`${kind} ${name}`) ?? [];
    const here = all.filter((item) => item.container === container);
    // At the top of an overlay a name is meant wherever it is defined; within a group it is one of that group.
    const near = here.length > 0 || container !== this.tree ? here : all;
    const given = near.filter((item) => item.given);
    const found = given.length > 0 ? given : near;
    if (found.length === 1) this.#change(found[0]!, over);
    else if (found.length > 1) this.report(severalOf(kind, name, span, found));
    else if (isWhole(kind, over)) this.#added.push({ kind, container, node: over });
    else if (all[0] !== undefined) this.report(elsewhere(kind, name, span, all[0]));
    else {
      const names = [...this.#items.values()].flatMap(([item]) => (item?.kind === kind ? item.name : []));
      this.report(nothingToChange(kind, name, span, names, {}));
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
    this.#replaced.set(node, mergedExclusive(this.#replaced.get(node) ?? node, { ...over, entries }));
  }
}

/** A route with a match is a route of its own, and a group that holds such a one. */
function isWhole(kind: NamedItem['kind'], node: TableNode): boolean {
  if (kind === 'route') return node.entries.has('match');
  return namedItems(node).some((item) => item.kind === 'route' && item.node.entries.has('match'));
}

const NEEDS: { readonly [word: string]: string } = {
  listener: 'A new listener needs an `address`.',
  service: 'A new service needs `targets` or `run`.',
  policy: 'A new policy needs `use`.',
  route: 'A new route needs a `match`.',
  group: 'A new group needs routes of its own.',
};

function nothingToChange(
  word: string,
  name: string,
  span: Span,
  names: readonly string[],
  { isKey = false }: { readonly isKey?: boolean },
): Diagnostic {
  const near = suggest(name, names);
  const text = near === undefined || (isKey && /^[A-Za-z0-9_-]+$/.test(near)) ? (near ?? '') : JSON.stringify(near);
  return {
    code: 'name/unresolved',
    severity: 'error',
    span,
    message: `There is no ${word} named \`${shown(name)}\` for this overlay to change.`,
    help: near === undefined ? (NEEDS[word] ?? '') : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Write \`${near}\``,
            applicability: isClear(name, near, names) ? ('safe' as const) : ('unsafe' as const),
            edits: [{ span, text }],
          },
        }),
  };
}

/** Without routes it would be added, and do nothing. */
function namelessGroup(node: TableNode, isGroup: (name: string) => boolean): Diagnostic {
  const prefix = textOf(node, 'prefix');
  const name = prefix !== undefined && isGroup(prefix) ? prefix : 'NAME';
  return {
    code: 'name/unresolved',
    severity: 'error',
    span: node.headSpan ?? node.span,
    message: 'This group has neither a `name` nor routes of its own, so there is nothing for this overlay to change.',
    help: `To change a group of the spec, name it: \`name = ${JSON.stringify(name)}\`. A new group needs routes of its own.`,
  };
}

export const severalOf = (kind: string, name: string, span: Span, found: readonly NamedItem[]): Diagnostic => ({
  code: 'name/duplicate',
  severity: 'error',
  span,
  message: `The spec has several ${kind}s named \`${shown(name)}\`: it is not clear which one this overlay changes.`,
  related: found.slice(0, 3).map(({ node }) => ({ span: node.headSpan ?? node.span, message: 'one of them' })),
  help: `Give each ${kind} a \`name\` of its own.`,
});

const elsewhere = (kind: string, name: string, span: Span, { node }: NamedItem): Diagnostic => ({
  code: 'name/unresolved',
  severity: 'error',
  span,
  message: `The ${kind} \`${shown(name)}\` is not in this group.`,
  related: [{ span: node.headSpan ?? node.span, message: `\`${shown(name)}\` is defined here` }],
  help: `To change it, write it as \`[[${kind}]]\` at the top of the overlay. To move it, name it in \`remove\` and write it here as a whole.`,
});
