/** The located tree: TOML's values, each with its span and how it came into the spec. */
import type { Span } from './diagnostic.js';

/** How a value came to stand where it is. `default`: nobody wrote it. */
export type From = 'spec' | 'default' | 'group' | 'overlay';

interface NodeBase {
  readonly span: Span;
  readonly from: From;
}

export interface TableEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: TomlNode;
  /** Where the key is written more than once (`[[route]]`, `[a.b]` and `[a.c]`): every place, `keySpan` first. */
  readonly keySpans?: readonly Span[];
}

export interface TableNode extends NodeBase {
  readonly kind: 'table';
  /** Its header alone, `[service.orders]`, where it has one: what to point at when a key is missing. */
  readonly headSpan?: Span;
  readonly entries: ReadonlyMap<string, TableEntry>;
}

export interface ArrayNode extends NodeBase {
  readonly kind: 'array';
  readonly items: readonly TomlNode[];
}

export type ScalarNode =
  | (NodeBase & { readonly kind: 'string'; readonly value: string })
  | (NodeBase & { readonly kind: 'integer'; readonly value: number | bigint })
  | (NodeBase & { readonly kind: 'float'; readonly value: number })
  | (NodeBase & { readonly kind: 'boolean'; readonly value: boolean })
  | (NodeBase & { readonly kind: 'datetime'; readonly value: string });

export type TomlNode = TableNode | ArrayNode | ScalarNode;

/** The word for a node's kind in messages: `a table`, `an integer`. */
export function kindName(node: TomlNode): string {
  if (node.kind === 'datetime') return 'a date or time';
  if (node.kind === 'float') {
    if (Number.isInteger(node.value)) return 'a number with a point';
    return `the number ${String(node.value).replace('NaN', 'nan').replace('Infinity', 'inf')}`;
  }
  return /^[aeiou]/.test(node.kind) ? `an ${node.kind}` : `a ${node.kind}`;
}
