/** The schemas of one side of an operation, requests or replies, in a dialect of JSON Schema. */
import type { Json } from '../contract.js';
import type { DataTable, OpenApiDocument } from '../kits/openapi.js';
import { type JsonTable, mapSchemas, member, type SchemaDocuments } from '../kits/schema-documents.js';

/** Keys that change nothing here; references by `$id` and `$anchor` are followed in the document. */
const ANNOTATIONS = ['discriminator', 'example', '$id', '$anchor', '$schema'];

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
    }
    const required = table['required'];
    if (Array.isArray(required)) {
      table['required'] = (required as readonly Json[]).filter((name) => !this.#isHidden(table, String(name)));
    }
    if (!old) return table;
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
    if (table['nullable'] === true && typeof table['type'] === 'string') table['type'] = [table['type'], 'null'];
    if (table['nullable'] === true && Array.isArray(table['enum']))
      table['enum'] = [...(table['enum'] as Json[]), null];
    delete table['nullable'];
    return table;
  }

  #isHidden(table: JsonTable, name: string): boolean {
    const property = member(member(table, 'properties'), name);
    return member(this.#document.resolve(property as never) as Json, this.#hidden) === true;
  }
}
