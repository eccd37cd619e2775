/** Trees of JSON and TOML values. The declared schemas decode them as they decode the tree of a spec. */
import type { Span } from '../../schema/diagnostic.js';
import type { TableEntry, TomlNode } from '../../schema/tree.js';
import type { LocatedText } from '../source.js';
import { DateTime, MAX_DEPTH } from '../toml/toml.js';

/** The text nests deeper than any consumer does. */
export class TooDeep extends Error {
  override readonly name = 'TooDeep';
}

/** The tree of a parsed value, with one span for all nodes: fast. Keys with the value null are absent. @throws TooDeep */
export function plainNode(value: unknown, span: Span, depth = 0): TomlNode {
  const from = 'spec';
  if (typeof value === 'string') return { kind: 'string', value, span, from };
  if (value instanceof DateTime) return { kind: 'datetime', value: value.text, span, from };
  if (typeof value === 'bigint') return { kind: 'integer', value: Number(value), span, from };
  if (typeof value === 'boolean') return { kind: 'boolean', value, span, from };
  if (typeof value === 'number') return { kind: Number.isSafeInteger(value) ? 'integer' : 'float', value, span, from };
  if (depth >= MAX_DEPTH) throw new TooDeep();
  if (Array.isArray(value)) {
    return { kind: 'array', items: value.map((item) => plainNode(item, span, depth + 1)), span, from };
  }
  const entries = new Map<string, TableEntry>();
  for (const [name, item] of Object.entries(value ?? {})) {
    if (item !== null) entries.set(name, { key: name, keySpan: span, value: plainNode(item, span, depth + 1) });
  }
  return { kind: 'table', entries, span, from };
}

/** The tree of a part of a text, each value and key with its span. The part is valid JSON, and not too deep. */
export function locatedNode(text: LocatedText, start: number): TomlNode {
  return new Reader(text, start).value();
}

/** A string, or whatever other scalar stands here. */
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SCALAR = /[^\s,\]}]+/y;

class Reader {
  readonly #text: LocatedText;
  #at: number;

  constructor(text: LocatedText, start: number) {
    this.#text = text;
    this.#at = start;
  }

  value(): TomlNode {
    this.#space();
    const start = this.#at;
    const first = this.#text.text[start];
    if (first === '[') return this.#array(start);
    if (first === '{') return this.#table(start);
    const value: unknown = JSON.parse(this.#match(first === '"' ? STRING : SCALAR));
    return plainNode(value, this.#text.span(start, this.#at));
  }

  #array(start: number): TomlNode {
    const items: TomlNode[] = [];
    this.#at++;
    while (!this.#ends(']')) items.push(this.value());
    return { kind: 'array', items, span: this.#text.span(start, this.#at), from: 'spec' };
  }

  #table(start: number): TomlNode {
    const entries = new Map<string, TableEntry>();
    this.#at++;
    while (!this.#ends('}')) {
      const keyStart = this.#at;
      const key = JSON.parse(this.#match(STRING)) as string;
      const keySpan = this.#text.span(keyStart, this.#at);
      this.#space();
      this.#at++;
      this.#space();
      const isNull = this.#text.text.startsWith('null', this.#at);
      const value = this.value();
      if (isNull) entries.delete(key);
      else entries.set(key, { key, keySpan, value });
    }
    return { kind: 'table', entries, span: this.#text.span(start, this.#at), from: 'spec' };
  }

  /** Steps over a comma; true after the bracket at the end. */
  #ends(bracket: string): boolean {
    this.#space();
    if (this.#text.text[this.#at] === ',') {
      this.#at++;
      this.#space();
    }
    if (this.#text.text[this.#at] !== bracket) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    while (/\s/.test(this.#text.text[this.#at] ?? '')) this.#at++;
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text.text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }
}
