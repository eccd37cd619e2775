/** A value of TOML that stands for JSON. */
import { Schema } from '../../policies/compile-kit.js';
import type { Json } from '../../policies/contract.js';

type Node = Parameters<Schema<Json>['decode']>[0];
type Decoder = Parameters<Schema<Json>['decode']>[1];

/** Strings, numbers, booleans, arrays and tables. Dates become their text; TOML has no null. */
export class JsonValueSchema extends Schema<Json> {
  readonly expected = 'a value';

  decode(node: Node, decoder: Decoder): Json {
    const value = jsonOf(node);
    if (typeof value === 'number' && !Number.isFinite(value))
      decoder.error('schema/value', node.span, 'JSON has no infinity and no NaN.');
    return value;
  }

  jsonSchema(): { readonly [key: string]: Json } {
    return {};
  }
}

function jsonOf(node: Node): Json {
  if (node.kind === 'array') return node.items.map(jsonOf);
  if (node.kind === 'table')
    return Object.fromEntries(Array.from(node.entries.values(), ({ key, value }) => [key, jsonOf(value)]));
  return typeof node.value === 'bigint' ? Number(node.value) : node.value;
}
