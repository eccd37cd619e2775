/**
 * A section of a file: `[consumer.a]` and all lines up to the header of another entity. It is read once, with positions
 * relative to its own text, and placed wherever that text is in the file. Spans are computed when they are asked for.
 */
import type { ConfigPath, Origin, Origins } from '../../schema/decoder.js';
import type { Position, Span } from '../../schema/diagnostic.js';
import type { From, TableEntry, TableNode, TomlNode } from '../../schema/tree.js';
import { LocatedText } from '../source.js';
import { shadowFromScan } from './scan.js';
import { locate, tomlValue } from './toml.js';

export class Section {
  readonly text: string;
  /** The table of the kind, `consumer`, with nothing but this section. Positions are relative to the section. */
  readonly kind: TableEntry & { readonly value: TableNode };
  readonly #entry: TableEntry;
  /** Where it was placed last: most sections do not move. */
  #placed: { readonly place: Place; readonly entry: TableEntry } | undefined;
  /** By what it was made with: a schema. */
  readonly #made = new Map<object, unknown>();

  private constructor(text: string, kind: TableEntry & { readonly value: TableNode }, entry: TableEntry) {
    this.text = text;
    this.kind = kind;
    this.#entry = entry;
  }

  /**
   * Reads a text that begins with a header. `path`: of the file, as in spans. Undefined if it is not valid on its own, or has
   * more than one entity.
   */
  static read(text: string, path: string, from: From): Section | undefined {
    const tree = treeOf(text, path, from);
    const kind = onlyEntry(tree);
    const entry = onlyEntry(kind?.value);
    return kind?.value.kind === 'table' && entry ? new Section(text, { ...kind, value: kind.value }, entry) : undefined;
  }

  get name(): string {
    return this.#entry.key;
  }

  /** The entity, in a file in which the section begins at a place. */
  at(place: Place): TableEntry {
    const last = this.#placed;
    if (last?.place.offset === place.offset && last.place.line === place.line) return last.entry;
    const entry = placedEntry(this.#entry, place);
    if (entry.value.kind === 'table') placements.set(entry.value, { section: this, place });
    this.#placed = { place, entry };
    return entry;
  }

  /** What `make` returns for this section, made once for each `key`, which decides the type. */
  memo<T>(key: object, make: () => T): T {
    if (!this.#made.has(key)) this.#made.set(key, make());
    return this.#made.get(key) as T;
  }

  /** The table of the entity, with positions relative to the section; undefined if it is not a table. */
  get table(): { readonly node: TableNode; readonly keySpan: Span } | undefined {
    const { value, keySpan } = this.#entry;
    return value.kind === 'table' ? { node: value, keySpan } : undefined;
  }
}

function treeOf(text: string, path: string, from: From): TableNode | undefined {
  try {
    const { value, diagnostics } = locate(tomlValue(text), shadowFromScan(text), new LocatedText(path, text), from);
    return diagnostics.length === 0 ? value : undefined;
  } catch {
    // Whatever is wrong, the text of the whole file shows it better.
    return undefined;
  }
}

const onlyEntry = (node: TomlNode | undefined): TableEntry | undefined =>
  node?.kind === 'table' && node.entries.size === 1 ? [...node.entries.values()][0] : undefined;

/** Where a section begins: at the start of a line. */
export class Place {
  constructor(
    readonly offset: number,
    /** 1-based. */
    readonly line: number,
  ) {}

  /** The span in the file of a span in the section. */
  span({ file, start, end }: Span): Span {
    return { file, start: this.#position(start), end: this.#position(end) };
  }

  #position({ offset, line, column }: Position): Position {
    return { offset: offset + this.offset, line: line + this.line - 1, column };
  }
}

export interface Placement {
  readonly section: Section;
  readonly place: Place;
}

const placements = new WeakMap<TomlNode, Placement>();

/** The section of an entity's table; undefined for any other table, and for a changed copy of one. */
export const placementOf = (node: TomlNode): Placement | undefined => placements.get(node);

function placedEntry(entry: TableEntry, place: Place): TableEntry {
  const { key, keySpan, keySpans } = entry;
  const value = placedNode(entry.value, place);
  if (keySpans === undefined) {
    return {
      key,
      value,
      get keySpan() {
        return place.span(keySpan);
      },
    };
  }
  return { key, keySpan: place.span(keySpan), value, keySpans: keySpans.map((span) => place.span(span)) };
}

function placedNode(node: TomlNode, place: Place): TomlNode {
  if (node.kind === 'table') return placedTable(node, place);
  const span = place.span(node.span);
  return node.kind === 'array'
    ? { ...node, span, items: node.items.map((item) => placedNode(item, place)) }
    : { ...node, span };
}

/** Getters are own properties, so that a changed copy of the table has their values. */
function placedTable({ entries, from, headSpan, span }: TableNode, place: Place): TableNode {
  let known: TableNode['entries'] | undefined;
  const table: TableNode = {
    kind: 'table',
    from,
    get span() {
      return place.span(span);
    },
    get entries() {
      known ??= new Map([...entries].map(([key, entry]) => [key, placedEntry(entry, place)]));
      return known;
    },
  };
  return headSpan === undefined
    ? table
    : Object.defineProperty(table, 'headSpan', { enumerable: true, get: () => place.span(headSpan) });
}

/** Origins relative to a section, in its file. */
export class PlacedOrigins implements Origins {
  readonly #origins: Origins;
  readonly #place: Place;

  constructor(origins: Origins, place: Place) {
    this.#origins = origins;
    this.#place = place;
  }

  spanOf(...path: (string | number)[]): Span {
    return this.#place.span(this.#origins.spanOf(...path));
  }

  keySpanOf(...path: (string | number)[]): Span {
    return this.#place.span(this.#origins.keySpanOf(...path));
  }

  originOf(...path: (string | number)[]): Origin {
    return this.#placed(this.#origins.originOf(...path));
  }

  *entries(): IterableIterator<readonly [path: ConfigPath, origin: Origin]> {
    for (const [path, origin] of this.#origins.entries()) yield [path, this.#placed(origin)];
  }

  #placed({ from, keySpan, span }: Origin): Origin {
    return { from, span: this.#place.span(span), keySpan: keySpan && this.#place.span(keySpan) };
  }
}
