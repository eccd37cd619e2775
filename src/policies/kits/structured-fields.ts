/**
 * Structured fields, RFC 9651 (with dates and display strings), by the package structured-headers. Stricter than the package: only
 * ASCII, bounded, and no name twice in a dictionary, since recipients could choose differently between the two.
 */
import {
  type BareItem,
  type Dictionary,
  DisplayString,
  type InnerList,
  type Item,
  isInnerList,
  type List,
  type Parameters,
  parseDictionary,
  parseItem,
  parseList,
  serializeDictionary,
  serializeInnerList,
  serializeItem,
  serializeList,
  Token,
} from 'structured-headers';

export {
  type BareItem,
  type Dictionary,
  DisplayString,
  type InnerList,
  type Item,
  isInnerList,
  type List,
  type Parameters,
  Token,
};

/** Characters of a field, and members of a dictionary or list. */
const MAX_LENGTH = 64 * 1024;
const MAX_MEMBERS = 1024;

const isAscii = (text: string): boolean => /^[\t\x20-\x7e]*$/.test(text);

/** The result of `parse`; undefined for a malformed field. */
function attempt<T extends Parsed>(text: string, parse: (text: string) => T): T | undefined {
  if (text.length > MAX_LENGTH || !isAscii(text)) return undefined;
  try {
    const parsed = parse(text);
    return INEXACT.test(text) ? new Exact(text).of(parsed) : parsed;
  } catch {
    return undefined;
  }
}

/**
 * A dictionary; undefined if the field is malformed, or has a name twice. With 'last', the last member of a name counts, as RFC 9651
 * section 4.2.2 has it: for fields that decide nothing about access.
 */
export function readDictionary(text: string, repeated: 'refuse' | 'last' = 'refuse'): Dictionary | undefined {
  const members = attempt(text, parseDictionary);
  if (members === undefined || members.size > MAX_MEMBERS) return undefined;
  return repeated === 'last' || members.size === countMembers(text) ? members : undefined;
}

/** A list; undefined if the field is malformed. */
export function readList(text: string): List | undefined {
  const members = attempt(text, parseList);
  return members === undefined || members.length > MAX_MEMBERS ? undefined : members;
}

/** An item; undefined if the field is malformed. */
export const readItem = (text: string): Item | undefined => attempt(text, parseItem);

/** The text of a field whose kind is not known, in canonical form; undefined if it is no structured field. */
export function canonical(text: string): string | undefined {
  // In this order: an item is also a list of one member, and a list of tokens is also a dictionary of flags.
  const item = readItem(text);
  if (item !== undefined) return written(() => serializeItem(item));
  const list = readList(text);
  if (list !== undefined) return written(() => serializeList(list));
  const dictionary = readDictionary(text);
  return dictionary && written(() => serializeDictionary(dictionary));
}

function written(write: () => string): string | undefined {
  try {
    return write();
  } catch {
    return undefined;
  }
}

/** A member of a dictionary or list as text. Throws for a value that the format cannot hold. */
export const writeMember = (member: Item | InnerList): string =>
  isInnerList(member) ? serializeInnerList(member) : serializeItem(member);

/** A byte sequence as bytes; undefined for another item. */
export function bytesOf(value: BareItem): Uint8Array | undefined {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : undefined;
}

/** Members of a well-formed dictionary as it is written: commas outside of strings and inner lists, plus one. */
function countMembers(text: string): number {
  let count = text.trim() === '' ? 0 : 1;
  let quoted = false;
  let inner = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    // In a display string, quotes are percent-encoded; a backslash means itself there, and cannot precede a quote.
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (char === '(' || char === ')') inner = char === '(';
    else if (char === ',' && !inner) count++;
  }
  return count;
}

// ---------------------------------------------------------------- what the package writes differently

type Parsed = Item | List | Dictionary;

/** A value with a text of its own. */
class Verbatim extends Token {
  readonly #text: string;

  constructor(text: string) {
    super('*');
    this.#text = text;
  }

  override toString(): string {
    return this.#text;
  }
}

/** Whether a text may have such a value: a decimal without a fraction, or a display string with a control character. */
const INEXACT = /\.0|%0/;
const LEXEME =
  /%"[^"]*"|"(?:[^"\\]|\\.)*"|:[A-Za-z0-9+/=]*:|@-?\d+|\?[01]|[A-Za-z*][:/!#$%&'*+\-.^_`|~\w]*|-?\d+(?:\.\d+)?/g;

/**
 * Replaces values that the package would write in another form than RFC 9651 section 4.1: `1.0` is read as the number of `1`, and a
 * control character of a display string gets a single digit.
 */
class Exact {
  /** The numbers in the text, in its order. */
  readonly #numbers: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#numbers = [...text.matchAll(LEXEME)].map(([lexeme]) => lexeme).filter((lexeme) => /^[-\d]/.test(lexeme));
  }

  /** In place. Undefined if it has fewer numbers than the text: a parameter occurs twice. */
  of<T extends Parsed>(parsed: T): T | undefined {
    if (parsed instanceof Map) for (const member of parsed.values()) this.#member(member);
    else if (isItem(parsed)) this.#member(parsed);
    else for (const member of parsed) this.#member(member);
    return this.#at === this.#numbers.length ? parsed : undefined;
  }

  #member(member: Item | InnerList): void {
    if (isInnerList(member)) for (const item of member[0]) this.#member(item);
    else member[0] = this.#value(member[0]);
    for (const [key, value] of member[1]) member[1].set(key, this.#value(value));
  }

  #value(value: BareItem): BareItem {
    if (value instanceof DisplayString) return /[\0-\x0f]/.test(value.toString()) ? shown(value.toString()) : value;
    if (typeof value !== 'number') return value;
    const text = this.#numbers[this.#at++];
    return Number.isInteger(value) && text?.includes('.') === true ? new Verbatim(value.toFixed(1)) : value;
  }
}

const isItem = (parsed: Item | List): parsed is Item => parsed[1] instanceof Map;

/** Section 4.1.11. */
function shown(text: string): Verbatim {
  let out = '';
  for (const byte of Buffer.from(text)) {
    const plain = byte > 0x1f && byte < 0x7f && byte !== 0x22 && byte !== 0x25;
    out += plain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return new Verbatim(`%"${out}"`);
}
