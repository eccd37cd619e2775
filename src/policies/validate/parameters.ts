/** The texts of parameters as values, by style and type: OpenAPI 3.1 section 4.8.12, RFC 6570. */
import type { Exchange, Json } from '../contract.js';
import { readJson } from '../kits/json.js';
import { decodeQuery } from '../run-kit.js';
import type { ParameterEntry, PlaceEntry } from './schema.js';

type Members = { [name: string]: Json };

/** A text as JSON Schema sees it: a number or a boolean if the schema accepts one and the text is one. */
export function typed(text: string, types: readonly string[]): Json {
  for (const type of types) {
    if ((type === 'integer' || type === 'number') && /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) {
      return Number(text);
    }
    if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
    if (type === 'null' && text === '') return null;
  }
  return text;
}

/** An object without a prototype's setters: a parameter may have any name. */
const put = (members: Members, name: string, value: Json): void => {
  Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
};

const DELIMITERS: { readonly [style: string]: string } = { spaceDelimited: ' ', pipeDelimited: '|' };

export type Pairs = readonly (readonly [name: string, value: string])[];

/** Names and values of a form-encoded query or body, decoded. */
export function pairsOf(query: string): Pairs {
  if (query === '') return [];
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const equals = pair.indexOf('=');
      return equals < 0
        ? ([decodeQuery(pair), ''] as const)
        : ([decodeQuery(pair.slice(0, equals)), decodeQuery(pair.slice(equals + 1))] as const);
    });
}

/** The parameters of a query or a form as one object. `all`: parameters that are not listed are texts, or lists of them. */
export function queryValues(pairs: Pairs, parameters: readonly ParameterEntry[], all: boolean): Members {
  const values: Members = {};
  const taken = new Set<string>();
  for (const parameter of parameters) {
    const own = pairs.filter(([name]) => name === parameter.name).map(([, value]) => value);
    const value = queryValue(parameter, own, pairs, taken);
    taken.add(parameter.name);
    if (value !== undefined) put(values, parameter.name, value);
  }
  if (!all) return values;
  const lists = new Map<string, string[]>();
  for (const [name, value] of pairs) {
    if (taken.has(name)) continue;
    const list = lists.get(name);
    if (list === undefined) lists.set(name, [value]);
    else list.push(value);
  }
  for (const [name, list] of lists) put(values, name, list.length === 1 ? list[0]! : list);
  return values;
}

function queryValue(parameter: ParameterEntry, own: string[], pairs: Pairs, taken: Set<string>): Json | undefined {
  const { style, explode, types, items } = parameter;
  if (style === 'json') return own.length === 0 ? undefined : parsed(own[0]!);
  if (types.includes('object')) {
    if (style === 'deepObject') return deepObject(parameter, pairs, taken);
    if (style === 'form' && explode) return explodedObject(parameter, pairs, taken);
  }
  if (own.length === 0) return undefined;
  // A parameter that is sent twice has no single value.
  if (own.length > 1 || types.includes('array')) {
    const texts = explode && style === 'form' ? own : own.flatMap((text) => text.split(DELIMITERS[style] ?? ','));
    if (types.includes('array')) return texts.map((text) => typed(text, items));
    return texts.map((text) => typed(text, types));
  }
  return types.includes('object')
    ? objectOf(own[0]!.split(DELIMITERS[style] ?? ','), parameter)
    : typed(own[0]!, types);
}

/** `filter[color]=red`: one level. */
function deepObject(parameter: ParameterEntry, pairs: Pairs, taken: Set<string>): Json | undefined {
  const members: Members = {};
  let found = false;
  for (const [name, value] of pairs) {
    if (!name.startsWith(`${parameter.name}[`) || !name.endsWith(']')) continue;
    const key = name.slice(parameter.name.length + 1, -1);
    found = true;
    taken.add(name);
    addMember(members, key, typed(value, typesOf(parameter, key)));
  }
  return found ? members : undefined;
}

/** `color=red&size=3`: the members that the schema names. */
function explodedObject(parameter: ParameterEntry, pairs: Pairs, taken: Set<string>): Json | undefined {
  const members: Members = {};
  let found = false;
  for (const [name, value] of pairs) {
    if (!Object.hasOwn(parameter.members, name)) continue;
    found = true;
    taken.add(name);
    addMember(members, name, typed(value, typesOf(parameter, name)));
  }
  return found ? members : undefined;
}

function addMember(members: Members, name: string, value: Json): void {
  const before = Object.hasOwn(members, name) ? members[name] : undefined;
  if (before === undefined) put(members, name, value);
  else put(members, name, [...(Array.isArray(before) ? (before as Json[]) : [before]), value]);
}

const typesOf = ({ members, items }: ParameterEntry, name: string): readonly string[] =>
  Object.hasOwn(members, name) ? members[name]! : items;

/** `color,red,size,3`. */
function objectOf(texts: readonly string[], parameter: ParameterEntry): Json {
  const members: Members = {};
  for (let at = 0; at < texts.length; at += 2) {
    put(members, texts[at]!, typed(texts[at + 1] ?? '', typesOf(parameter, texts[at]!)));
  }
  return members;
}

/** A text that cannot be read as JSON stays a text, which fails the schema. */
function parsed(text: string): Json {
  const read = readJson(Buffer.from(text));
  return read.fault === undefined ? read.value : text;
}

/** The value of a path parameter or a field: one text, whose commas separate items. */
function simpleValue(given: string, parameter: ParameterEntry): Json {
  const { style, explode, types, items, name } = parameter;
  if (style === 'json') return parsed(given);
  let text = given;
  let between = ',';
  if (style === 'label') {
    text = given.startsWith('.') ? given.slice(1) : given;
    between = explode ? '.' : ',';
  } else if (style === 'matrix') {
    text = given.startsWith(';') ? given.slice(1) : given;
    if (!(explode && types.includes('object'))) text = text.replaceAll(`${name}=`, '');
    between = explode ? ';' : ',';
  }
  if (types.includes('array')) return text === '' ? [] : text.split(between).map((item) => typed(item.trim(), items));
  if (!types.includes('object')) return typed(text, types);
  const texts = text.split(between);
  return objectOf(explode ? texts.flatMap(splitPair) : texts, parameter);
}

function splitPair(text: string): string[] {
  const equals = text.indexOf('=');
  return equals < 0 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** All parameters of one place of a request as one object. */
export function valuesOf(exchange: Exchange, { place, parameters, all }: PlaceEntry): Json {
  if (place === 'query') return queryValues(pairsOf(exchange.query), parameters, all);
  if (place === 'cookie') return queryValues(cookiesOf(exchange.headers.get('cookie')), parameters, all);
  const values: Members = {};
  for (const parameter of parameters) {
    const text = place === 'path' ? pathText(exchange, parameter) : exchange.headers.get(parameter.name.toLowerCase());
    if (text !== undefined) put(values, parameter.name, simpleValue(text, parameter));
  }
  return values;
}

function pathText(exchange: Exchange, { name, source, part }: ParameterEntry): string | undefined {
  const text = exchange.param(source ?? name);
  if (text === undefined || part === undefined) return text;
  const { literals, index } = part;
  const last = literals.length - 1;
  if (!text.startsWith(literals[0]!) || !text.endsWith(literals[last]!)) return undefined;
  let from = literals[0]!.length;
  for (let at = 1; at <= last; at++) {
    const to = at === last ? text.length - literals[last]!.length : text.indexOf(literals[at]!, from);
    if (to < from) return undefined;
    if (at === index + 1) return text.slice(from, to);
    from = to + literals[at]!.length;
  }
  return undefined;
}

/** RFC 6265 section 5.4. */
function cookiesOf(field: string | undefined): Pairs {
  if (field === undefined) return [];
  return field.split(/;|, /).map((pair) => {
    const equals = pair.indexOf('=');
    return equals < 0
      ? (['', pair.trim()] as const)
      : ([pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()] as const);
  });
}
