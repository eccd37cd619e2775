/** Takes from an OpenAPI document what an operation says about requests and replies. */
import type { Json, PolicyContext } from '../contract.js';
import { type OpenApiDocument, type Operation, operationsOf } from '../kits/openapi.js';
import {
  atPointer,
  isTable,
  type JsonTable,
  mapSchemas,
  member,
  type SchemaDocuments,
  visitSchemas,
} from '../kits/schema-documents.js';
import { describeParameter, membersOf } from './describe.js';
import type { ContentEntry, ParameterEntry, Place, PlaceEntry } from './schema.js';

export interface Described {
  readonly places: readonly PlaceEntry[];
  readonly body: { readonly required: boolean; readonly content: readonly ContentEntry[] } | undefined;
  readonly replies: { readonly [status: string]: readonly ContentEntry[] };
  /** What is not checked, as sentences. */
  readonly unchecked: readonly string[];
}

/** `POST /orders/{id}` -> the operation; the names of parameters make no difference. */
export function findOperation(document: OpenApiDocument, wanted: string): Operation | undefined {
  const [method, path = ''] = wanted.split(' ', 2);
  const all = operationsOf(document).filter((operation) => operation.method === method);
  return (
    all.find((operation) => operation.path === path) ??
    all.find((operation) => shapeOf(operation.path) === shapeOf(path))
  );
}

const shapeOf = (path: string): string => path.replaceAll(/\{[^}]*\}/g, '{}');

/** The operation that the match of the policy's only route names; undefined if it names several or none. */
export function operationOfRoute({ routes }: PolicyContext): string | undefined {
  const [route] = routes;
  if (routes.length !== 1 || route === undefined || route.methods.length !== 1) return undefined;
  return `${route.methods[0]} ${route.path}`;
}

/** Schemas of requests and of replies differ: `readOnly` members are required in replies alone. */
class Side {
  readonly uri: string;
  readonly #document: OpenApiDocument;
  readonly #hidden: 'readOnly' | 'writeOnly';
  readonly #own: { [name: string]: Json } = {};
  readonly #shared = new Map<string, Json>();

  constructor(document: OpenApiDocument, request: boolean) {
    this.#document = document;
    this.uri = request ? 'gw://openapi/request' : 'gw://openapi/reply';
    this.#hidden = request ? 'readOnly' : 'writeOnly';
  }

  /** Takes a schema of the document; returns its URI. */
  take(schema: Json): string {
    const name = String(Object.keys(this.#own).length);
    this.#own[name] = this.#converted(schema);
    return `${this.uri}#/own/${name}`;
  }

  /** Adds everything that was taken, with the schemas that it refers to, at their places in the document. */
  addTo(documents: SchemaDocuments): void {
    if (Object.keys(this.#own).length === 0) return;
    const whole: { [key: string]: Json } = { own: this.#own };
    const pointers = [...this.#shared.keys()].sort((a, b) => a.length - b.length);
    for (const pointer of pointers) place(whole, pointer, this.#shared.get(pointer)!);
    documents.add(this.uri, whole);
    for (const schema of [...Object.values(this.#own), ...this.#shared.values()]) documents.inspect(schema);
  }

  #converted(schema: Json): Json {
    const converted = mapSchemas(schema, (table) => this.#convert(table));
    visitSchemas(converted, (table) => {
      const reference = member(table, '$ref');
      if (typeof reference !== 'string' || !reference.startsWith('#/')) return;
      const pointer = reference.slice(1);
      if (this.#shared.has(pointer)) return;
      const target = atPointer(this.#document.root as Json, pointer);
      if (target === undefined) return;
      this.#shared.set(pointer, true);
      this.#shared.set(pointer, this.#converted(target));
    });
    return converted;
  }

  /** OpenAPI 3.0 has its own dialect; `discriminator` only helps to choose among schemas that are checked anyway. */
  #convert(given: JsonTable): JsonTable {
    const { discriminator: _, example: __, ...rest } = given;
    const old = this.#document.version.startsWith('3.0');
    if (old && typeof rest['$ref'] === 'string') return { $ref: rest['$ref'] };
    const table: { [key: string]: Json } = { ...rest };
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

/** Puts a value at a JSON pointer; a part of something that is there already stays as it is. */
function place(whole: { [key: string]: Json }, pointer: string, value: Json): void {
  if (atPointer(whole, pointer) !== undefined) return;
  let current: { [key: string]: Json } = whole;
  const keys = pointer
    .split('/')
    .slice(1)
    .map((token) => decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~'));
  for (const key of keys.slice(0, -1)) {
    const next = member(current, key);
    const table = isTable(next) ? { ...next } : {};
    current[key] = table;
    current = table;
  }
  current[keys.at(-1)!] = value;
}

/** Reads an operation, and adds its schemas to `documents`. */
export function describeOperation(
  document: OpenApiDocument,
  operation: Operation,
  documents: SchemaDocuments,
): Described {
  documents.dialect = document.version.startsWith('3.0') ? 'draft-07' : '2020-12';
  const [request, reply] = [new Side(document, true), new Side(document, false)];
  const reader = new OperationReader(document, documents, request);
  const drafts = reader.parameters(operation);
  const body = document.resolve(member(operation.data as Json, 'requestBody') as never) as Json | undefined;
  const content = body === undefined ? undefined : reader.content(member(body, 'content'), request, 'request body');
  const replies: { [status: string]: readonly ContentEntry[] } = {};
  const responses = member(operation.data as Json, 'responses');
  for (const [status, written] of Object.entries(isTable(responses) ? responses : {})) {
    const response = document.resolve(written as never) as Json | undefined;
    const key = /^[1-5]xx$/i.test(status) ? status.toUpperCase() : status;
    replies[key] = reader.content(member(response, 'content'), reply, `reply ${status}`);
  }
  request.addTo(documents);
  reply.addTo(documents);
  return {
    places: drafts.map((draft) => reader.place(draft)),
    body: content && {
      required: member(body, 'required') === true,
      content: content.map((entry) => reader.form(entry)),
    },
    replies,
    unchecked: reader.unchecked,
  };
}

interface Draft {
  readonly place: Place;
  readonly schema: string;
  readonly parameters: readonly (Pick<ParameterEntry, 'name' | 'style' | 'explode'> & { readonly schema: Json })[];
}

const PLACES: readonly Place[] = ['path', 'query', 'header', 'cookie'];
/** OpenAPI 3.1 section 4.8.12.1: fields with a meaning of their own are no parameters. */
const IGNORED_FIELDS = ['accept', 'content-type', 'authorization'];

class OperationReader {
  readonly unchecked: string[] = [];
  readonly #document: OpenApiDocument;
  readonly #documents: SchemaDocuments;
  readonly #request: Side;

  constructor(document: OpenApiDocument, documents: SchemaDocuments, request: Side) {
    this.#document = document;
    this.#documents = documents;
    this.#request = request;
  }

  /** Those of the operation replace those of its path with the same name and place. */
  parameters({ item, data }: Operation): Draft[] {
    const all = new Map<string, JsonTable>();
    for (const list of [member(item as Json, 'parameters'), member(data as Json, 'parameters')]) {
      if (!Array.isArray(list)) continue;
      for (const written of list as readonly Json[]) {
        const parameter = this.#document.resolve(written as never) as Json | undefined;
        if (isTable(parameter)) all.set(`${parameter['in']}\n${parameter['name']}`, parameter);
      }
    }
    return PLACES.flatMap((place) =>
      this.#draft(
        place,
        [...all.values()].filter((each) => each['in'] === place),
      ),
    );
  }

  #draft(place: Place, given: readonly JsonTable[]): Draft[] {
    const used = given.filter(({ name }) => place !== 'header' || !IGNORED_FIELDS.includes(String(name).toLowerCase()));
    if (used.length === 0) return [];
    const properties: { [name: string]: Json } = {};
    const parameters = used.map((parameter) => {
      const name = String(parameter['name']);
      const contents = member(parameter, 'content');
      const [media] = isTable(contents) ? Object.entries(contents) : [];
      const schema = member(media?.[1] ?? parameter, 'schema') ?? true;
      properties[name] = schema;
      const query = place === 'query' || place === 'cookie';
      const style = (parameter['style'] ?? (query ? 'form' : 'simple')) as ParameterEntry['style'];
      const explode = (parameter['explode'] ?? style === 'form') === true;
      return { name, style: media !== undefined && /json/.test(media[0]) ? ('json' as const) : style, explode, schema };
    });
    const required = used
      .filter((each) => each['required'] === true || place === 'path')
      .map(({ name }) => String(name));
    return [{ place, schema: this.#request.take({ type: 'object', properties, required }), parameters }];
  }

  place({ place: where, schema, parameters }: Draft): PlaceEntry {
    const members = member(this.#documents.find(schema), 'properties');
    return {
      place: where,
      schema,
      parameters: parameters.map(({ name, style, explode }) =>
        describeParameter(
          this.#documents,
          name,
          { schema: member(members, name), uri: this.#request.uri },
          { style, explode },
        ),
      ),
      all: false,
    };
  }

  content(given: Json | undefined, side: Side, what: string): ContentEntry[] {
    if (!isTable(given)) return [];
    return Object.entries(given).map(([written, media]): ContentEntry => {
      const type = written.split(';', 1)[0]!.trim().toLowerCase();
      const schema = member(media, 'schema');
      const kind = /[/+]json$/.test(type) ? 'json' : type === 'application/x-www-form-urlencoded' ? 'form' : undefined;
      if (kind === undefined && schema !== undefined) {
        this.unchecked.push(
          `The ${what} of type \`${type}\` is not checked against its schema: gw checks JSON and forms.`,
        );
      }
      if (kind === undefined) return { type };
      return { type, kind, ...(schema === undefined ? {} : { schema: side.take(schema) }) };
    });
  }

  /** The members of a form, whose texts become values like those of a query. */
  form(entry: ContentEntry): ContentEntry {
    if (entry.kind !== 'form' || entry.schema === undefined) return entry;
    const { uri } = this.#request;
    const members = membersOf(this.#documents, { schema: this.#documents.find(entry.schema), uri });
    const parameters = [...members].map(([name, schema]) =>
      describeParameter(this.#documents, name, schema, { style: 'form', explode: true }),
    );
    return { ...entry, parameters };
  }
}
