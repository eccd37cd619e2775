/** One file of a spec that is read again and again: only sections whose text is new are parsed. */
import type { Span } from '../../schema/diagnostic.js';
import type { From, TableEntry, TableNode } from '../../schema/tree.js';
import type { Source } from '../source.js';
import { cutText, type Piece } from './cut.js';
import { shadowFromScan } from './scan.js';
import { Place, Section } from './section.js';
import { type Shadow, wholeOf } from './shadow.js';
import { locate, type Spans, tomlValue } from './toml.js';

/** What is not in a section, as one text. */
interface Rest {
  readonly text: string;
  readonly value: object;
  readonly shadow: Shadow;
}

interface PlacedSection {
  readonly section: Section;
  readonly place: Place;
}

export class CutFile {
  readonly #from: From;
  /** By their texts: those of the last text that could be read. */
  #sections: ReadonlyMap<string, Section> = new Map();
  /** Parts of the rest that are valid on their own. */
  #runs: ReadonlySet<string> = new Set();
  #rest: Rest | undefined;

  constructor(from: From) {
    this.#from = from;
  }

  /** The tree that parseToml() gives. Undefined if the text has errors or cannot be cut; then parseToml() has to read it. */
  read(source: Source): TableNode | undefined {
    let pieces = cutText(source.text, new Set());
    let rest = this.#readRest(source.text, pieces);
    const shared = rest && kindsOf(pieces).filter((kind) => Object.hasOwn(rest!.value, kind));
    if (shared !== undefined && shared.length > 0) {
      pieces = cutText(source.text, new Set(shared));
      rest = this.#readRest(source.text, pieces);
    }
    const sections = rest && this.#readSections(source, pieces);
    if (!rest || !sections) return undefined;
    const { value } = locate(rest.value, rest.shadow, new RestSpans(source, rest.text, pieces), this.#from);
    if (!value) return undefined;
    this.#rest = rest;
    return joined({ ...value, span: source.span(...wholeOf(source.text)) }, sections);
  }

  #readRest(text: string, pieces: readonly Piece[]): Rest | undefined {
    const runs = pieces.filter(({ kind }) => kind === '').map(({ start, end }) => text.slice(start, end));
    const rest = copyOf(runs.join(''));
    if (this.#rest?.text === rest && runs.every((run) => this.#runs.has(run))) return this.#rest;
    try {
      if (runs.length > 1) for (const run of runs) if (!this.#runs.has(run)) tomlValue(run);
      const found = { text: rest, value: tomlValue(rest) as object, shadow: shadowFromScan(rest) };
      this.#runs = new Set(runs.map(copyOf));
      return found;
    } catch {
      // Whatever is wrong, parseToml() reports it.
      return undefined;
    }
  }

  #readSections(source: Source, pieces: readonly Piece[]): PlacedSection[] | undefined {
    const { path, text } = source;
    const sections = new Map<string, Section>();
    const placed: PlacedSection[] = [];
    for (const { start, end, kind, name } of pieces) {
      if (kind === '') continue;
      const part = text.slice(start, end);
      const section = this.#sections.get(part) ?? Section.read(copyOf(part), path, this.#from);
      if (section?.name !== name || section.kind.key !== kind) return undefined;
      sections.set(section.text, section);
      placed.push({ section, place: new Place(start, source.position(start).line) });
    }
    this.#sections = sections;
    return placed;
  }
}

/** A part of a string refers to the whole string; a copy does not keep it in memory. */
const copyOf = (part: string): string => Buffer.from(part, 'utf16le').toString('utf16le');

const kindsOf = (pieces: readonly Piece[]): string[] => [...new Set(pieces.map(({ kind }) => kind))];

/** Spans of the rest, in the file. */
class RestSpans implements Spans {
  readonly text: string;
  readonly #source: Source;
  /** Where each run begins in the rest, and how far it is from there to its place in the file. */
  readonly #starts: number[] = [];
  readonly #shifts: number[] = [];

  constructor(source: Source, text: string, pieces: readonly Piece[]) {
    this.text = text;
    this.#source = source;
    let length = 0;
    for (const { start, end, kind } of pieces) {
      if (kind !== '') continue;
      this.#starts.push(length);
      this.#shifts.push(start - length);
      length += end - start;
    }
  }

  span(start: number, end: number): Span {
    const shift = this.#shiftAt(start);
    // Only the root is not within one run.
    if (shift !== this.#shiftAt(end - 1)) return this.#source.span(...wholeOf(this.#source.text));
    return this.#source.span(start + shift, end + shift);
  }

  lineSpan(offset: number): Span {
    return this.#source.lineSpan(offset + this.#shiftAt(offset));
  }

  #shiftAt(offset: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return this.#shifts[low] ?? 0;
  }
}

/** The tree of the file: the rest and the sections, with keys in the order that `toml` gives them. */
function joined(rest: TableNode, sections: readonly PlacedSection[]): TableNode {
  const kinds = new Map<string, PlacedSection[]>();
  for (const placed of sections) {
    const { key } = placed.section.kind;
    const known = kinds.get(key);
    if (known) known.push(placed);
    else kinds.set(key, [placed]);
  }
  const entries = [...rest.entries.values(), ...[...kinds.values()].map(kindEntry)];
  const first = ({ keySpan }: TableEntry): number => keySpan.start.offset;
  return { ...rest, entries: inOrder(entries.sort((a, b) => first(a) - first(b))) };
}

/** `consumer`, as the headers of its entities define it. */
function kindEntry(placed: readonly PlacedSection[]): TableEntry {
  const [{ section, place }] = placed as [PlacedSection];
  const { key, keySpan, value } = section.kind;
  const { from, kind, span } = value;
  const entries = inOrder(placed.map((one) => one.section.at(one.place)));
  const table: TableNode = { kind, entries, span: place.span(span), from };
  const keys = (): Span[] =>
    placed.flatMap((one) => {
      const inside = one.section.kind;
      return (inside.keySpans ?? [inside.keySpan]).map((each) => one.place.span(each));
    });
  const entry: TableEntry = { key, keySpan: place.span(keySpan), value: table };
  const once = placed.length === 1 && section.kind.keySpans === undefined;
  return once ? entry : Object.defineProperty(entry, 'keySpans', { enumerable: true, get: keys });
}

/** In an object, as in the values of `toml`, keys that are numbers come first. */
function inOrder(entries: readonly TableEntry[]): Map<string, TableEntry> {
  if (!entries.some(({ key }) => /^\d+$/.test(key))) return new Map(entries.map((entry) => [entry.key, entry]));
  const table: Record<string, TableEntry> = Object.create(null) as Record<string, TableEntry>;
  for (const entry of entries) table[entry.key] = entry;
  return new Map(Object.entries(table));
}
