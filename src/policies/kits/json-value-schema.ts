/** A value of TOML that stands for JSON. */
import { Schema } from '../compile-kit.js';
import type { Json } from '../contract.js';

type Node = Parameters<Schema<Json>['decode']>[0];
type Decoder = Parameters<Schema<Json>['decode']>[1];

/** Strings, numbers, booleans, arrays and tables. Dates become their text; TOML has no null. */
export class JsonValueSchema extends Schema<Json> {
  readonly expected = 'a value';

  decode(node: Node, decoder: Decoder): Json {
    return jsonOf(node, decoder);
  }

  jsonSchema(): { readonly [key: string]: Json } {
    return {};
  }
}

function jsonOf(node: Node, decoder: Decoder): Json {
  if (node.kind === 'array') return node.items.map((item) => jsonOf(item, decoder));
  if (node.kind === 'table')
    return Object.fromEntries(Array.from(node.entries.values(), ({ key, value }) => [key, jsonOf(value, decoder)]));
  const value = typeof node.value === 'bigint' ? Number(node.value) : node.value;
  if (typeof value === 'number' && !Number.isFinite(value))
    decoder.error('schema/value', node.span, 'JSON has no infinity and no NaN.');
  if (typeof node.value === 'bigint' && !Number.isSafeInteger(value))
    decoder.error('schema/value', node.span, 'The digits of an integer beyond 2^53 would be lost; write it as a text.');
  return value;
}
