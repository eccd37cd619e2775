/** Takes from an OpenAPI document what an operation says about requests and replies. */
import type { Json, PolicyContext } from '../contract.js';
import { type OpenApiDocument, type Operation, operationsAt } from '../kits/openapi.js';
import { isTable, type JsonTable, member, type SchemaDocuments } from '../kits/schema-documents.js';
import { describeParameter, membersOf, typesOf } from './describe.js';
import type { ContentEntry, ParameterEntry, Place, PlaceEntry } from './schema.js';
import { Side } from './side.js';

export interface Described {
  /** Path of the operation in the document; undefined for schemas. */
  readonly path?: string;
  readonly places: readonly PlaceEntry[];
  readonly body: { readonly required: boolean; readonly content: readonly ContentEntry[] } | undefined;
  readonly replies: { readonly [status: string]: readonly ContentEntry[] };
  /** What is not checked, as sentences. */
  readonly unchecked: readonly string[];
}

/** `POST /orders/{id}` -> the operation; the names of parameters make no difference. */
export function findOperation(document: OpenApiDocument, wanted: string): Operation | undefined {
  const [method = '', path = ''] = wanted.split(' ', 2);
  return operationsAt(document, path, [method])[0];
}

/** The operation that the match of the policy's only route names; undefined if it names several or none. */
export function operationOfRoute({ routes }: PolicyContext): string | undefined {
  const [route] = routes;
  if (routes.length !== 1 || route === undefined || route.methods.length !== 1) return undefined;
  return `${route.methods[0]} ${route.path}`;
}

/** Reads an operation, and adds its schemas to `documents`. `checksReplies`: otherwise its replies are not read. */
export function describeOperation(
  document: OpenApiDocument,
  operation: Operation,
  documents: SchemaDocuments,
  checksReplies: boolean,
): Described {
  documents.dialect = document.version.startsWith('3.0') ? 'draft-07' : '2020-12';
  const [request, reply] = [new Side(document, true), new Side(document, false)];
  const reader = new OperationReader(document, documents, request);
  const drafts = reader.parameters(operation);
  const body = reader.at(operation.data as Json, 'requestBody');
  const content = body === undefined ? undefined : reader.content(body, request, 'request body');
  const replies: { [status: string]: readonly ContentEntry[] } = {};
  const responses = checksReplies ? reader.at(operation.data as Json, 'responses') : undefined;
  for (const status of Object.keys(isTable(responses) ? responses : {})) {
    const key = /^[1-5]xx$/i.test(status) ? status.toUpperCase() : status;
    replies[key] = reader.content(reader.at(responses, status), reply, `reply ${status}`);
  }
  request.addTo(documents);
  reply.addTo(documents);
  return {
    path: operation.path,
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

const FORM = 'application/x-www-form-urlencoded';

/** What a range of media types means for bodies that gw can read. */
const READABLE: readonly ContentEntry[] = [
  { type: 'application/json', kind: 'json' },
  { type: 'application/*+json', kind: 'json' },
  { type: FORM, kind: 'form' },
];

const MEDIA_RANGE = /^[!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** Specific types before ranges: OpenAPI 3.1 section 4.8.14.1. */
const rankOf = (type: string): number => (type === '*/*' ? 3 : type.endsWith('/*') ? 2 : type.includes('*') ? 1 : 0);

class OperationReader {
  readonly unchecked: string[] = [];
  /** Of forms. */
  readonly #encodings = new Map<ContentEntry, Json | undefined>();
  readonly #document: OpenApiDocument;
  readonly #documents: SchemaDocuments;
  readonly #request: Side;

  constructor(document: OpenApiDocument, documents: SchemaDocuments, request: Side) {
    this.#document = document;
    this.#documents = documents;
    this.#request = request;
  }

  /** A member, with its references followed. */
  at(table: Json | undefined, key: string): Json | undefined {
    return this.#document.resolve(member(table, key) as never) as Json | undefined;
  }

  /** Those of the operation replace those of its path with the same name and place. */
  parameters({ item, data }: Operation): Draft[] {
    const all = new Map<string, JsonTable>();
    for (const list of [this.at(item as Json, 'parameters'), this.at(data as Json, 'parameters')]) {
      if (!Array.isArray(list)) continue;
      for (const written of list as readonly Json[]) {
        const parameter = this.#document.resolve(written as never) as Json | undefined;
        if (!isTable(parameter)) continue;
        const name = String(parameter['name']);
        all.set(`${parameter['in']}\n${parameter['in'] === 'header' ? name.toLowerCase() : name}`, parameter);
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
    const parameters = used.map((parameter) => {
      const name = String(parameter['name']);
      const contents = this.at(parameter, 'content');
      const [type] = isTable(contents) ? Object.keys(contents) : [];
      const described = member(type === undefined ? parameter : this.at(contents, type), 'schema') ?? true;
      const mayBeEmpty = place === 'query' && parameter['allowEmptyValue'] === true;
      const schema: Json = mayBeEmpty ? { anyOf: [described, { const: '' }] } : described;
      const query = place === 'query' || place === 'cookie';
      const style = (parameter['style'] ?? (query ? 'form' : 'simple')) as ParameterEntry['style'];
      const explode = (parameter['explode'] ?? style === 'form') === true;
      return { name, style: type !== undefined && /json/.test(type) ? ('json' as const) : style, explode, schema };
    });
    const required = used
      .filter((each) => each['required'] === true || place === 'path')
      .map(({ name }) => String(name));
    const properties = Object.fromEntries(parameters.map(({ name, schema }) => [name, schema]));
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

  /** Of a request body or a reply. */
  content(message: Json | undefined, side: Side, what: string): ContentEntry[] {
    const given = this.at(message, 'content');
    // The same type with several parameters: gw does not tell them apart.
    const byType = new Map<string, Json[]>();
    for (const written of Object.keys(isTable(given) ? given : {})) {
      const type = written.split(';', 1)[0]!.trim().toLowerCase();
      if (MEDIA_RANGE.test(type)) byType.set(type, [...(byType.get(type) ?? []), this.at(given, written) ?? {}]);
      else
        this.unchecked.push(
          `The ${what} has the key \`${written.slice(0, 100)}\`, which is not a media type: it is ignored.`,
        );
    }
    const sorted = [...byType].sort(([a], [b]) => rankOf(a) - rankOf(b));
    return sorted.flatMap(([type, media]) => this.#entries(type, media, side, what));
  }

  #entries(type: string, media: readonly Json[], side: Side, what: string): ContentEntry[] {
    const schemas = media.flatMap((each) => member(each, 'schema') ?? []);
    const described = schemas.length === media.length && schemas.length > 0;
    const kind = /[/+]json$/.test(type) ? 'json' : type === FORM ? 'form' : undefined;
    const readable: readonly ContentEntry[] =
      kind === undefined ? READABLE.filter((each) => matchesRange(each.type, type)) : [{ type, kind }];
    if (kind === undefined && schemas.length > 0) {
      const unless = readable.length > 0 ? ' unless it is JSON or a form' : '';
      this.unchecked.push(
        `The ${what} of type \`${type}\` is not checked against its schema${unless}: gw checks JSON and forms.`,
      );
    }
    const schema = described ? side.take(schemas.length === 1 ? schemas[0]! : { anyOf: schemas }) : undefined;
    const entries = readable.map((each) => (schema === undefined ? each : { ...each, schema }));
    for (const entry of entries) this.#encodings.set(entry, this.at(media[0], 'encoding'));
    return kind === undefined ? [...entries, { type }] : entries;
  }

  /** The members of a form, whose texts become values like those of a query. */
  form(entry: ContentEntry): ContentEntry {
    if (entry.kind !== 'form' || entry.schema === undefined) return entry;
    const { uri } = this.#request;
    const members = membersOf(this.#documents, { schema: this.#documents.find(entry.schema), uri });
    const parameters = [...members].map(([name, schema]) => {
      const own = this.at(this.#encodings.get(entry), name);
      const text = /json/.test(String(member(own, 'contentType') ?? ''));
      // An object is JSON, unless the document gives it a style: OpenAPI 3.1 section 4.8.15.1.
      const json = text || (!styled(own) && typesOf(this.#documents, schema).includes('object'));
      const style = json ? 'json' : ((member(own, 'style') ?? 'form') as ParameterEntry['style']);
      const explode = (member(own, 'explode') ?? style === 'form') === true;
      return describeParameter(this.#documents, name, schema, { style, explode });
    });
    return { ...entry, parameters };
  }
}

const styled = (encoding: Json | undefined): boolean =>
  member(encoding, 'style') !== undefined || member(encoding, 'explode') !== undefined;

/** Whether a range has all types of another one. */
const matchesRange = (type: string, range: string): boolean =>
  range === '*/*' || (range.endsWith('/*') && type.startsWith(range.slice(0, -1)));
