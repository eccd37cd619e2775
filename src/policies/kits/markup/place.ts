/** Where the variables of an HTML or XML template stand. */

export type Place =
  | { readonly kind: 'text'; readonly element: string }
  | AttributePlace
  | { readonly kind: 'cdata' | 'comment' | 'doctype' | 'tag name' | 'attribute name' | 'instruction' }
  /** Nothing that a parser keeps: an attribute of an end tag, a second attribute of the same name. */
  | { readonly kind: 'dropped' };

export interface AttributePlace {
  readonly kind: 'attribute';
  /** Names in lower case; of XML without a prefix. */
  readonly element: string;
  readonly name: string;
  readonly quoted: boolean;
  /** The value before the variable, decoded. */
  readonly before: string;
  /** Whether the element has `http-equiv`. */
  readonly pragma: boolean;
}

/** What a parser finds in a sample of a template. */
export interface Reading {
  /** By the number of the variable; a variable can have several. */
  readonly places: ReadonlyMap<number, readonly Place[]>;
  /** Elements, names of attributes, comments: equal for two samples with the same tree, but for texts and values. */
  readonly tree: string;
}

/** The template cannot be read within the bounds, or at all; the message says why. */
export class UnreadableMarkup extends Error {}

/**
 * Stands for the value of variable `index`: a letter, and a character reference to a private character, which no template
 * contains.
 */
export const markOf = (index: number): string => `v&#${FIRST + index};`;

const FIRST = 0xf0000;
/** Variables that can be told apart. */
export const MOST_MARKS = 10_000;

const DECODED = /[\u{f0000}-\u{ffffd}]/gu;
const RAW = /&#(9[89]\d{4});/g;
/** What a template itself could contain of the same form. */
const ALIKE = /[\u{f0000}-\u{10ffff}]|&#(?:[xX]0*(?:[fF]|10)[0-9a-fA-F]{4}|0*(?:9[89]\d{4}|1\d{6}))(?!\d);?/gu;

/** A literal part of a template without marks. */
export const withoutMarks = (text: string): string => text.replace(ALIKE, '?');

/** The variables whose references were decoded in `text`, and where their values begin. */
function decodedMarks(text: string): { readonly index: number; readonly at: number }[] {
  return [...text.matchAll(DECODED)].map((found) => ({ index: found[0].codePointAt(0)! - FIRST, at: found.index - 1 }));
}

/** Numbers of the variables whose references are in `text` as they were written. */
export const rawMarks = (text: string): number[] => [...text.matchAll(RAW)].map(([, code]) => Number(code) - FIRST);

/** Collects the places of a reading. */
export class Places {
  readonly places = new Map<number, Place[]>();

  add(index: number, place: Place): void {
    const known = this.places.get(index);
    if (known === undefined) this.places.set(index, [place]);
    else known.push(place);
  }

  /** The marks in text that is not decoded. */
  raw(text: string, place: Place): void {
    for (const index of rawMarks(text)) this.add(index, place);
  }

  /** `cdata`: text that is not decoded is in a CDATA section. */
  text(value: string, element: string, cdata: boolean): void {
    const place: Place = { kind: 'text', element };
    for (const { index } of decodedMarks(value)) this.add(index, place);
    this.raw(value, cdata ? { kind: 'cdata' } : place);
  }

  /** `written`: the attribute in the source, `title="a"`; undefined if unknown. */
  attribute(
    place: Omit<AttributePlace, 'kind' | 'quoted' | 'before'>,
    value: string,
    written: string | undefined,
  ): void {
    this.raw(place.name, { kind: 'attribute name' });
    const quoted = written !== undefined && QUOTED.test(written);
    for (const { index, at } of decodedMarks(value))
      this.add(index, { kind: 'attribute', ...place, quoted, before: value.slice(0, at) });
  }
}

/** An attribute with its value in quotes. The first character of a name may be `=`. */
const QUOTED = /^[^\s/>][^\s/>=]*\s*=\s*["']/;
