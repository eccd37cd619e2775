/**
 * Generates examples from the schemas of an OpenAPI document. Deterministic: a value depends on its schema, its place and
 * the seed only. Bounded in depth and number of values, so recursive schemas end.
 */
import { patternExample } from '../../policies/compile-kit.js';
import {
  type Data,
  type DataTable,
  field,
  isList,
  isTable,
  type OpenApiDocument,
  textOf,
} from '../../policies/kits/openapi.js';
import { numberFor } from './numbers.js';
import { lengthened, textFor } from './strings.js';

const MAX_DEPTH = 12;
/** Below, objects have their required members only. */
const SHALLOW = 6;
const MAX_VALUES = 2000;
const MAX_MEMBERS = 100;
const MAX_ITEMS = 50;
/** How often a schema may contain itself. */
const MAX_RECURSION = 1;
/** References on the way to a value. */
const MAX_REFERENCES = 100;
/** Schemas that are opened for one example: `allOf` can multiply them without giving a value. */
const MAX_OPENED = 20_000;

/** No value can be given: the place is too deep, or the document does not allow any. */
const NOTHING = Symbol('nothing');
type Value = Data | typeof NOTHING;

interface Place {
  /** Decides about the random values. */
  readonly path: string;
  readonly depth: number;
  /** The schemas that references on the way here named. */
  readonly refs: readonly Data[];
}

export class Generator {
  readonly #document: OpenApiDocument;
  readonly #seed: number;
  #values = 0;
  #openings = 0;

  constructor(document: OpenApiDocument, seed: number) {
    this.#document = document;
    this.#seed = seed;
  }

  /** An example of the schema; null if it allows none. `path`: where it is used. */
  generate(schema: Data | undefined, path: string): Data {
    this.#values = 0;
    this.#openings = 0;
    const value = this.#value(schema, { path, depth: 0, refs: [] });
    return value === NOTHING ? null : value;
  }

  #random(place: Place): number {
    return randomFor(this.#seed, place.path);
  }

  #value(written: Data | undefined, at: Place): Value {
    if (at.depth > MAX_DEPTH || ++this.#values > MAX_VALUES) return NOTHING;
    const opened = this.#opened(written, at);
    if (opened === undefined) return NOTHING;
    const { schema, place } = opened;
    const given = givenValue(schema, this.#random(place));
    if (given !== undefined) return given;
    const choice = this.#choice(schema, place);
    if (choice !== undefined) return choice;
    return this.#ofType(typeOf(schema), schema, place);
  }

  #ofType(type: string, schema: DataTable, place: Place): Value {
    if (type === 'object') return this.#object(schema, place);
    if (type === 'array') return this.#array(schema, place);
    if (type === 'null') return null;
    if (type === 'boolean') return this.#random(place) % 2 === 0;
    if (type === 'integer' || type === 'number') return numberFor(schema, type === 'integer', this.#random(place));
    return this.#string(schema, place);
  }

  #string(schema: DataTable, place: Place): string {
    const least = Number(field(schema, 'minLength') ?? 0) || 0;
    const pattern = textOf(field(schema, 'pattern'));
    const matching = pattern === undefined ? undefined : patternExample(pattern, least);
    return matching ?? lengthened(textFor(schema, this.#random(place)), schema);
  }

  /** Follows references, and merges `allOf`. Undefined if there is no schema, or it contains itself too often. */
  #opened(written: Data | undefined, at: Place): { readonly schema: DataTable; readonly place: Place } | undefined {
    if (++this.#openings > MAX_OPENED) return undefined;
    let refs = at.refs;
    let current = written;
    let beside: DataTable = {};
    while (isTable(current) && typeof field(current, '$ref') === 'string') {
      const target = this.#document.step(current);
      if (target === undefined || refs.length > MAX_REFERENCES) return undefined;
      if (refs.filter((ref) => ref === target).length > MAX_RECURSION) return undefined;
      refs = [...refs, target];
      if (!this.#document.version.startsWith('3.0')) beside = merge(keysBeside(current), beside);
      current = target;
    }
    // `true` and a missing schema allow every value, `false` none.
    if (current === false) return undefined;
    const schema = merge(isTable(current) ? current : {}, beside);
    const place = { ...at, refs };
    const parts = field(schema, 'allOf');
    return { schema: isList(parts) ? this.#merged(schema, parts, place) : schema, place };
  }

  #merged({ allOf: _parts, ...own }: DataTable, parts: readonly Data[], place: Place): DataTable {
    let merged: DataTable = {};
    for (const part of [...parts, own]) {
      const opened = place.depth > MAX_DEPTH ? undefined : this.#opened(part, { ...place, depth: place.depth + 1 });
      if (opened !== undefined) merged = merge(merged, opened.schema);
    }
    return merged;
  }

  /** One of `oneOf` or `anyOf`; undefined if there is none. */
  #choice(schema: DataTable, place: Place): Value | undefined {
    const forms = field(schema, 'oneOf') ?? field(schema, 'anyOf');
    if (!isList(forms) || forms.length === 0) return undefined;
    const { oneOf: _one, anyOf: _any, ...rest } = schema;
    const useful = forms.filter((form) => typeOf(this.#opened(form, place)?.schema ?? {}) !== 'null');
    const start = this.#random(place) % Math.max(1, useful.length);
    // Another form, if one contains itself too often.
    for (const form of [...useful.slice(start), ...useful.slice(0, start)]) {
      const opened = this.#opened(form, place);
      if (opened === undefined) continue;
      const value = this.#value(merge(rest, opened.schema), opened.place);
      if (value !== NOTHING) return this.#discriminated(value, schema, form);
    }
    return useful.length < forms.length ? null : NOTHING;
  }

  /** Sets the property that tells which form a value has. */
  #discriminated(value: Data, schema: DataTable, form: Data): Data {
    const discriminator = field(schema, 'discriminator');
    const name = textOf(field(discriminator, 'propertyName'));
    const reference = textOf(field(form, '$ref'));
    if (name === undefined || reference === undefined || !isTable(value) || !isTable(form)) return value;
    const target = this.#document.step(form);
    const mapping = field(discriminator, 'mapping');
    const mapped = Object.entries(isTable(mapping) ? mapping : {}).find(([, to]) => {
      if (typeof to !== 'string' || !isTable(discriminator)) return false;
      const component = field(field(field(this.#document.root, 'components'), 'schemas'), to);
      return to === reference || target === (component ?? this.#document.named(to, discriminator));
    });
    return { ...value, [name]: mapped?.[0] ?? nameIn(reference) };
  }

  #object(schema: DataTable, place: Place): Value {
    const properties = field(schema, 'properties');
    const required = new Set(isList(field(schema, 'required')) ? (field(schema, 'required') as readonly Data[]) : []);
    const most = Math.min(numberOr(field(schema, 'maxProperties'), MAX_MEMBERS), MAX_MEMBERS);
    const members = Object.entries(isTable(properties) ? properties : {});
    for (const name of required)
      if (typeof name === 'string' && field(properties, name) === undefined) members.push([name, additional(schema)]);
    members.sort(([a], [b]) => Number(required.has(b)) - Number(required.has(a)));
    const object = new Map<string, Data>();
    for (const [name, member] of members) {
      if (object.size >= most && !required.has(name)) break;
      if (place.depth >= SHALLOW && !required.has(name)) continue;
      if (field(this.#opened(member, place)?.schema, 'writeOnly') === true) continue;
      const value = this.#value(member, below(place, name));
      if (value !== NOTHING) object.set(name, value);
      else if (required.has(name)) return NOTHING;
    }
    this.#addMembers(object, schema, members.length === 0, most, place);
    return inOrder(object, properties);
  }

  /** Members that no property describes. */
  #addMembers(object: Map<string, Data>, schema: DataTable, empty: boolean, most: number, place: Place): void {
    const open = isTable(field(schema, 'additionalProperties')) && empty && place.depth < SHALLOW;
    const least = Math.max(numberOr(field(schema, 'minProperties'), 0), open ? 1 : 0);
    for (let index = 1; object.size < Math.min(least, most) && index <= MAX_MEMBERS; index++) {
      const name = `key${index}`;
      const value = this.#value(additional(schema), below(place, name));
      if (value !== NOTHING && !object.has(name)) object.set(name, value);
    }
  }

  #array(schema: DataTable, place: Place): Value {
    const first = field(schema, 'prefixItems');
    const prefix = isList(first) ? first : [];
    const least = numberOr(field(schema, 'minItems'), 0);
    const most = Math.min(numberOr(field(schema, 'maxItems'), MAX_ITEMS), MAX_ITEMS);
    const usual = place.depth < SHALLOW - 2 ? 2 : 1;
    const wanted = Math.min(Math.max(least, prefix.length, usual), Math.max(most, Math.min(least, MAX_ITEMS)));
    const unique = field(schema, 'uniqueItems') === true;
    const items: Data[] = [];
    const seen = new Set<string>();
    for (let index = 0; items.length < wanted && index < wanted * 4; index++) {
      const member = prefix[items.length] ?? field(schema, 'items');
      if (member === false) break;
      const value = this.#value(member, below(place, String(index)));
      if (value === NOTHING) break;
      const text = JSON.stringify(value);
      if (unique && seen.has(text)) continue;
      seen.add(text);
      items.push(value);
    }
    return items.length < least ? NOTHING : items;
  }
}

const below = ({ path, depth, refs }: Place, name: string): Place => ({
  path: `${path}/${name}`,
  depth: depth + 1,
  refs,
});

const numberOr = (value: Data | undefined, other: number): number => (typeof value === 'number' ? value : other);

/** Schema of members that no property describes. */
function additional(schema: DataTable): Data {
  const written = field(schema, 'additionalProperties');
  return isTable(written) ? written : { type: 'string' };
}

/** A value that the schema itself contains: an example, a default, or one of its values. */
function givenValue(schema: DataTable, random: number): Data | undefined {
  for (const key of ['const', 'example'] as const) if (Object.hasOwn(schema, key)) return schema[key];
  const examples = field(schema, 'examples');
  if (isList(examples) && examples.length > 0) return examples[0];
  if (Object.hasOwn(schema, 'default')) return schema['default'];
  const values = field(schema, 'enum');
  return isList(values) && values.length > 0 ? values[random % values.length] : undefined;
}

const KEYS_OF: readonly (readonly [type: string, keys: readonly string[]])[] = [
  ['object', ['properties', 'additionalProperties', 'required', 'minProperties', 'maxProperties']],
  ['array', ['items', 'prefixItems', 'minItems', 'maxItems']],
  ['number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']],
];

/** The first type of the schema that is not null; inferred from its keys if it has none. */
function typeOf(schema: DataTable): string {
  const type = field(schema, 'type');
  if (typeof type === 'string') return type;
  if (isList(type)) return String(type.find((one) => one !== 'null') ?? 'null');
  return KEYS_OF.find(([, keys]) => keys.some((key) => Object.hasOwn(schema, key)))?.[0] ?? 'string';
}

/** What a schema says besides its reference: OpenAPI 3.1 has such keys. */
function keysBeside({ $ref: _reference, ...keys }: DataTable): DataTable {
  return keys;
}

/** Both schemas hold: members and required names of both, the narrower bounds, otherwise the second one. */
function merge(a: DataTable, b: DataTable): DataTable {
  const merged: Record<string, Data | undefined> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const other = Object.hasOwn(a, key) ? a[key] : undefined;
    if (key === 'properties' && isTable(other) && isTable(value)) merged[key] = { ...other, ...value };
    else if (key === 'allOf' && isList(other) && isList(value)) merged[key] = [...other, ...value];
    else if (key === 'required' && isList(other) && isList(value)) merged[key] = [...new Set([...other, ...value])];
    else if (typeof other === 'number' && typeof value === 'number')
      merged[key] = /^(min|exclusiveMin)/.test(key) ? Math.max(other, value) : Math.min(other, value);
    else merged[key] = value;
  }
  return merged;
}

/** The last part of a reference, without the extension of a file: `#/components/schemas/Cat`, `pets/Cat.yaml`. */
const nameIn = (reference: string): string =>
  reference.slice(reference.search(/[^/#]*#?$/)).replace(/#$|\.(json|ya?ml)#?$/, '');

/** The members in the order of the properties. A key such as `__proto__` stays data. */
function inOrder(object: ReadonlyMap<string, Data>, properties: Data | undefined): Data {
  const names = [...Object.keys(isTable(properties) ? properties : {}), ...object.keys()];
  return Object.fromEntries(
    [...new Set(names)].flatMap((name) => (object.has(name) ? [[name, object.get(name)]] : [])),
  );
}

/** A random number that depends on seed and place only: FNV-1a, mixed; 32 bits. */
function randomFor(seed: number, place: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let at = 0; at < place.length; at++) hash = Math.imul(hash ^ place.charCodeAt(at), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0;
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0;
  return (hash ^ (hash >>> 16)) >>> 0;
}
