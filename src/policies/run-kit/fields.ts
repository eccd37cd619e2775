/** Header fields outside the codec. */
import { assertField, assertReady, type ReadyField } from '../../field-syntax.js';
import type { HeaderFields } from '../contract.js';

export { assertField, readyField } from '../../field-syntax.js';

/** Header fields in order, for replies by gw and for exchanges that run offline. Names in any case. */
export class HeaderMap implements HeaderFields {
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  constructor(fields?: Iterable<readonly [string, string]>) {
    if (fields) for (const [name, value] of fields) this.append(name, value);
  }

  get(name: string): string | undefined {
    const key = name.toLowerCase();
    let joined: string | undefined;
    for (let at = this.#names.indexOf(key); at >= 0; at = this.#names.indexOf(key, at + 1)) {
      const value = this.#values[at]!;
      joined = joined === undefined ? value : `${joined}, ${value}`;
    }
    return joined;
  }

  set(name: string, value: string): void {
    assertField(name, value);
    this.remove(name);
    this.#names.push(name.toLowerCase());
    this.#values.push(value);
  }

  append(name: string, value: string): void {
    assertField(name, value);
    this.#names.push(name.toLowerCase());
    this.#values.push(value);
  }

  add(field: ReadyField): void {
    assertReady(field);
    this.#names.push(field.name);
    this.#values.push(field.value);
  }

  remove(name: string): void {
    const key = name.toLowerCase();
    for (let at = this.#names.indexOf(key); at >= 0; at = this.#names.indexOf(key, at)) {
      this.#names.splice(at, 1);
      this.#values.splice(at, 1);
    }
  }

  /** The same fields, to be edited apart. */
  copy(): HeaderMap {
    const copy = new HeaderMap();
    copy.#names.push(...this.#names);
    copy.#values.push(...this.#values);
    return copy;
  }

  *entries(): IterableIterator<readonly [string, string]> {
    for (let at = 0; at < this.#names.length; at++) yield [this.#names[at]!, this.#values[at]!];
  }
}

/**
 * The value of a field without white space around it, RFC 9110 section 5.6.3. trim() would also cut bytes above ASCII, and a regular
 * expression takes quadratic time for a long run of spaces.
 */
export function trimmedField(value: string): string {
  let [start, end] = [0, value.length];
  while (start < end && isSpace(value.charCodeAt(start))) start++;
  while (end > start && isSpace(value.charCodeAt(end - 1))) end--;
  return value.slice(start, end);
}

const isSpace = (char: number): boolean => char === 0x20 || char === 0x09;

/** Adds `token` to a comma-separated field that does not contain it yet; `*` contains every token. */
export function addToken(headers: HeaderFields, name: string, token: string): void {
  const present = headers.get(name);
  const words = (present ?? '').split(',').map((word) => word.trim().toLowerCase());
  if (words.includes('*') || words.includes(token.toLowerCase())) return;
  headers.set(name, present?.trim() ? `${present}, ${token}` : token);
}
