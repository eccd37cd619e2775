/** Finds the routes and groups of a tree by name, at any depth, and replaces or adds some. */
import type { ArrayNode, TableNode, TomlNode } from '../schema/tree.js';
import { parseMatchText } from './route/match-text.js';

export interface NamedItem {
  readonly kind: 'route' | 'group';
  /** Name in `gw routes` and messages: its own, or one derived from the match. */
  readonly name: string;
  /** Whether the name is written; a derived name may not be unique. */
  readonly given: boolean;
  readonly node: TableNode;
  /** The root, or the group around it. */
  readonly container: TableNode;
}

interface Around {
  readonly prefix: string;
  readonly hosts: readonly string[];
}

/** All routes and groups, those of the root first, then group by group. */
export function namedItems(tree: TableNode): NamedItem[] {
  const found: NamedItem[] = [];
  const visit = (container: TableNode, around: Around): void => {
    for (const node of itemsOf(container, 'route')) {
      const given = textOf(node, 'name');
      found.push({ kind: 'route', name: given ?? labelOf(node, around), given: given !== undefined, node, container });
    }
    const groups = itemsOf(container, 'group');
    for (const node of groups) {
      const given = textOf(node, 'name');
      const name = given ?? textOf(node, 'prefix') ?? (textsOf(node, 'host').join(',') || 'group');
      found.push({ kind: 'group', name, given: given !== undefined, node, container });
    }
    for (const node of groups) {
      const hosts = textsOf(node, 'host');
      visit(node, {
        prefix: around.prefix + (textOf(node, 'prefix') ?? ''),
        hosts: hosts.length > 0 ? hosts : around.hosts,
      });
    }
  };
  visit(tree, { prefix: '', hosts: [] });
  return found;
}

/** Changes of a tree: items and their replacements (undefined: removed), and added items. */
export interface Changes {
  readonly replaced: ReadonlyMap<TableNode, TableNode | undefined>;
  readonly added: readonly {
    readonly kind: NamedItem['kind'];
    readonly container: TableNode;
    readonly node: TomlNode;
  }[];
}

/** Applies changes to a tree; unchanged parts are shared with it. Keys of `replaced` are nodes of the given tree. */
export function withChanges(tree: TableNode, { replaced, added }: Changes): TableNode {
  const byContainer = new Map<TableNode, Changes['added'][number][]>();
  for (const one of added) {
    const known = byContainer.get(one.container);
    if (known) known.push(one);
    else byContainer.set(one.container, [one]);
  }
  const rebuild = (table: TableNode): TableNode | undefined => {
    const now = replaced.has(table) ? replaced.get(table) : table;
    if (now === undefined) return undefined;
    const entries = new Map(now.entries);
    let changed = now !== table;
    for (const kind of ['route', 'group'] as const) {
      const known = table.entries.get(kind);
      const list = known?.value.kind === 'array' ? known.value : undefined;
      const more = (byContainer.get(table) ?? []).filter((one) => one.kind === kind).map(({ node }) => node);
      const items = (list?.items ?? []).flatMap((item) => (item.kind === 'table' ? (rebuild(item) ?? []) : item));
      if (more.length === 0 && items.length === list?.items.length && items.every((item, i) => item === list.items[i]))
        continue;
      const all = [...items, ...more];
      const first = all[0];
      // A key of the wrong type is kept, because it is reported separately.
      if (first === undefined ? list === undefined : known !== undefined && list === undefined) continue;
      const base = list ?? { kind: 'array' as const, span: first!.span, from: first!.from };
      const value: ArrayNode = { ...base, items: all };
      entries.set(kind, { key: kind, keySpan: value.span, ...known, value });
      changed = true;
    }
    return changed ? { ...now, entries } : table;
  };
  return rebuild(tree) ?? tree;
}

function itemsOf(table: TableNode, key: string): TableNode[] {
  const list = table.entries.get(key)?.value;
  return list?.kind === 'array' ? list.items.filter((item) => item.kind === 'table') : [];
}

export function textOf(table: TableNode, key: string): string | undefined {
  const node = table.entries.get(key)?.value;
  return node?.kind === 'string' && node.value !== '' ? node.value : undefined;
}

function textsOf(table: TableNode, key: string): readonly string[] {
  const node = table.entries.get(key)?.value;
  if (node?.kind === 'array') return node.items.flatMap((item) => (item.kind === 'string' ? item.value : []));
  return node?.kind === 'string' ? [node.value] : [];
}

/** What a route without a name is called: its match, behind what the groups around say. */
function labelOf(route: TableNode, around: Around): string {
  const match = route.entries.get('match')?.value;
  const inTable = match?.kind === 'table';
  const short = parseMatchText(match?.kind === 'string' ? match.value : '');
  const methods = inTable ? [...new Set(textsOf(match, 'methods'))] : short.methods;
  const path = inTable ? (textOf(match, 'path') ?? '') : short.path;
  const own = inTable ? textsOf(match, 'host') : [];
  const hosts = (own.length > 0 ? own : around.hosts).map((host) => host.toLowerCase());
  const whole = around.prefix + (path === '/' && around.prefix !== '' ? '' : path);
  return `${methods.length > 0 ? `${methods.join(',')} ` : ''}${hosts.join(',')}${whole}`;
}
