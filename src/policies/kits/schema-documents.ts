/**
 * Collects the schemas of a policy at compile time: reads the files, follows `$ref` to further files, and compiles the
 * patterns to automata. The result is plain data, so a bundle needs no files at run time.
 */
import { type DocumentFile, DocumentFiles, decodedText, splitReference } from '../../openapi/files.js';
import { type DataTable, DocumentError } from '../../openapi/text.js';
import { compileEcma, type TextPattern } from '../../schema/regex/ecma.js';
import type { Json, PolicyFile } from '../contract.js';
import { FORMAT_PATTERNS } from './schema-formats.js';

export type JsonTable = { readonly [key: string]: Json };

export type Dialect = '2020-12' | 'draft-07';

/** What a worker compiles validators from. */
export type SchemaSet = {
  readonly dialect: Dialect;
  /** JSON texts by URI; references between them are by these URIs. As objects, their `$ref` would be references to secrets. */
  readonly documents: { readonly [uri: string]: string };
  /** By source; null for a pattern that is not checked. */
  readonly patterns: { readonly [source: string]: TextPattern | null };
  /** By name: formats that are patterns. */
  readonly formats: { readonly [name: string]: TextPattern };
};

export interface SchemaFault {
  readonly kind: 'file' | 'schema' | 'pattern';
  readonly message: string;
}

/** Keywords whose value is a schema, a list of schemas, or a table of schemas. */
const ONE = new Set([
  'additionalItems',
  'additionalProperties',
  'contains',
  'contentSchema',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
]);
const LIST = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems']);
const TABLE = new Set(['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties']);

export const isTable = (value: Json | undefined): value is JsonTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An own member only: a document may name a key `constructor`. */
export const member = (value: Json | undefined, key: string): Json | undefined =>
  isTable(value) && Object.hasOwn(value, key) ? value[key] : undefined;

export class SchemaDocuments {
  readonly faults: SchemaFault[] = [];
  readonly #files: DocumentFiles;
  readonly #skipPatterns: boolean;
  /** URIs of files that are schemas as a whole, by path. */
  readonly #uris = new Map<string, string>();
  readonly #documents = new Map<string, Json>();
  /** Tables of files that were linked as schemas. */
  readonly #linkedTables = new WeakSet<object>();
  /** References to places of files, which may be outside of what is known as a schema. */
  readonly #named: { readonly file: DocumentFile; readonly fragment: string }[] = [];
  readonly #patterns = new Map<string, TextPattern | null>();
  readonly #formats = new Map<string, TextPattern>();
  #dialect: Dialect | undefined;

  /** `skipPatterns`: patterns that cannot be automata are not checked, instead of being a fault. */
  constructor(readFile: (path: string) => PolicyFile, skipPatterns: boolean) {
    this.#files = new DocumentFiles(readFile);
    this.#skipPatterns = skipPatterns;
  }

  /** The URI of a schema in a file: `schemas/order.json`, or with a JSON pointer `schemas/shop.json#/$defs/order`. */
  schema(reference: string): string | undefined {
    const [path, fragment] = splitReference(reference);
    try {
      const file = this.#files.open(path);
      const uri = this.#fileUri(file);
      if (uri === undefined) return undefined;
      this.#named.push({ file, fragment });
      this.#linkNamed();
      return withFragment(uri, fragment);
    } catch (error) {
      return this.#unreadable(error);
    }
  }

  /**
   * Adds a document that does not come from a file. References in it must be URIs of this set, or begin with `#`. The caller inspects the
   * schemas in it.
   */
  add(uri: string, document: Json): void {
    this.#documents.set(uri, document);
  }

  /** The part of a schema that a URI of this set names, if its fragment is a JSON pointer. */
  find(uri: string): Json | undefined {
    const [document = '', fragment = ''] = uri.split('#', 2);
    return atPointer(this.#documents.get(document), fragment);
  }

  set dialect(dialect: Dialect) {
    this.#dialect = dialect;
  }

  finish(): SchemaSet {
    return {
      dialect: this.#dialect ?? '2020-12',
      documents: sorted(new Map([...this.#documents].map(([uri, value]) => [uri, JSON.stringify(value)]))),
      patterns: sorted(this.#patterns),
      formats: sorted(this.#formats),
    };
  }

  /** Notes the patterns and formats of a schema. */
  inspect(schema: Json): void {
    visitSchemas(schema, (table) => {
      const pattern = member(table, 'pattern');
      if (typeof pattern === 'string') this.#pattern(pattern);
      const named = member(table, 'patternProperties');
      if (isTable(named)) for (const source of Object.keys(named)) this.#pattern(source);
      const format = member(table, 'format');
      if (typeof format === 'string') this.#format(format);
    });
  }

  #pattern(source: string): void {
    if (this.#patterns.has(source)) return;
    const result = compileEcma(source);
    this.#patterns.set(source, 'pattern' in result ? result.pattern : null);
    if ('error' in result) {
      const effect = this.#skipPatterns
        ? 'so texts are not checked against it'
        : 'so checking it could take exponential time';
      this.#fault(
        'pattern',
        `The pattern \`${source.slice(0, 200)}\` cannot be an automaton, ${effect}: ${asClause(result.error)}.`,
      );
    }
  }

  #format(name: string): void {
    const source = Object.hasOwn(FORMAT_PATTERNS, name) ? FORMAT_PATTERNS[name]! : undefined;
    if (source === undefined || this.#formats.has(name)) return;
    const result = compileEcma(source);
    if ('error' in result) throw new Error(`format ${name}: ${result.error}`);
    this.#formats.set(name, result.pattern);
  }

  #fileUri(file: DocumentFile): string | undefined {
    const { path } = file;
    const known = this.#uris.get(path);
    if (known !== undefined) return known;
    const value = file.data as Json;
    if (!isTable(value) && typeof value !== 'boolean') {
      this.#fault('schema', `\`${path}\` is not a schema: a schema is an object, \`true\` or \`false\`.`);
      return undefined;
    }
    const uri = `gw://schema/${this.#uris.size}`;
    this.#uris.set(path, uri);
    if (!this.#takeDialect(value, path)) return undefined;
    const schema = this.#linked(value, file);
    this.#documents.set(uri, schema);
    this.inspect(schema);
    return uri;
  }

  #takeDialect(schema: Json, path: string): boolean {
    const named = member(schema, '$schema');
    if (named === undefined) return true;
    const text = String(named);
    const dialect = /draft-07\/schema/.test(text) ? 'draft-07' : /2020-12\/schema/.test(text) ? '2020-12' : undefined;
    if (dialect === undefined) {
      this.#fault(
        'schema',
        `\`${path}\` has the \`$schema\` \`${text.slice(0, 100)}\`; gw reads 2020-12 and draft-07.`,
      );
    } else if (this.#dialect !== undefined && this.#dialect !== dialect) {
      this.#fault('schema', `\`${path}\` is written for ${dialect}, and another file for ${this.#dialect}.`);
    } else this.#dialect = dialect;
    return dialect !== undefined;
  }

  /** Links the schemas that references name under keys that are not of JSON Schema: `#/components/schemas/Order`. */
  #linkNamed(): void {
    for (let next = this.#named.pop(); next !== undefined; next = this.#named.pop()) {
      const { file, fragment } = next;
      const schema = atPointer(file.data as Json, fragment);
      const uri = this.#uris.get(file.path);
      if (!isTable(schema) || this.#linkedTables.has(schema) || uri === undefined) continue;
      const linked = this.#linked(schema, file);
      this.#documents.set(uri, replaced(this.#documents.get(uri)!, keysOf(fragment), linked));
      this.inspect(linked);
    }
  }

  /** A copy without `$schema`, in which references to other files are URIs. */
  #linked(schema: Json, file: DocumentFile): Json {
    return mapSchemas(schema, (table) => {
      this.#linkedTables.add(table);
      // `id` and `nullable` are no keywords, but ajv takes them for some.
      const { $schema: _, id: __, nullable, ...others } = table;
      const rest: JsonTable =
        nullable !== undefined && Object.hasOwn(others, 'type') ? { ...others, nullable } : others;
      const reference = member(rest, '$ref');
      if (typeof reference !== 'string') return rest;
      const uri = this.#uriOf(table, reference, file);
      return uri === undefined ? rest : { ...rest, $ref: uri };
    });
  }

  /** Undefined for a reference within the file, which stays as it is, and after a fault. */
  #uriOf(table: JsonTable, reference: string, own: DocumentFile): string | undefined {
    const named = `\`${own.path}\` refers to \`${reference.slice(0, 200)}\``;
    try {
      const { file, base, fragment } = this.#files.locate(table as DataTable, reference, own);
      const isPointer = fragment === '' || fragment.startsWith('/');
      if (isPointer && base === file.data) this.#named.push({ file, fragment });
      if (isPointer && atPointer(base as Json, fragment) === undefined) {
        this.#fault('schema', `${named}, which is not in ${file === own ? 'the file' : `\`${file.path}\``}.`);
      } else if (file !== own) {
        const uri = this.#fileUri(file);
        return uri === undefined ? undefined : withFragment(uri, fragment);
      }
      return undefined;
    } catch (error) {
      return this.#unreadable(error, `${named}: `);
    }
  }

  #unreadable(error: unknown, before = ''): undefined {
    if (!(error instanceof DocumentError)) throw error;
    this.#fault('file', `${before}${error.message}`);
  }

  #fault(kind: SchemaFault['kind'], message: string): void {
    this.faults.push({ kind, message });
  }
}

/** Some reasons are whole sentences. */
const asClause = (reason: string): string =>
  reason.replace(/^[A-Z](?=[a-z ])/, (first) => first.toLowerCase()).replace(/\.$/, '');

const withFragment = (uri: string, fragment: string): string => (fragment === '' ? uri : `${uri}#${fragment}`);

const sorted = <T>(map: ReadonlyMap<string, T>): { readonly [key: string]: T } =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));

/** The value at a JSON pointer in a URI fragment, RFC 6901 section 6. */
export function atPointer(root: Json | undefined, fragment: string): Json | undefined {
  let current = root;
  for (const key of keysOf(fragment)) {
    current = Array.isArray(current) ? (current as readonly Json[])[Number(key)] : member(current, key);
  }
  return current;
}

const keysOf = (fragment: string): string[] =>
  fragment
    .split('/')
    .slice(1)
    .map((token) => decodedText(token).replaceAll('~1', '/').replaceAll('~0', '~'));

/** A copy with another value at a place that exists. */
function replaced(root: Json, [key, ...rest]: readonly string[], value: Json): Json {
  if (key === undefined) return value;
  if (Array.isArray(root)) {
    return (root as readonly Json[]).map((item, at) => (at === Number(key) ? replaced(item, rest, value) : item));
  }
  return { ...(root as JsonTable), [key]: replaced(member(root, key)!, rest, value) };
}

/** Calls `visit` for each object that is a schema, the outer ones first. */
export function visitSchemas(schema: Json, visit: (table: JsonTable) => void): void {
  mapSchemas(schema, (table) => {
    visit(table);
    return table;
  });
}

/** A copy in which each object that is a schema is what `change` returns for it, the outer ones first. */
export function mapSchemas(schema: Json, change: (table: JsonTable) => JsonTable): Json {
  if (!isTable(schema)) return schema;
  const copy: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(change(schema))) {
    const inner = (each: Json): Json => mapSchemas(each, change);
    if (LIST.has(key) && Array.isArray(value)) copy[key] = (value as readonly Json[]).map(inner);
    else if (ONE.has(key)) copy[key] = inner(value);
    else if (TABLE.has(key) && isTable(value)) {
      copy[key] = Object.fromEntries(Object.entries(value).map(([name, each]) => [name, inner(each)]));
    } else copy[key] = value;
  }
  return copy;
}
