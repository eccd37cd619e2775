/** `remove` in an overlay: removes parts of the spec. */
import type { Diagnostic, Span } from '../schema/diagnostic.js';
import { KnownWords } from '../schema/suggest.js';
import type { ArrayNode, TableNode, TomlNode } from '../schema/tree.js';
import { type NamedItem, namedItems, textOf } from './items.js';
import { severalOf } from './overlay.js';

export interface Removal {
  /** `listener.main.tls`, `route.debug`, `route.get-order.policies`. */
  readonly path: string;
  readonly span: Span;
}

/**
 * Removes each path from the tree; names are those of the given tree. A missing path is an error, because the overlay was
 * written for a different spec.
 */
export function removeFrom(
  tree: TableNode,
  removals: readonly Removal[],
  report: (found: Diagnostic) => void,
): TableNode {
  if (removals.length === 0) return tree;
  const remover = new Remover(tree);
  for (const { path, span } of removals) {
    const several = remover.severalAt(path);
    if (several) report(severalOf(several.kind, several.name, span, several.items));
    else if (!remover.remove(path)) report(remover.unknownPath(path, span));
  }
  return remover.rest();
}

/** Collects removals and applies them all at once. */
class Remover {
  readonly #keys = new Map<TableNode, Set<string>>();
  readonly #items = new Set<TomlNode>();
  /** Names in each table and list searched so far. */
  readonly #keyNames = new Map<TableNode, DottedNames>();
  readonly #itemNames = new Map<ArrayNode, ByName<TomlNode>>();
  readonly #named: { readonly route: ByName<NamedItem>; readonly group: ByName<NamedItem> };
  readonly #groups = new Map<TableNode, NamedItem>();
  #paths: { readonly all: ReadonlySet<string>; readonly words: KnownWords } | undefined;

  constructor(readonly tree: TableNode) {
    const items = namedItems(tree);
    const isGone = (item: NamedItem): boolean => this.#isGone(item);
    const ofKind = (kind: NamedItem['kind']): ByName<NamedItem> => {
      const all = items.filter((item) => item.kind === kind);
      return new ByName(
        all,
        ({ name }) => name,
        isGone,
        ({ given }) => given,
      );
    };
    this.#named = { route: ofKind('route'), group: ofKind('group') };
    for (const item of items) if (item.kind === 'group') this.#groups.set(item.node, item);
  }

  /** False if there is nothing at the path. */
  remove(path: string): boolean {
    return this.#itemAnywhere(path) || this.#inTable(this.tree, path);
  }

  /** The tree without the removed parts; unchanged parts are shared. */
  rest(): TableNode {
    const without = (node: TomlNode): TomlNode => {
      if (node.kind === 'array') {
        const items = node.items.filter((item) => !this.#items.has(item)).map(without);
        const isSame = items.length === node.items.length && items.every((item, at) => item === node.items[at]);
        return isSame ? node : { ...node, items };
      }
      return node.kind === 'table' ? withoutKeys(node) : node;
    };
    const withoutKeys = (table: TableNode): TableNode => {
      const gone = this.#keys.get(table);
      const kept = [...table.entries.values()].filter(({ key }) => gone?.has(key) !== true);
      const entries = kept.map((entry) => {
        const value = without(entry.value);
        return value === entry.value ? entry : { ...entry, value };
      });
      const isSame = gone === undefined && entries.every((entry, at) => entry === kept[at]);
      return isSame ? table : { ...table, entries: new Map(entries.map((entry) => [entry.key, entry])) };
    };
    return withoutKeys(this.tree);
  }

  /** Several routes or groups with the name in the path; ambiguous. */
  severalAt(path: string): Several | undefined {
    for (const [items, rest] of this.#itemsAt(path)) {
      const [{ kind, name, node }, ...more] = items;
      if (more.length > 0) return { kind, name, items };
      if (rest === undefined || this.#inTable(node, rest, false)) return undefined;
    }
    return undefined;
  }

  /** Removes a route or group by name, or a key of it, at any depth. */
  #itemAnywhere(path: string): boolean {
    for (const [[{ node }], rest] of this.#itemsAt(path)) {
      if (rest === undefined) {
        this.#items.add(node);
        return true;
      }
      if (this.#inTable(node, rest)) return true;
    }
    return false;
  }

  #itemsAt(path: string): Iterable<Step<NamedItem>> {
    const kind = path.startsWith('route.') ? 'route' : path.startsWith('group.') ? 'group' : undefined;
    return kind === undefined ? [] : this.#named[kind].steps(path.slice(kind.length + 1));
  }

  #isGone({ kind, node, container }: NamedItem): boolean {
    if (this.#items.has(node) || this.#keys.get(container)?.has(kind) === true) return true;
    const around = this.#groups.get(container);
    return around !== undefined && this.#isGone(around);
  }

  #within(node: TomlNode, path: string, remove: boolean): boolean {
    if (node.kind === 'table') return this.#inTable(node, path, remove);
    return node.kind === 'array' && this.#inList(node, path, remove);
  }

  /** Whether there is something at the path; with `remove`, removes it. */
  #inTable(table: TableNode, path: string, remove = true): boolean {
    let names = this.#keyNames.get(table);
    if (names === undefined) {
      names = new DottedNames(table.entries.keys());
      this.#keyNames.set(table, names);
    }
    const gone = this.#keys.get(table);
    for (const [key, rest] of names.steps(path)) {
      const entry = table.entries.get(key);
      if (entry === undefined || gone?.has(key) === true) continue;
      if (rest === undefined) {
        if (remove) this.#keys.set(table, (gone ?? new Set<string>()).add(key));
        return true;
      }
      if (this.#within(entry.value, rest, remove)) return true;
    }
    return false;
  }

  /** Items of lists are found by name. */
  #inList(list: ArrayNode, path: string, remove: boolean): boolean {
    let items = this.#itemNames.get(list);
    if (items === undefined) {
      items = new ByName(list.items, nameOf, (item) => this.#items.has(item));
      this.#itemNames.set(list, items);
    }
    for (const [[item], rest] of items.steps(path)) {
      if (rest === undefined) {
        if (remove) this.#items.add(item);
        return true;
      }
      if (this.#within(item, rest, remove)) return true;
    }
    return false;
  }

  unknownPath(path: string, span: Span): Diagnostic {
    const paths = this.#known();
    const report = { code: 'name/unresolved', severity: 'error', span } as const;
    if (paths.all.has(path)) {
      const message = `Nothing to remove at \`${path}\`: an earlier entry already removes it.`;
      return { ...report, message, help: 'Remove this entry.' };
    }
    const near = paths.words.nearest(path);
    const message = `Nothing to remove at \`${path}\`: the spec has no such entry.`;
    if (near === undefined) {
      const help =
        'Write `SECTION.NAME` or `SECTION.NAME.KEY`, such as `route.debug` or `listener.main.tls`, with the `name` of a route or group.';
      return { ...report, message, help };
    }
    const fix = {
      title: `Write \`${near.word}\``,
      applicability: near.isClear ? ('safe' as const) : ('unsafe' as const),
      edits: [{ span, text: JSON.stringify(near.word) }],
    };
    return { ...report, message, help: `Did you mean \`${near.word}\`?`, fix };
  }

  /** All paths of two levels (`service.orders`, `route.debug`), and routes and groups at any depth. */
  #known(): { readonly all: ReadonlySet<string>; readonly words: KnownWords } {
    if (this.#paths === undefined) {
      const all = new Set(namedItems(this.tree).map(({ kind, name }) => `${kind}.${name}`));
      for (const { key, value } of this.tree.entries.values()) {
        if (value.kind === 'table') for (const name of value.entries.keys()) all.add(`${key}.${name}`);
        else if (value.kind !== 'array') all.add(key);
      }
      this.#paths = { all, words: new KnownWords(all) };
    }
    return this.#paths;
  }
}

/** Names that may contain dots; finds those at the beginning of a path without a linear search. */
class DottedNames {
  /** Longest first. */
  readonly #lengths: readonly number[];
  readonly #names: ReadonlySet<string>;

  constructor(names: Iterable<string>) {
    this.#names = new Set(names);
    this.#lengths = [...new Set([...this.#names].map(({ length }) => length))].sort((a, b) => b - a);
  }

  /** Each name that the path begins with, longest first, and the rest of the path. */
  *steps(path: string): Generator<readonly [name: string, rest: string | undefined]> {
    for (const length of this.#lengths) {
      if (length > path.length || (length < path.length && path[length] !== '.')) continue;
      const name = path.slice(0, length);
      if (this.#names.has(name)) yield [name, length === path.length ? undefined : path.slice(length + 1)];
    }
  }
}

interface Several {
  readonly kind: NamedItem['kind'];
  readonly name: string;
  readonly items: readonly NamedItem[];
}

/** The items with a name that the path begins with, and the rest of the path. */
type Step<T> = readonly [items: readonly [T, ...T[]], rest: string | undefined];

/** Maximum number of items with one name that a message lists. */
const MOST_LISTED = 3;

/** Items with one name, without removed ones. Each removed item is skipped only once. */
class Remaining<T> {
  readonly all: T[] = [];
  #first: T[] = [];
  #next = 0;

  first(isGone: (item: T) => boolean): readonly T[] {
    this.#first = this.#first.filter((item) => !isGone(item));
    for (; this.#first.length < MOST_LISTED && this.#next < this.all.length; this.#next++) {
      const item = this.all[this.#next]!;
      if (!isGone(item)) this.#first.push(item);
    }
    return this.#first;
  }
}

/** Items by name. Written names come before derived names. */
class ByName<T> {
  readonly #lists = new Map<string, { readonly given: Remaining<T>; readonly made: Remaining<T> }>();
  readonly #names: DottedNames;

  constructor(
    items: readonly T[],
    nameOfItem: (item: T) => string | undefined,
    readonly isGone: (item: T) => boolean,
    isGiven: (item: T) => boolean = () => true,
  ) {
    for (const item of items) {
      const name = nameOfItem(item);
      if (name === undefined) continue;
      const lists = this.#lists.get(name) ?? { given: new Remaining<T>(), made: new Remaining<T>() };
      lists[isGiven(item) ? 'given' : 'made'].all.push(item);
      this.#lists.set(name, lists);
    }
    this.#names = new DottedNames(this.#lists.keys());
  }

  *steps(path: string): Generator<Step<T>> {
    for (const [name, rest] of this.#names.steps(path)) {
      const { given, made } = this.#lists.get(name)!;
      const [known, fallback] = [given.first(this.isGone), made.first(this.isGone)];
      const [first, ...more] = known.length > 0 ? known : fallback;
      if (first !== undefined) yield [[first, ...more], rest];
    }
  }
}

const nameOf = (node: TomlNode): string | undefined => (node.kind === 'table' ? textOf(node, 'name') : undefined);
