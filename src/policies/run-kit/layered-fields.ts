/** Fields that many replies have in common, written once, with those of each reply after them. */
import { assertField, assertReady, type ReadyField } from '../../field-syntax.js';
import type { HeaderFields } from '../contract.js';
import { HeaderMap } from './fields.js';

/** The fields in common. They must not change. */
export class CommonFields {
  readonly map: HeaderMap;
  /** As they go on the wire, each with CRLF; '' before the first use. */
  lines = '';
  readonly hasDate: boolean;

  constructor(fields: Iterable<readonly [string, string]>) {
    this.map = new HeaderMap(fields);
    this.hasDate = this.map.get('date') !== undefined;
  }
}

/** The fields of one reply. As long as fields are only added, the common ones are not copied. */
export class LayeredFields implements HeaderFields {
  readonly common: CommonFields;
  /** Lines of the added fields. */
  added = '';
  readonly #fields: (readonly [string, string])[] = [];
  #map: HeaderMap | undefined = undefined;

  constructor(common: CommonFields) {
    this.common = common;
  }

  /** All fields on their own, once one was read, removed or replaced; undefined before. */
  get map(): HeaderMap | undefined {
    return this.#map;
  }

  #own(): HeaderMap {
    if (this.#map !== undefined) return this.#map;
    const map = this.common.map.copy();
    for (const [name, value] of this.#fields) map.append(name, value);
    this.#map = map;
    return map;
  }

  get(name: string): string | undefined {
    return this.#own().get(name);
  }

  set(name: string, value: string): void {
    this.#own().set(name, value);
  }

  append(name: string, value: string): void {
    if (this.#map !== undefined) {
      this.#map.append(name, value);
      return;
    }
    assertField(name, value);
    this.#fields.push([name, value]);
    this.added += `${name}: ${value}\r\n`;
  }

  add(field: ReadyField): void {
    assertReady(field);
    this.append(field.name, field.value);
  }

  remove(name: string): void {
    this.#own().remove(name);
  }

  entries(): Iterable<readonly [string, string]> {
    return this.#own().entries();
  }
}
