/** Edits of header fields at run time. Names and literals were checked when the spec was compiled; here values are only joined. */
import type { Exchange, HeaderFields, Json, Reply } from '../contract.js';
import { assertField, isUrlField, Template } from '../run-kit.js';

/** Applied in this order: remove, rename, set, add. Names in lower case. */
export type EditsSettings = {
  readonly remove: readonly string[];
  /** Absent: none. */
  readonly rename?: readonly (readonly [from: string, to: string])[];
  readonly set: readonly (readonly [name: string, parts: readonly Json[]])[];
  readonly add: readonly (readonly [name: string, parts: readonly Json[]])[];
};

/** `isUrl`: the field holds a URL. */
type Edit = readonly [name: string, template: Template, isUrl: boolean];

const NONE: readonly (readonly [string, string])[] = [];

export class FieldEdits {
  readonly #remove: readonly string[];
  readonly #rename: readonly (readonly [from: string, to: string])[];
  readonly #set: readonly Edit[];
  readonly #add: readonly Edit[];
  readonly none: boolean;

  /** Throws, which rejects the generation, if the value of a reference contains a byte that fields must not contain. */
  constructor({ remove, rename = NONE, set, add }: EditsSettings) {
    this.#remove = remove;
    this.#rename = rename;
    this.#set = set.map(prepare);
    this.#add = add.map(prepare);
    this.none = remove.length + rename.length + set.length + add.length === 0;
  }

  apply(headers: HeaderFields, exchange: Exchange, reply?: Reply): void {
    for (const name of this.#remove) headers.remove(name);
    if (this.#rename.length > 0) renameFields(headers, this.#rename);
    for (const [name, template, isUrl] of this.#set) {
      const value = textOf(template, isUrl, exchange, reply);
      // A client must not be able to supply a field for which the gateway has no value.
      if (value === '') headers.remove(name);
      else headers.set(name, value);
    }
    for (const [name, template, isUrl] of this.#add) {
      const value = textOf(template, isUrl, exchange, reply);
      if (value !== '') headers.append(name, value);
    }
  }

  /** Names of all fields that it edits. */
  get names(): readonly string[] {
    return [...this.#remove, ...this.#rename.flat(), ...this.#written.map(([name]) => name)];
  }

  /** Names of the fields that it renames: those that clients send. */
  get renamed(): readonly string[] {
    return this.#rename.map(([from]) => from);
  }

  /** Names of the fields whose values say who calls. */
  get ofCaller(): readonly string[] {
    return this.#written.filter(([, template]) => template.namesCaller).map(([name]) => name);
  }

  /** Names of the fields whose values contain what the client sent under the same name. */
  get passed(): readonly string[] {
    return this.#written
      .filter(([name, { plan }]) =>
        plan.some((part) => typeof part !== 'string' && part.var.toLowerCase() === `request.header.${name}`),
      )
      .map(([name]) => name);
  }

  get #written(): readonly Edit[] {
    return [...this.#set, ...this.#add];
  }

  /** For people: `remove server, set x-tenant`. `headers`: as edited. */
  describe(headers: HeaderFields): string {
    const parts = [
      ...this.#remove.map((name) => `remove ${name}`),
      ...this.#rename.map(([from, to]) => `rename ${from} to ${to}`),
      ...this.#set.map(([name]) => (headers.get(name) === undefined ? `remove ${name} (no value)` : `set ${name}`)),
      ...this.#add.map(([name]) => `add ${name}`),
    ];
    return parts.join(', ');
  }
}

/**
 * Gives the fields of some names other ones, in place of the fields that have those. All at once, so names can be swapped. Nothing for
 * a name that no field has.
 */
function renameFields(headers: HeaderFields, renames: readonly (readonly [from: string, to: string])[]): void {
  const given = renames.filter(([from]) => headers.get(from) !== undefined);
  if (given.length === 0) return;
  const values: (readonly [to: string, value: string])[] = [];
  for (const [from, to] of given)
    for (const [name, value] of headers.entries()) if (name === from) values.push([to, value]);
  for (const [from, to] of given) {
    headers.remove(from);
    headers.remove(to);
  }
  for (const [to, value] of values) headers.append(to, value);
}

/** '' for no field. A reply may be made before the caller is known; without the name, the text would be misleading. */
function textOf(template: Template, isUrl: boolean, exchange: Exchange, reply: Reply | undefined): string {
  if (reply !== undefined && template.lacksCaller(exchange)) return '';
  return isUrl ? template.renderUrl(exchange, reply) : template.renderField(exchange, reply);
}

function prepare([name, parts]: EditsSettings['set'][number]): Edit {
  const template = new Template(parts as ConstructorParameters<typeof Template>[0]);
  for (const part of parts) if (typeof part === 'string') assertField(name, part);
  return [name, template, isUrlField(name)];
}
