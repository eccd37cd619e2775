/** Writes JSON as XML, by the mapping of `readXml`. */
import { isLongNumber, type JsonValue } from '../json-text/index.js';
import { hasForbidden, isName } from './characters.js';

export interface XmlWriteOptions {
  /** Whether it begins with `<?xml version="1.0" encoding="UTF-8"?>`. */
  readonly declaration?: boolean;
  /** Nesting of elements. */
  readonly depth?: number;
}

export interface XmlWriteError {
  /** A sentence for the operator: what cannot be written. */
  readonly error: string;
}

type Table = { readonly [name: string]: JsonValue };

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** The text, or why there is none. Never throws. */
export function writeXml(value: JsonValue, options: XmlWriteOptions = {}): { readonly text: string } | XmlWriteError {
  const { declaration = false, depth = 64 } = options;
  try {
    if (!isTable(value) || Object.keys(value).length !== 1)
      throw new Unwritable('XML has one element at the top, so the value must be an object with one member.');
    const [[name, root] = ['', null]] = Object.entries(value);
    if (Array.isArray(root)) throw new Unwritable('XML has one element at the top, so it cannot be a list.');
    return { text: (declaration ? DECLARATION : '') + elementText(name, root, depth) };
  } catch (error) {
    if (error instanceof Unwritable) return { error: error.message };
    throw error;
  }
}

class Unwritable extends Error {}

const isTable = (value: JsonValue): value is Table =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isLongNumber(value);

function elementText(name: string, value: JsonValue, depth: number): string {
  if (!isName(name)) throw new Unwritable(`\`${name.slice(0, 100)}\` is no name of an element.`);
  if (depth === 0) throw new Unwritable('The value is nested too deeply for XML.');
  if (!isTable(value)) return wrapped(name, '', escapedText(scalarText(name, value)));
  let attributes = '';
  let content = '';
  for (const [key, member] of Object.entries(value)) {
    if (key.startsWith('@')) attributes += attributeText(key.slice(1), member);
    else if (key === '#text') content += escapedText(scalarText(key, member));
    else if (Array.isArray(member))
      for (const item of member as readonly JsonValue[]) content += elementText(key, item, depth - 1);
    else content += elementText(key, member, depth - 1);
  }
  return wrapped(name, attributes, content);
}

const wrapped = (name: string, attributes: string, content: string): string =>
  content === '' ? `<${name}${attributes}/>` : `<${name}${attributes}>${content}</${name}>`;

function attributeText(name: string, value: JsonValue): string {
  if (!isName(name)) throw new Unwritable(`\`${name.slice(0, 100)}\` is no name of an attribute.`);
  const text = escapedText(scalarText(name, value)).replaceAll('"', '&quot;');
  return ` ${name}="${text.replaceAll('\t', '&#9;').replaceAll('\n', '&#10;')}"`;
}

function scalarText(name: string, value: JsonValue): string {
  if (value === null) return '';
  if (isLongNumber(value)) return value.text;
  if (typeof value === 'object')
    throw new Unwritable(`The member \`${name.slice(0, 100)}\` must be a text or a number.`);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (hasForbidden(text))
    throw new Unwritable(`The member \`${name.slice(0, 100)}\` has a character that XML does not allow.`);
  return text;
}

/** CR would be read as LF, and `>` ends CDATA that does not exist. */
const escapedText = (text: string): string =>
  /[&<>\r]/.test(text)
    ? text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('\r', '&#13;')
    : text;
