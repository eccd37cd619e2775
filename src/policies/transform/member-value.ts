/** Values that `set` gives to members of JSON: templates, and lists and tables with templates in them. */
import { parseTemplate, Schema, s } from '../compile-kit.js';
import type { ConfigPath, Json, RefString } from '../contract.js';
import { templateOf } from '../kits/field-edits-schema.js';
import { JsonValueSchema } from '../kits/json-value-schema.js';
import type { MemberSettings } from './body/members.js';

/** A text is a template; a constant is none. */
export type MemberValue =
  | RefString
  | { readonly constant: Json }
  | { readonly list: readonly MemberValue[] }
  | { readonly table: { readonly [name: string]: MemberValue } };

type Node = Parameters<Schema<MemberValue>['decode']>[0];
type Decoder = Parameters<Schema<MemberValue>['decode']>[1];

const constant = (schema: Schema<Json>): Schema<MemberValue> => s.mapped(schema, (json) => ({ constant: json }));

export function templateProblem(text: string): string | undefined {
  const parsed = parseTemplate(text);
  return 'error' in parsed ? parsed.error : undefined;
}

/** A text with variables. */
export const templateText = s.reference('a value', templateProblem, { template: true });

/** A value within a list or a table. */
class NestedSchema extends Schema<MemberValue> {
  readonly expected = 'a value';
  readonly #forms: Schema<MemberValue> = s.either<MemberValue>(
    { kinds: ['string'], schema: templateText },
    { kinds: ['array'], schema: s.mapped(s.array(this), (list) => ({ list })) },
    { kinds: ['table'], schema: s.mapped(s.map(this), (table) => ({ table })) },
    { kinds: ['integer', 'float', 'boolean'], schema: constant(new JsonValueSchema()) },
  );

  decode(node: Node, decoder: Decoder): ReturnType<Schema<MemberValue>['decode']> {
    return this.#forms.decode(node, decoder);
  }

  jsonSchema(): { readonly [key: string]: Json } {
    return {};
  }
}

export const memberSchema = s.either<MemberValue>(
  { kinds: ['string'], schema: templateText },
  { kinds: ['integer'], schema: constant(s.integer({ min: Number.MIN_SAFE_INTEGER })) },
  { kinds: ['boolean'], schema: constant(s.boolean()) },
  { kinds: ['float', 'array', 'table'], schema: new NestedSchema() },
);

/** The templates in a value, each with its place. */
export function templatesIn(value: MemberValue, at: ConfigPath): readonly (readonly [text: string, at: ConfigPath])[] {
  if (typeof value === 'string') return [[value, at]];
  if ('$ref' in value) return [[value.$ref, at]];
  if ('constant' in value) return [];
  if ('list' in value) return value.list.flatMap((item, index) => templatesIn(item, [...at, index]));
  return Object.entries(value.table).flatMap(([name, item]) => templatesIn(item, [...at, name]));
}

/** Constants as text: an object with the key `$ref` would be taken for a reference. */
export function memberSettings(value: MemberValue): MemberSettings {
  if (typeof value === 'string' || '$ref' in value) return { template: templateOf(value) };
  if ('constant' in value) return { json: JSON.stringify(value.constant) };
  if ('list' in value) {
    const list = value.list.map(memberSettings);
    const texts = jsonOf(list);
    return texts === undefined ? { list } : { json: `[${texts.join(',')}]` };
  }
  const entries = Object.entries(value.table).map(([name, item]) => [name, memberSettings(item)] as const);
  const texts = jsonOf(entries.map(([, item]) => item));
  if (texts === undefined) return { table: entries };
  return { json: `{${entries.map(([name], index) => `${JSON.stringify(name)}:${texts[index]}`).join(',')}}` };
}

/** The texts of values without variables; undefined if one has some. */
function jsonOf(values: readonly MemberSettings[]): readonly string[] | undefined {
  const texts = values.flatMap((value) => {
    if ('json' in value) return [value.json];
    if (!('template' in value) || !value.template.every((part) => typeof part === 'string')) return [];
    return [JSON.stringify(value.template.join(''))];
  });
  return texts.length === values.length ? texts : undefined;
}
