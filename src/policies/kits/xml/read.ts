/**
 * Reads XML 1.0 strictly, in one pass and within bounds. A document type is refused, so there are no entities but the five
 * predefined ones. Comments and processing instructions are left out. Namespaces are not resolved: names keep their prefixes.
 */
import { isUtf8 } from 'node:buffer';
import type { JsonValue } from '../json-text/index.js';
import { hasForbidden, NAME, withoutReferences } from './characters.js';
import { type ArrayNames, arrayNames, XmlElement } from './element.js';

export interface XmlLimits {
  readonly bytes: number;
  /** Elements within each other. */
  readonly depth: number;
  /** Elements and attributes. */
  readonly values: number;
  /** Attributes of one element. */
  readonly attributes: number;
}

export const DEFAULT_XML_LIMITS: XmlLimits = { bytes: 1 << 20, depth: 64, values: 50_000, attributes: 100 };

export interface XmlFault {
  readonly kind: 'encoding' | 'syntax' | 'doctype' | 'entity' | 'size' | 'depth';
  /** A sentence for the client. */
  readonly detail: string;
}

export type XmlRead =
  | { readonly value: { readonly [root: string]: JsonValue }; readonly fault?: undefined }
  | { readonly fault: XmlFault; readonly value?: undefined };

export interface XmlReadOptions {
  readonly limits?: Partial<XmlLimits>;
  /** Elements that are arrays also if they occur once, as names from the root with dots: `order.items.item`. */
  readonly arrays?: readonly string[];
}

/** Never throws. */
export function readXml(bytes: Uint8Array, { limits = {}, arrays = [] }: XmlReadOptions = {}): XmlRead {
  const bounds = { ...DEFAULT_XML_LIMITS, ...limits };
  if (bytes.length > bounds.bytes)
    return { fault: { kind: 'size', detail: `The XML has more than ${bounds.bytes} bytes.` } };
  if (!isUtf8(bytes)) return { fault: { kind: 'encoding', detail: 'The XML is not valid UTF-8.' } };
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    .toString('utf8')
    .replace(/^\ufeff/, '');
  try {
    return {
      value: new Reader(
        text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text,
        bounds,
        arrayNames(arrays),
      ).document(),
    };
  } catch (error) {
    if (error instanceof Refusal) return { fault: { kind: error.kind, detail: error.message } };
    throw error;
  }
}

class Refusal extends Error {
  readonly kind: XmlFault['kind'];

  constructor(kind: XmlFault['kind'], detail: string) {
    super(detail);
    this.kind = kind;
  }
}

/** Sticky, so that each is tried at the position alone. */
const OPEN_TAG = new RegExp(`<(${NAME})`, 'uy');
const CLOSE_TAG = new RegExp(`</(${NAME})[ \\t\\n]*>`, 'uy');
const ATTRIBUTE = new RegExp(`[ \\t\\n]+(${NAME})[ \\t\\n]*=[ \\t\\n]*(?:"([^<"]*)"|'([^<']*)')`, 'uy');
const TAG_END = /[ \t\n]*(\/?)>/y;
const DECLARATION =
  /<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*(["'])1\.0\1(?:[ \t\n]+encoding[ \t\n]*=[ \t\n]*(["'])([A-Za-z][A-Za-z0-9._-]*)\2)?(?:[ \t\n]+standalone[ \t\n]*=[ \t\n]*(["'])(?:yes|no)\4)?[ \t\n]*\?>/y;
const INSTRUCTION = new RegExp(`<\\?(${NAME})(?:[ \\t\\n]|(?=\\?>))`, 'uy');
const BLANK = /^[ \t\n]*$/;

class Reader {
  readonly #text: string;
  readonly #limits: XmlLimits;
  readonly #arrays: ArrayNames;
  readonly #open: XmlElement[] = [];
  #root: XmlElement | undefined;
  #values = 0;
  #at = 0;

  constructor(text: string, limits: XmlLimits, arrays: ArrayNames) {
    this.#text = text;
    this.#limits = limits;
    this.#arrays = arrays;
  }

  document(): { [root: string]: JsonValue } {
    if (hasForbidden(this.#text)) throw this.#syntax('it contains a character that XML does not allow');
    if (/^<\?xml[ \t\n]/.test(this.#text)) this.#declaration();
    while (this.#at < this.#text.length) this.#next();
    if (this.#open.length > 0) throw this.#syntax(`the element \`${this.#open.at(-1)!.shownName}\` is not closed`);
    if (this.#root === undefined) throw this.#syntax('it has no element');
    return this.#root.document();
  }

  #declaration(): void {
    const found = this.#take(DECLARATION);
    if (found === undefined) throw this.#syntax('its declaration is not that of XML 1.0');
    const encoding = (found[3] ?? 'utf-8').toLowerCase();
    if (encoding !== 'utf-8' && encoding !== 'us-ascii')
      throw new Refusal('encoding', 'The XML declares an encoding other than UTF-8.');
  }

  #next(): void {
    const text = this.#text;
    const at = this.#at;
    if (text[at] !== '<') this.#characters();
    else if (text[at + 1] === '?') this.#instruction();
    else if (text[at + 1] === '/') this.#close();
    else if (text[at + 1] !== '!') this.#element();
    else if (text.startsWith('<!--', at)) this.#comment();
    else if (text.startsWith('<![CDATA[', at)) this.#cdata();
    else if (text.startsWith('<!DOCTYPE', at))
      throw new Refusal('doctype', 'The XML has a document type, which is not accepted.');
    else throw this.#syntax('it has a declaration that is not known');
  }

  #characters(): void {
    const found = this.#text.indexOf('<', this.#at);
    const raw = this.#text.slice(this.#at, found < 0 ? this.#text.length : found);
    const element = this.#open.at(-1);
    if (element === undefined) {
      if (!BLANK.test(raw)) throw this.#syntax('it has text outside of the element');
    } else {
      if (raw.includes(']]>')) throw this.#syntax('it has `]]>` outside of CDATA');
      element.addText(this.#withoutReferences(raw));
    }
    this.#at += raw.length;
  }

  #withoutReferences(raw: string): string {
    const text = withoutReferences(raw);
    if (text === undefined)
      throw new Refusal('entity', `The XML has a reference that is not predefined, at ${this.#place()}.`);
    return text;
  }

  #comment(): void {
    const end = this.#text.indexOf('--', this.#at + 4);
    if (end < 0 || this.#text[end + 2] !== '>') throw this.#syntax('a comment is not closed, or contains `--`');
    this.#at = end + 3;
  }

  #cdata(): void {
    const end = this.#text.indexOf(']]>', this.#at);
    const element = this.#open.at(-1);
    if (end < 0 || element === undefined) throw this.#syntax('CDATA is not closed, or outside of the element');
    element.addText(this.#text.slice(this.#at + '<![CDATA['.length, end), true);
    this.#at = end + 3;
  }

  #instruction(): void {
    const found = this.#take(INSTRUCTION);
    const end = this.#text.indexOf('?>', this.#at);
    if (found === undefined || end < 0 || /^xml$/i.test(found[1]!))
      throw this.#syntax('a processing instruction is not valid');
    this.#at = end + 2;
  }

  #element(): void {
    const parent = this.#open.at(-1);
    const name = this.#take(OPEN_TAG)?.[1];
    if (name === undefined) throw this.#syntax('`<` begins no tag');
    if (parent === undefined && this.#root !== undefined) throw this.#syntax('it has more than one element at the top');
    this.#count();
    const element = new XmlElement(name, parent, this.#arrays);
    this.#root ??= element;
    this.#attributes(element);
    const end = this.#take(TAG_END);
    if (end === undefined) throw this.#syntax(`the tag of \`${element.shownName}\` is not valid`);
    if (end[1] === '/') element.finish();
    else if (this.#open.push(element) > this.#limits.depth)
      throw new Refusal('depth', `The XML is nested more than ${this.#limits.depth} levels deep.`);
  }

  #attributes(element: XmlElement): void {
    let count = 0;
    for (let found = this.#take(ATTRIBUTE); found !== undefined; found = this.#take(ATTRIBUTE)) {
      this.#count();
      if (++count > this.#limits.attributes)
        throw new Refusal('size', `An element of the XML has more than ${this.#limits.attributes} attributes.`);
      const raw = (found[2] ?? found[3] ?? '').replace(/[\t\n]/g, ' ');
      if (!element.addAttribute(found[1]!, this.#withoutReferences(raw)))
        throw this.#syntax(`\`${element.shownName}\` has an attribute twice`);
    }
  }

  #close(): void {
    const name = this.#take(CLOSE_TAG)?.[1];
    const element = this.#open.pop();
    if (name === undefined || element === undefined || element.name !== name)
      throw this.#syntax('a closing tag does not match');
    element.finish();
  }

  #count(): void {
    if (++this.#values > this.#limits.values)
      throw new Refusal('size', `The XML has more than ${this.#limits.values} elements and attributes.`);
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }

  #syntax(reason: string): Refusal {
    return new Refusal('syntax', `The XML is not valid at ${this.#place()}: ${reason}.`);
  }

  #place(): string {
    const before = this.#text.slice(0, this.#at);
    return `line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`;
  }
}
