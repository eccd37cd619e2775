/** Describes parameters at compile time: the types that their schemas accept decide how a text becomes a value. */
import type { Json } from '../contract.js';
import { isTable, member, type SchemaDocuments } from '../kits/schema-documents.js';
import type { ParameterEntry } from './schema.js';

/** A chain of references or combined schemas; deeper ones give no types. */
const MAX_DEPTH = 20;

/** A schema and the document that its references begin in. */
export interface Located {
  readonly schema: Json | undefined;
  readonly uri: string;
}

/** The schema that a chain of references ends at. */
export function followed(documents: SchemaDocuments, { schema, uri }: Located, depth = 0): Located {
  const reference = member(schema, '$ref');
  if (typeof reference !== 'string' || depth > MAX_DEPTH) return { schema, uri };
  const target = reference.startsWith('#') ? `${uri}${reference}` : reference;
  return followed(documents, { schema: documents.find(target), uri: target.split('#', 1)[0]! }, depth + 1);
}

/** The types that a schema accepts, in the order in which a text is tried. */
export function typesOf(documents: SchemaDocuments, given: Located, depth = 0): readonly string[] {
  const { schema, uri } = followed(documents, given);
  if (!isTable(schema) || depth > MAX_DEPTH) return [];
  const named = member(schema, 'type');
  if (typeof named === 'string') return [named, ...(schema['nullable'] === true ? ['null'] : [])];
  if (Array.isArray(named)) return (named as readonly Json[]).map(String);
  const found = new Set<string>();
  for (const key of ['allOf', 'anyOf', 'oneOf']) {
    const list = member(schema, key);
    if (!Array.isArray(list)) continue;
    for (const part of list as readonly Json[]) {
      for (const type of typesOf(documents, { schema: part, uri }, depth + 1)) found.add(type);
    }
  }
  const values = member(schema, 'enum') ?? (Object.hasOwn(schema, 'const') ? [schema['const']!] : undefined);
  if (Array.isArray(values)) for (const value of values as readonly Json[]) found.add(typeOf(value));
  if (member(schema, 'properties') !== undefined) found.add('object');
  if (member(schema, 'items') !== undefined) found.add('array');
  return [...found];
}

const typeOf = (value: Json): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

/** All members that a schema names, also in the parts of `allOf`. */
export function membersOf(documents: SchemaDocuments, given: Located, depth = 0): ReadonlyMap<string, Located> {
  const { schema, uri } = followed(documents, given);
  const found = new Map<string, Located>();
  if (!isTable(schema) || depth > MAX_DEPTH) return found;
  const properties = member(schema, 'properties');
  if (isTable(properties)) {
    for (const [name, value] of Object.entries(properties)) found.set(name, { schema: value, uri });
  }
  const all = member(schema, 'allOf');
  if (Array.isArray(all)) {
    for (const part of all as readonly Json[]) {
      for (const [name, value] of membersOf(documents, { schema: part, uri }, depth + 1)) found.set(name, value);
    }
  }
  return found;
}

export function describeParameter(
  documents: SchemaDocuments,
  name: string,
  given: Located,
  form: Pick<ParameterEntry, 'style' | 'explode'>,
): ParameterEntry {
  const { schema, uri } = followed(documents, given);
  const types = typesOf(documents, given);
  const inner = types.includes('array') ? member(schema, 'items') : member(schema, 'additionalProperties');
  const members = types.includes('object')
    ? [...membersOf(documents, given)].map(([key, value]) => [key, typesOf(documents, value)] as const)
    : [];
  return {
    name,
    style: form.style,
    explode: form.explode,
    types,
    items: inner === undefined ? [] : typesOf(documents, { schema: inner, uri }),
    members: Object.fromEntries(members),
  };
}
