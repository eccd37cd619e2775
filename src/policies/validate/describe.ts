/** Describes parameters at compile time: the types that their schemas accept decide how a text becomes a value. */
import type { Json } from '../contract.js';
import { isTable, type JsonTable, member, type SchemaDocuments } from '../kits/schema-documents.js';
import type { ParameterEntry } from './schema.js';

/** A schema and the document that its references begin in. */
export interface Located {
  readonly schema: Json | undefined;
  readonly uri: string;
}

/** Shows each part of a schema once: itself, what `$ref` names, and what it combines. `visit` returns whether to go further in. */
function visitParts(
  documents: SchemaDocuments,
  { schema, uri }: Located,
  visit: (table: JsonTable, uri: string) => boolean,
  seen = new Set<object>(),
): void {
  if (!isTable(schema) || seen.has(schema)) return;
  seen.add(schema);
  if (!visit(schema, uri)) return;
  const reference = member(schema, '$ref');
  if (typeof reference === 'string') {
    const target = reference.startsWith('#') ? `${uri}${reference}` : reference;
    visitParts(documents, { schema: documents.find(target), uri: target.split('#', 1)[0]! }, visit, seen);
  }
  for (const key of ['allOf', 'anyOf', 'oneOf']) {
    const list = member(schema, key);
    if (!Array.isArray(list)) continue;
    for (const part of list as readonly Json[]) visitParts(documents, { schema: part, uri }, visit, seen);
  }
}

const NUMERIC = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'];

/** The types that a schema accepts, in the order in which a text is tried. */
export function typesOf(documents: SchemaDocuments, given: Located): readonly string[] {
  const found = new Set<string>();
  visitParts(documents, given, (table) => {
    const named = member(table, 'type');
    if (named !== undefined) {
      for (const type of Array.isArray(named) ? (named as readonly Json[]) : [named]) found.add(String(type));
      return false;
    }
    const values = member(table, 'enum') ?? (Object.hasOwn(table, 'const') ? [table['const']!] : undefined);
    if (Array.isArray(values)) for (const value of values as readonly Json[]) found.add(typeOf(value));
    if (member(table, 'properties') !== undefined) found.add('object');
    if (member(table, 'items') !== undefined) found.add('array');
    if (NUMERIC.some((key) => member(table, key) !== undefined)) found.add('number');
    return true;
  });
  return [...found];
}

const typeOf = (value: Json): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

/** All members that a schema names, also in its parts. */
export function membersOf(documents: SchemaDocuments, given: Located): ReadonlyMap<string, Located> {
  const found = new Map<string, Located>();
  visitParts(documents, given, (table, uri) => {
    const properties = member(table, 'properties');
    for (const [name, value] of Object.entries(isTable(properties) ? properties : {})) {
      if (!found.has(name)) found.set(name, { schema: value, uri });
    }
    return true;
  });
  return found;
}

/** The first value of a keyword in a schema and its parts. */
function keywordOf(documents: SchemaDocuments, given: Located, key: string): Located | undefined {
  let found: Located | undefined;
  visitParts(documents, given, (table, uri) => {
    const value = member(table, key);
    if (value !== undefined) found ??= { schema: value, uri };
    return found === undefined;
  });
  return found;
}

/** Levels of a deep object that are described. */
const MAX_LEVELS = 3;

export function describeParameter(
  documents: SchemaDocuments,
  name: string,
  given: Located,
  form: Pick<ParameterEntry, 'style' | 'explode'>,
  level = 0,
): ParameterEntry {
  const types = typesOf(documents, given);
  const inner = keywordOf(documents, given, types.includes('array') ? 'items' : 'additionalProperties');
  const all = types.includes('object') ? [...membersOf(documents, given)] : [];
  const deep = form.style === 'deepObject' && level < MAX_LEVELS;
  return {
    name,
    style: form.style,
    explode: form.explode,
    types,
    items: inner === undefined ? [] : typesOf(documents, inner),
    members: Object.fromEntries(all.map(([key, value]) => [key, typesOf(documents, value)])),
    ...(deep
      ? {
          inside: Object.fromEntries(
            all.map(([key, value]) => [key, describeParameter(documents, key, value, form, level + 1)]),
          ),
        }
      : {}),
  };
}
