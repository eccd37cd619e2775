/** An element while it is read, and the value that it becomes. */
import { type JsonValue, putMember } from '../json-text/index.js';

export class XmlElement {
  readonly name: string;
  readonly #parent: XmlElement | undefined;
  readonly #arrays: ReadonlySet<string>;
  /** Names from the root; empty if there are no arrays to look for. */
  readonly #path: string;
  #members: { [name: string]: JsonValue } | undefined;
  #text = '';
  #hasElements = false;
  /** CDATA is text also if it is blank. */
  #hasCdata = false;
  #value: JsonValue = null;

  constructor(name: string, parent: XmlElement | undefined, arrays: ReadonlySet<string>) {
    this.name = name;
    this.#parent = parent;
    this.#arrays = arrays;
    this.#path = arrays.size === 0 ? '' : parent === undefined ? name : `${parent.#path}.${name}`;
  }

  /** For messages: bounded. */
  get shownName(): string {
    return this.name.slice(0, 100);
  }

  addText(text: string, cdata = false): void {
    this.#text += text;
    this.#hasCdata ||= cdata;
  }

  /** False if it has the attribute already. */
  addAttribute(name: string, value: string): boolean {
    this.#members ??= {};
    const key = `@${name}`;
    if (Object.hasOwn(this.#members, key)) return false;
    this.#members[key] = value;
    return true;
  }

  /** At its end: makes its value, a member of its parent. */
  finish(): void {
    const text = this.#hasElements && !this.#hasCdata && /^[ \t\n]*$/.test(this.#text) ? '' : this.#text;
    if (this.#members === undefined) this.#value = text;
    else {
      if (text !== '') this.#members['#text'] = text;
      this.#value = this.#members;
    }
    this.#parent?.addElement(this);
  }

  addElement(element: XmlElement): void {
    const { name } = element;
    const value = element.#value;
    this.#hasElements = true;
    this.#members ??= {};
    const before = Object.hasOwn(this.#members, name) ? this.#members[name] : undefined;
    // An element's own value is never an array.
    if (Array.isArray(before)) before.push(value);
    else if (before !== undefined) putMember(this.#members, name, [before, value]);
    else putMember(this.#members, name, this.#arrays.has(element.#path) ? [value] : value);
  }

  /** Of the root. */
  document(): { [root: string]: JsonValue } {
    const table: { [root: string]: JsonValue } = {};
    putMember(table, this.name, this.#value);
    return table;
  }
}
