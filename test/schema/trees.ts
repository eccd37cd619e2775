/** Hand-made located trees: every node gets a distinct span. */
import type { Span } from '../../src/schema/diagnostic.js';
import type { TableEntry, TomlNode } from '../../src/schema/tree.js';

export type Plain = string | number | boolean | readonly Plain[] | { readonly [key: string]: Plain };

let count = 0;
export const nextSpan = (): Span => {
  const offset = count++;
  const at = { offset, line: 1, column: offset + 1 };
  return { file: 'test.toml', start: at, end: { ...at, offset: offset + 1 } };
};

export function tree(value: Plain): TomlNode {
  const base = { span: nextSpan(), from: 'spec' as const };
  if (typeof value === 'string') return { kind: 'string', value, ...base };
  if (typeof value === 'boolean') return { kind: 'boolean', value, ...base };
  if (typeof value === 'number') return { kind: Number.isInteger(value) ? 'integer' : 'float', value, ...base };
  if (Array.isArray(value)) return { kind: 'array', items: value.map(tree), ...base };
  const entries = new Map<string, TableEntry>();
  for (const [key, item] of Object.entries(value)) entries.set(key, { key, keySpan: nextSpan(), value: tree(item) });
  return { kind: 'table', entries, ...base };
}
