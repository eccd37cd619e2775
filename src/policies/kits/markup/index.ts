/** Checks at compile time that no value of a variable can change the structure of a template of HTML or XML. */
import type { TemplateEntry } from '../../contract.js';
import { readHtml } from './html.js';
import { MOST_MARKS, markOf, type Place, type Reading, UnreadableMarkup, withoutMarks } from './place.js';
import { faultOf, type PlaceFault } from './rules.js';
import { readXml } from './xml.js';

export type { PlaceFault } from './rules.js';

/** Largest template with variables, in UTF-16 code units. */
export const MAX_MARKUP = 256 * 1024;

export interface MarkupFault extends PlaceFault {
  /** Of the variable: the index of its part. */
  readonly part: number;
}

/** The template cannot be checked; `reason` continues `The template cannot be checked:`. */
export interface UncheckedMarkup {
  readonly reason: string;
}

type Read = (sample: string) => Reading;

/** As HTML, with scripts and without: the content of `<noscript>` is text or elements. */
const READERS: { readonly [form in 'html' | 'xml']: readonly Read[] } = {
  html: [(sample) => readHtml(sample, true), (sample) => readHtml(sample, false)],
  xml: [readXml],
};

/** Variables whose values gw makes itself, and that have no character with a meaning: a typical value of each. */
const OWN_VALUES: { readonly [name: string]: string } = { 'reply.status': '404', 'request.scheme': 'https' };

/**
 * What is wrong with the places of the variables, at most one fault for each. Without faults, every value gives the same
 * elements, attributes and comments, in which only texts and attribute values differ. Deterministic, bounded in time.
 */
export function markupFaults(parts: TemplateEntry, form: 'html' | 'xml'): readonly MarkupFault[] | UncheckedMarkup {
  const template = new Markup(parts);
  if (template.variables.length === 0) return [];
  const reason = template.tooLarge();
  if (reason !== undefined) return { reason };
  try {
    return template.faults(READERS[form]);
  } catch (error) {
    if (error instanceof UnreadableMarkup) return { reason: error.message };
    throw error;
  }
}

/** Text that becomes a tag with a value: in `<title>`, `</` is text, but not if `title` follows. */
const OPEN_TAG = /<\/?(?:[A-Za-z][^\s/>]*)?$/;
/** Text that becomes a character reference with a value: in a URL, `&#` and `47;` are a slash. */
const OPEN_REFERENCE = /&#?\w*$/;

class Markup {
  /** Indices of the parts whose values clients may choose. */
  readonly variables: readonly number[];
  readonly #parts: readonly (string | undefined)[];

  constructor(parts: TemplateEntry) {
    this.#parts = parts.map((part) => {
      if (typeof part === 'string') return withoutMarks(part);
      return Object.hasOwn(OWN_VALUES, part.var) ? OWN_VALUES[part.var] : undefined;
    });
    this.variables = this.#parts.flatMap((part, index) => (part === undefined ? [index] : []));
  }

  tooLarge(): string | undefined {
    const size = this.#parts.reduce((sum, part = '') => sum + part.length, 0);
    if (size > MAX_MARKUP) return `it has ${size} characters, and at most ${MAX_MARKUP} can be checked`;
    return this.variables.length > MOST_MARKS ? `it has more than ${MOST_MARKS} variables` : undefined;
  }

  /** The template with values: a mark, or `blank` for the first `blanks` variables. */
  #sample(blanks = 0, blank = ''): string {
    let number = 0;
    let sample = '';
    for (const part of this.#parts) {
      if (part !== undefined) sample += part;
      else sample += number < blanks ? blank : markOf(number);
      if (part === undefined) number++;
    }
    return sample;
  }

  faults(readers: readonly Read[]): readonly MarkupFault[] {
    const sample = this.#sample();
    const readings = readers.map((read) => read(sample));
    const found = this.variables.flatMap((part, number): MarkupFault[] => {
      const places = readings.map((reading) => reading.places.get(number) ?? [DROPPED]);
      const fault = places
        .flat()
        .map((place) => this.#faultAt(part, place))
        .find((each) => each !== undefined);
      return fault === undefined ? [] : [{ part, ...fault }];
    });
    if (found.length > 0) return found;
    for (const [index, read] of readers.entries()) {
      const deciding = this.#deciding(read, readings[index]!.tree);
      if (deciding !== undefined) return [{ part: this.variables[deciding]!, ...DECIDING }];
    }
    return [];
  }

  #faultAt(part: number, place: Place): PlaceFault | undefined {
    const before = this.#before(part);
    if (place.kind === 'text' && OPEN_TAG.test(before)) return faultOf({ kind: 'tag name' });
    const unclear = place.kind === 'attribute' && OPEN_REFERENCE.test(before);
    return faultOf(unclear ? { ...place, before: '' } : place);
  }

  /** The text between the variable and the one before it. */
  #before(part: number): string {
    let text = '';
    for (let at = part - 1; at >= 0 && this.#parts[at] !== undefined; at--) text = this.#parts[at]! + text;
    return text;
  }

  /** The number of a variable whose value decides, by being blank, about the elements; undefined if there is none. */
  #deciding(read: Read, tree: string): number | undefined {
    const last = this.variables.length;
    for (const blank of [' ', '']) {
      const differs = (blanks: number): boolean => read(this.#sample(blanks, blank)).tree !== tree;
      if (!differs(last)) continue;
      let [low, high] = [0, last];
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (differs(middle)) high = middle;
        else low = middle;
      }
      return high - 1;
    }
    return undefined;
  }
}

const DROPPED: Place = { kind: 'dropped' };

const DECIDING: PlaceFault = {
  where: 'at a place where text changes the elements around it',
  why: 'browsers move elements if the value is not blank, for example out of `<head>`',
  help: 'Write the variable into an element that contains text, such as `<p>`, after the head of the page.',
};
