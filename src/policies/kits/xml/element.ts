/** An element while it is read, and the value that it becomes. */
import { type JsonValue, putMember } from '../json-text/index.js';

/** Elements that are arrays always, as a tree of their names. */
export interface ArrayNames {
  readonly isArray: boolean;
  readonly below: ReadonlyMap<string, ArrayNames>;
}

interface Growing extends ArrayNames {
  isArray: boolean;
  readonly below: Map<string, Growing>;
}

/** `paths`: names from the root with dots. */
export function arrayNames(paths: readonly string[]): ArrayNames {
  const root: Growing = { isArray: false, below: new Map() };
  for (const path of paths) {
    let at = root;
    for (const name of path.split('.')) {
      const next: Growing = at.below.get(name) ?? { isArray: false, below: new Map() };
      at.below.set(name, next);
      at = next;
    }
    at.isArray = true;
  }
  return root;
}

/** A name of XML may have dots itself. */
function below(names: ArrayNames | undefined, name: string): ArrayNames | undefined {
  if (names === undefined || !name.includes('.')) return names?.below.get(name);
  return name.split('.').reduce<ArrayNames | undefined>((at, part) => at?.below.get(part), names);
}

export class XmlElement {
  readonly name: string;
  readonly #parent: XmlElement | undefined;
  /** Undefined: it and what is in it are no arrays. Not a path: a long name would be part of the path of each element in it. */
  readonly #arrays: ArrayNames | undefined;
  #members: { [name: string]: JsonValue } | undefined;
  #text = '';
  #hasElements = false;
  /** CDATA is text also if it is blank. */
  #hasCdata = false;
  #value: JsonValue = null;

  /** `arrays`: of the document. */
  constructor(name: string, parent: XmlElement | undefined, arrays: ArrayNames) {
    this.name = name;
    this.#parent = parent;
    this.#arrays = below(parent === undefined ? arrays : parent.#arrays, name);
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
    else putMember(this.#members, name, element.#arrays?.isArray === true ? [value] : value);
  }

  /** Of the root. */
  document(): { [root: string]: JsonValue } {
    const table: { [root: string]: JsonValue } = {};
    putMember(table, this.name, this.#value);
    return table;
  }
}
