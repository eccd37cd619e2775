/** `remove` in an overlay: what the spec says and this environment does not want. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { isClear, suggest } from '../schema/suggest.js';
import type { ArrayNode, TableEntry, TableNode, TomlNode } from '../schema/tree.js';
import { type NamedItem, namedItems, withChanges } from './items.js';
import { severalOf } from './overlay.js';

export interface Removal {
  /** `listener.main.tls`, `route.debug`, `route.get-order.policies`. */
  readonly path: string;
  readonly span: Span;
}

/** Takes each away from the tree. What is not there is an error: the overlay means a spec that has changed since. */
export function removeFrom(
  tree: TableNode,
  removals: readonly Removal[],
  report: (found: Diagnostic) => void,
): TableNode {
  let rest = tree;
  for (const { path, span } of removals) {
    const without = withoutItemAnywhere(rest, path) ?? withoutPath(rest, path);
    if (without === undefined) report(unknownPath(rest, path, span));
    else if ('several' in without) report(severalOf(without.kind, without.name, span, without.several));
    else rest = without;
  }
  return rest;
}

interface Ambiguous {
  readonly kind: string;
  readonly name: string;
  readonly several: readonly NamedItem[];
}

/**
 * A route or a group by its name, or a key of it, wherever it stands; undefined when there is none. Where several have the
 * name, these: which one is meant is not guessed.
 */
function withoutItemAnywhere(tree: TableNode, path: string): TableNode | Ambiguous | undefined {
  const kind = /^(route|group)\./.exec(path)?.[1];
  if (kind === undefined) return undefined;
  const items = namedItems(tree).filter((item) => item.kind === kind);
  const names = new Set(items.map(({ name }) => name));
  for (const [name, rest] of stepsOf(path.slice(kind.length + 1), names)) {
    const all = items.filter((item) => item.name === name);
    const given = all.filter((item) => item.given);
    const found = given.length > 0 ? given : all;
    if (found.length > 1) return { kind, name, several: found };
    const { node } = found[0]!;
    const value = rest === undefined ? undefined : within(node, rest);
    if (rest !== undefined && value?.kind !== 'table') continue;
    const replaced = new Map([[node, value?.kind === 'table' ? value : undefined]]);
    return withChanges(tree, { replaced, added: [] });
  }
  return undefined;
}

/** Undefined when there is nothing at the path. */
function withoutPath(table: TableNode, path: string): TableNode | undefined {
  for (const [key, rest] of stepsOf(path, table.entries.keys())) {
    const entry = table.entries.get(key)!;
    const value = rest === undefined ? undefined : within(entry.value, rest);
    if (rest !== undefined && value === undefined) continue;
    const entries = new Map<string, TableEntry>(table.entries);
    if (value === undefined) entries.delete(key);
    else entries.set(key, { ...entry, value });
    return { ...table, entries };
  }
  return undefined;
}

function within(node: TomlNode, path: string): TomlNode | undefined {
  if (node.kind === 'table') return withoutPath(node, path);
  return node.kind === 'array' ? withoutItem(node, path) : undefined;
}

/** Routes and groups go by their names. */
function withoutItem(list: ArrayNode, path: string): ArrayNode | undefined {
  const names = list.items.map(nameOf);
  for (const [name, rest] of stepsOf(
    path,
    names.filter((known) => known !== undefined),
  )) {
    const index = names.indexOf(name);
    const item = list.items[index]!;
    const value = rest === undefined ? undefined : within(item, rest);
    if (rest !== undefined && value === undefined) continue;
    return { ...list, items: list.items.flatMap((other, at) => (at === index ? (value ?? []) : other)) };
  }
  return undefined;
}

/** A name may hold dots itself: each known one that the path can begin with, longest first, with what is left. */
function stepsOf(path: string, known: Iterable<string>): (readonly [name: string, rest: string | undefined])[] {
  return [...known]
    .filter((name) => path === name || path.startsWith(`${name}.`))
    .sort((a, b) => b.length - a.length)
    .map((name) => [name, path === name ? undefined : path.slice(name.length + 1)]);
}

const nameOf = (node: TomlNode): string | undefined => {
  const name = node.kind === 'table' ? node.entries.get('name')?.value : undefined;
  return name?.kind === 'string' ? name.value : undefined;
};

/** Everything two levels down, as paths: `service.orders`, `route.debug`; routes and groups wherever they stand. */
function known(tree: TableNode): string[] {
  const items = namedItems(tree).map(({ kind, name }) => `${kind}.${name}`);
  const others = [...tree.entries.values()].flatMap(({ key, value }) => {
    if (value.kind === 'table') return [...value.entries.keys()].map((name) => `${key}.${name}`);
    return value.kind === 'array' ? [] : key;
  });
  return [...items, ...others];
}

function unknownPath(tree: TableNode, path: string, span: Span): Diagnostic {
  const paths = known(tree);
  const near = suggest(path, paths);
  const fix = near !== undefined && {
    title: `Write \`${near}\``,
    applicability: isClear(path, near, paths) ? ('safe' as const) : ('unsafe' as const),
    edits: [{ span, text: JSON.stringify(near) }],
  };
  return {
    code: 'name/unresolved',
    severity: 'error',
    span,
    message: `There is nothing to remove at \`${path}\`: the spec below this overlay says nothing there.`,
    help:
      near === undefined
        ? 'Write `SECTION.NAME` or `SECTION.NAME.KEY`, such as `route.debug` or `listener.main.tls`; routes and groups go by their `name`.'
        : `Did you mean \`${near}\`?`,
    ...(fix ? { fix } : {}),
  };
}
