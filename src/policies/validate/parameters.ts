/** The texts of parameters as values, by style and type: OpenAPI 3.1 section 4.8.12, RFC 6570. */
import type { Exchange, Json } from '../contract.js';
import { readJson } from '../kits/json.js';
import { decodeQuery } from '../run-kit.js';
import { BracketTree, Members, typed } from './members.js';
import type { ParameterEntry, PlaceEntry } from './schema.js';

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
export function queryValues(pairs: Pairs, parameters: readonly ParameterEntry[], all: boolean): Json {
  const values = new Members();
  const taken = new Set<string>(parameters.map(({ name }) => name));
  for (const parameter of parameters) {
    const own: string[] = [];
    let tree: BracketTree | undefined;
    for (const [name, value] of pairs) {
      if (name === parameter.name) own.push(value);
      else if (name.startsWith(parameter.name) && name[parameter.name.length] === '[' && !isListed(name, parameters)) {
        taken.add(name);
        tree ??= new BracketTree();
        tree.add(name.slice(parameter.name.length), value);
      }
    }
    const value = tree === undefined ? queryValue(parameter, own, pairs, taken) : tree.value(parameter, own);
    if (value !== undefined) values.add(parameter.name, value);
  }
  if (all) for (const [name, value] of pairs) if (!taken.has(name)) values.add(name, value);
  return values.object();
}

const isListed = (name: string, parameters: readonly ParameterEntry[]): boolean =>
  parameters.some((parameter) => parameter.name === name);

function queryValue(parameter: ParameterEntry, own: string[], pairs: Pairs, taken: Set<string>): Json | undefined {
  const { style, explode, types, items } = parameter;
  if (style === 'form' && explode && types.includes('object')) {
    const found = explodedObject(parameter, pairs, taken);
    if (found !== undefined) return found;
  }
  if (own.length === 0) return undefined;
  if (style === 'json') return own.length === 1 ? parsed(own[0]!) : own.map(parsed);
  if (style === 'deepObject') return own;
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

/** `color=red&size=3`: the members that the schema names. */
function explodedObject(parameter: ParameterEntry, pairs: Pairs, taken: Set<string>): Json | undefined {
  const members = new Members();
  for (const [name, value] of pairs) {
    if (!Object.hasOwn(parameter.members, name)) continue;
    taken.add(name);
    members.add(name, typed(value, typesOf(parameter, name)));
  }
  return members.size > 0 ? members.object() : undefined;
}

const typesOf = ({ members, items }: ParameterEntry, name: string): readonly string[] =>
  Object.hasOwn(members, name) ? members[name]! : items;

/** `color,red,size,3`. */
function objectOf(texts: readonly string[], parameter: ParameterEntry): Json {
  const members = new Members();
  for (let at = 0; at < texts.length; at += 2) {
    members.add(texts[at]!, typed(texts[at + 1] ?? '', typesOf(parameter, texts[at]!)));
  }
  return members.object();
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
    const own = `${name}=`;
    if (explode && types.includes('array')) {
      return text.split(';').map((item) => typed(item.startsWith(own) ? item.slice(own.length) : item, items));
    }
    if (!(explode && types.includes('object')) && text.startsWith(own)) text = text.slice(own.length);
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
  const values = new Members();
  for (const parameter of parameters) {
    const text = place === 'path' ? pathText(exchange, parameter) : exchange.headers.get(parameter.name.toLowerCase());
    if (text !== undefined) values.add(parameter.name, simpleValue(text, parameter));
  }
  return values.object();
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
