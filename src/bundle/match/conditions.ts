/**
 * Conditions on the scheme, header fields and query parameters.
 *
 * The scheme is tested as one more field that always has one value: `http` or `https`.
 *
 * A header test gets all values of the field joined with ', ' (RFC 9110 section 5.3), non-ASCII text as UTF-8 bytes. A query
 * test reads the raw query as application/x-www-form-urlencoded (plus is a space, `%XX` a byte) without decoding it into new
 * strings. Only the first value of a repeated parameter is used, as in `queryParam` of an exchange, so two conditions that
 * exclude each other never both hold. `absent` holds if the field or parameter is missing.
 */

import { hexByte } from '../normalize.js';
import * as layout from '../trie/layout.js';
import type { Trie } from '../trie/trie.js';
import type { RequestView } from '../types.js';
import { wireText } from '../wire-text.js';
import { Automaton } from './automaton.js';

type Op = (typeof layout.OPS)[number];

const AMPERSAND = 0x26;
const EQUALS = 0x3d;

export class Condition {
  readonly on: 'scheme' | 'header' | 'query';
  readonly name: string;
  readonly op: Op;
  /** Values of equals, prefix and one-of. */
  readonly values: readonly string[];
  readonly automaton: Automaton | undefined;
  readonly #nameBytes: Uint8Array;
  readonly #valueBytes: readonly Uint8Array[];
  /** The same values in the form of header values. */
  readonly #wireValues: readonly string[];

  constructor(trie: Trie, index: number) {
    const at = index * layout.CONDITION_WORDS;
    const [on, name, op, argument, count] = trie.conditions.subarray(at, at + layout.CONDITION_WORDS);
    this.on = layout.ON[on!]!;
    this.name = trie.string(name!);
    this.op = layout.OPS[op!]!;
    this.automaton = this.op === 'matches' ? new Automaton(trie, argument!) : undefined;
    this.values =
      this.op === 'one-of'
        ? Array.from(trie.lists.subarray(argument! + 1, argument! + 1 + count!), (value) => trie.string(value))
        : this.op === 'equals' || this.op === 'prefix'
          ? [trie.string(argument!)]
          : [];
    const encoder = new TextEncoder();
    this.#nameBytes = encoder.encode(this.name);
    this.#valueBytes = this.values.map((value) => encoder.encode(value));
    this.#wireValues = this.values.map(wireText);
  }

  holds(view: RequestView): boolean {
    switch (this.on) {
      case 'scheme':
        return this.#fieldHolds(view.scheme);
      case 'header':
        return this.#fieldHolds(view.header(this.name));
      case 'query':
        return this.#queryHolds(view.query);
    }
  }

  /** The condition as text: `header x-beta equals "1"`. */
  describe(): string {
    const subject = this.on === 'scheme' ? 'scheme' : `${this.on} ${this.name}`;
    switch (this.op) {
      case 'present':
        return `${subject} is present`;
      case 'absent':
        return `${subject} is absent`;
      case 'matches':
        return `${subject} matches ${this.automaton!.source}`;
      case 'prefix':
        return `${subject} starts with ${JSON.stringify(this.values[0])}`;
      default:
        return `${subject} is ${this.values.map((value) => JSON.stringify(value)).join(' or ')}`;
    }
  }

  #fieldHolds(value: string | undefined): boolean {
    if (value === undefined) return this.op === 'absent';
    switch (this.op) {
      case 'present':
        return true;
      case 'absent':
        return false;
      case 'prefix':
        return value.startsWith(this.#wireValues[0]!);
      case 'matches':
        return this.automaton!.acceptsBytes(value);
      default:
        return this.#wireValues.includes(value);
    }
  }

  #queryHolds(query: string): boolean {
    let start = 0;
    while (start < query.length) {
      let end = start;
      let nameEnd = -1;
      for (; end < query.length; end++) {
        const code = query.charCodeAt(end);
        if (code === AMPERSAND) break;
        if (code === EQUALS && nameEnd < 0) nameEnd = end;
      }
      if (nameEnd < 0) nameEnd = end;
      if (end > start && sameBytes(query, start, nameEnd, this.#nameBytes, false)) {
        return this.op !== 'absent' && this.#valueHolds(query, Math.min(nameEnd + 1, end), end);
      }
      start = end + 1;
    }
    return this.op === 'absent';
  }

  #valueHolds(query: string, from: number, to: number): boolean {
    if (this.op === 'present') return true;
    if (this.op === 'matches') return this.automaton!.accepts(query, from, to, true);
    for (const value of this.#valueBytes) {
      if (sameBytes(query, from, to, value, this.op === 'prefix')) return true;
    }
    return false;
  }
}

/** Whether a part of a raw query, decoded, equals (or starts with) these bytes. */
function sameBytes(query: string, from: number, to: number, bytes: Uint8Array, prefix: boolean): boolean {
  let k = 0;
  for (let i = from; i < to; i++) {
    if (k === bytes.length) return prefix;
    let byte = query.charCodeAt(i);
    if (byte === 0x2b) {
      byte = 0x20;
    } else if (byte === 0x25) {
      const escaped = i + 2 < to ? hexByte(query, i + 1) : -1;
      if (escaped >= 0) {
        byte = escaped;
        i += 2;
      }
    }
    if (bytes[k++] !== byte) return false;
  }
  return k === bytes.length;
}
