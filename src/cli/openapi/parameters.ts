/** Patterns for the parameters of an operation. They are never narrower than the document. */
import { type Data, field, isList, isTable, type OpenApiDocument, textOf } from './document.js';

export interface PathParameter {
  /** A named type of gw (`uuid`) or a pattern; undefined: any text. */
  readonly type: string | undefined;
  /** The parameter may hold slashes. */
  readonly multi: boolean;
}

export interface Parameters {
  /** By name. */
  readonly path: ReadonlyMap<string, PathParameter>;
  /** Header fields (by name in lower case) and query parameters (by name): whether each is required. */
  readonly header: ReadonlyMap<string, boolean>;
  readonly query: ReadonlyMap<string, boolean>;
  /** References that could not be followed: phrases that follow `refers to`. */
  readonly broken: readonly string[];
}

export const INTEGER = '-?[0-9]+';
const POSITIVE = '[0-9]+';

/** Characters of a pattern for an enum. A longer pattern makes the spec unreadable. */
const LONGEST_ENUM = 1000;
const MAX_DEPTH = 8;

/** Parameters of the operation over those of the path. */
export function readParameters(document: OpenApiDocument, ...lists: (Data | undefined)[]): Parameters {
  const path = new Map<string, PathParameter>();
  const header = new Map<string, boolean>();
  const query = new Map<string, boolean>();
  const broken: string[] = [];
  for (const list of lists) {
    for (const item of isList(list) ? list : []) {
      const found = document.follow(item);
      if ('broken' in found) broken.push(found.broken);
      const parameter = 'broken' in found ? undefined : found.data;
      const name = textOf(field(parameter, 'name'));
      if (name === undefined) continue;
      const required = field(parameter, 'required') === true;
      const place = field(parameter, 'in');
      if (place === 'path') path.set(name, pathParameter(document, parameter, name));
      else if (place === 'header') header.set(name.toLowerCase(), required);
      else if (place === 'query') query.set(name, required);
    }
  }
  return { path, header, query, broken };
}

function pathParameter(document: OpenApiDocument, parameter: Data | undefined, name: string): PathParameter {
  // The first is a common extension; the second belongs to queries, and means the same on a path.
  if (field(parameter, 'x-multi-segment') === true || field(parameter, 'allowReserved') === true) {
    return { type: undefined, multi: true };
  }
  const style = field(parameter, 'style');
  if (style === 'label') return { type: LABEL, multi: false };
  if (style === 'matrix') {
    const exploded = field(parameter, 'explode') === true && !isScalarSchema(document, field(parameter, 'schema'));
    return { type: matrixPattern(exploded ? undefined : name), multi: false };
  }
  return { type: typeOf(document, field(parameter, 'schema')), multi: false };
}

/** `.value`, `.3.4.5` (RFC 6570 section 3.2.5). */
export const LABEL = '\\..+';

/** `;name=value` (RFC 6570 section 3.2.7). An exploded object writes its own keys instead: undefined. */
export const matrixPattern = (name: string | undefined): string =>
  name === undefined ? ';.+' : `;${escapePattern(name)}(=.*)?(;.*)?`;

/** True if the schema excludes arrays and objects. */
function isScalarSchema(document: OpenApiDocument, schema: Data | undefined): boolean {
  const type = field(document.resolve(schema), 'type');
  return typeof type === 'string' && type !== 'object' && type !== 'array';
}

function typeOf(document: OpenApiDocument, schemaOrRef: Data | undefined, depth = 0): string | undefined {
  const schema = document.resolve(schemaOrRef);
  if (!isTable(schema) || depth > MAX_DEPTH) return undefined;
  const types = field(schema, 'type');
  const named = isList(types) ? types.filter((one) => one !== 'null') : types === undefined ? [] : [types];
  const type = named.length === 1 ? named[0] : undefined;
  const values = field(schema, 'enum');
  const constant = field(schema, 'const');
  if (isList(values) || constant !== undefined) return enumPattern(isList(values) ? values : [constant as Data], type);
  if (type === 'integer') return isNeverNegative(schema) ? POSITIVE : INTEGER;
  if (type === 'boolean') return 'bool';
  if (type === 'string' && field(schema, 'format') === 'uuid' && !contradictsUuid(schema)) return 'uuid';
  if (named.length > 1) return undefined;
  const parts = field(schema, 'allOf');
  if (!isList(parts)) return undefined;
  for (const part of parts) {
    const found = typeOf(document, part, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isNeverNegative(schema: Data): boolean {
  const exclusive = field(schema, 'exclusiveMinimum');
  const minimum = field(schema, 'minimum');
  return (typeof minimum === 'number' && minimum >= 0) || (typeof exclusive === 'number' && exclusive >= -1);
}

/** With a pattern or a length of its own, the text is not in the form of RFC 9562, despite the format. */
const contradictsUuid = (schema: Data): boolean =>
  field(schema, 'pattern') !== undefined || field(schema, 'maxLength') !== undefined;

/**
 * An alternation of the values; undefined where their text is not certain: a URL would not carry it as it is, or the
 * document writes `1.0` where a string is meant and a reader makes 1 of it.
 */
function enumPattern(values: readonly Data[], type: Data | undefined): string | undefined {
  const words = new Set<string>();
  for (const value of values) {
    if (value === null) continue;
    const certain =
      typeof value === 'string' ||
      (type === 'integer' && Number.isSafeInteger(value)) ||
      (type === 'boolean' && typeof value === 'boolean');
    if (!certain || !/^[A-Za-z0-9._~@:!$'()*+,;=-]+$/.test(String(value))) return undefined;
    words.add(String(value));
  }
  if (words.size === 0) return undefined;
  const escaped = [...words].map(escapePattern);
  // In parentheses, since a bare word would be read as the name of a type.
  const pattern = escaped.length === 1 ? `(${escaped[0]})` : escaped.join('|');
  return pattern.length <= LONGEST_ENUM ? pattern : undefined;
}

export const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
