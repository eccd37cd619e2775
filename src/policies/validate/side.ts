/** The schemas of one side of an operation, requests or replies, in a dialect of JSON Schema. */
import type { Json } from '../contract.js';
import type { DataTable, OpenApiDocument } from '../kits/openapi.js';
import { isTable, type JsonTable, mapSchemas, member, type SchemaDocuments } from '../kits/schema-documents.js';

/** Keys that change nothing here; references by `$id` and `$anchor` are followed in the document. */
const ANNOTATIONS = ['discriminator', 'example', 'nullable', 'id', '$id', '$anchor', '$schema'];
const COMBINING = ['allOf', 'anyOf', 'oneOf'];
/** Parts of a combined schema that are searched. */
const MAX_PARTS = 1000;

/** Schemas of requests and of replies differ: `readOnly` members are required in replies alone. */
export class Side {
  readonly uri: string;
  readonly #document: OpenApiDocument;
  readonly #hidden: 'readOnly' | 'writeOnly';
  readonly #own: Json[] = [];
  /** Names of the schemas that references lead to. */
  readonly #names = new Map<Json, string>();
  readonly #shared = new Map<string, Json>();
  /** Those that are not converted yet. */
  readonly #waiting: [name: string, schema: Json][] = [];

  constructor(document: OpenApiDocument, request: boolean) {
    this.#document = document;
    this.uri = request ? 'gw://openapi/request' : 'gw://openapi/reply';
    this.#hidden = request ? 'readOnly' : 'writeOnly';
  }

  /** Takes a schema of the document; returns its URI. */
  take(schema: Json): string {
    this.#own.push(this.#converted(schema));
    for (let next = this.#waiting.pop(); next !== undefined; next = this.#waiting.pop()) {
      this.#shared.set(next[0], this.#converted(next[1]));
    }
    return `${this.uri}#/own/${this.#own.length - 1}`;
  }

  /** Adds everything that was taken, with the schemas that it refers to. */
  addTo(documents: SchemaDocuments): void {
    if (this.#own.length === 0) return;
    documents.add(this.uri, { own: this.#own, shared: Object.fromEntries(this.#shared) });
    for (const schema of [...this.#own, ...this.#shared.values()]) documents.inspect(schema);
  }

  #converted(schema: Json): Json {
    return mapSchemas(schema, (table) => this.#convert(table));
  }

  /** The URI of what a reference leads to. After a fault, a schema that accepts nothing. */
  #uriOf(table: JsonTable): string {
    const target = (this.#document.step(table as DataTable) ?? false) as Json;
    let name = this.#names.get(target);
    if (name === undefined) {
      name = String(this.#names.size);
      this.#names.set(target, name);
      this.#waiting.push([name, target]);
    }
    return `${this.uri}#/shared/${name}`;
  }

  /** OpenAPI 3.0 has its own dialect; `discriminator` only helps to choose among schemas that are checked anyway. */
  #convert(given: JsonTable): JsonTable {
    const table: { [key: string]: Json } = { ...given };
    for (const key of ANNOTATIONS) delete table[key];
    const old = this.#document.version.startsWith('3.0');
    if (typeof table['$ref'] === 'string') {
      table['$ref'] = this.#uriOf(given);
      if (old) return { $ref: table['$ref'] };
    } else if (given['nullable'] === true && COMBINING.some((key) => Object.hasOwn(table, key))) {
      // The parts need not accept null: tools write a nullable reference in this way.
      return { anyOf: [{ type: 'null' }, table] };
    }
    this.#dropHidden(given, table);
    if (given['nullable'] === true) acceptNull(table);
    if (old) numericBounds(table);
    return table;
  }

  /** Members that this side does not have are not required, wherever the combined schema says so. */
  #dropHidden(given: JsonTable, table: { [key: string]: Json }): void {
    const parts = table['allOf'];
    if (!Array.isArray(table['required']) && !Array.isArray(parts)) return;
    const hidden = this.#hiddenIn(given);
    if (hidden.size === 0) return;
    const without = (names: Json): Json[] => (names as Json[]).filter((name) => !hidden.has(name));
    if (Array.isArray(table['required'])) table['required'] = without(table['required']);
    if (!Array.isArray(parts)) return;
    table['allOf'] = (parts as readonly Json[]).map((part) => {
      const required = member(part, 'required');
      const isOwn = isTable(part) && Array.isArray(required) && !Object.hasOwn(part, '$ref');
      return isOwn ? { ...part, required: without(required) } : part;
    });
  }

  /** The names of such members in a schema, in what it refers to, and in its parts. */
  #hiddenIn(schema: Json | undefined, hidden = new Set<Json>(), seen = new Set<Json>()): ReadonlySet<Json> {
    if (!isTable(schema) || seen.has(schema) || seen.size > MAX_PARTS) return hidden;
    seen.add(schema);
    if (typeof schema['$ref'] === 'string') {
      this.#hiddenIn(this.#document.step(schema as DataTable) as Json | undefined, hidden, seen);
    }
    const properties = member(schema, 'properties');
    for (const [name, property] of Object.entries(isTable(properties) ? properties : {})) {
      const flags = [property, this.#document.resolve(property as never) as Json | undefined];
      if (flags.some((each) => member(each, this.#hidden) === true)) hidden.add(name);
    }
    const parts = member(schema, 'allOf');
    for (const part of Array.isArray(parts) ? (parts as readonly Json[]) : []) this.#hiddenIn(part, hidden, seen);
    return hidden;
  }
}

function acceptNull(table: { [key: string]: Json }): void {
  const { type, enum: values } = table;
  if (typeof type === 'string') table['type'] = [type, 'null'];
  if (Array.isArray(values) && !(values as Json[]).includes(null)) table['enum'] = [...(values as Json[]), null];
}

/** In OpenAPI 3.0 an exclusive bound is a flag beside the bound. */
function numericBounds(table: { [key: string]: Json }): void {
  for (const [flag, bound] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof table[flag] !== 'boolean') continue;
    if (table[flag] === true && table[bound] !== undefined) {
      table[flag] = table[bound];
      delete table[bound];
    } else delete table[flag];
  }
}
