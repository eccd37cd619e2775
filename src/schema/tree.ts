/** The located tree: TOML values with their spans and origins. */
import type { Span } from './diagnostic.js';

/** Where a value comes from. `default`: it is not written. */
export type From = 'spec' | 'default' | 'group' | 'overlay';

interface NodeBase {
  readonly span: Span;
  readonly from: From;
}

export interface TableEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: TomlNode;
  /** If the key is written several times (`[[route]]`, `[a.b]` and `[a.c]`): all places, `keySpan` first. */
  readonly keySpans?: readonly Span[];
}

export interface TableNode extends NodeBase {
  readonly kind: 'table';
  /** Span of the header, `[service.orders]`, if there is one; missing keys are reported there. */
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
    if (Number.isInteger(node.value)) return 'a number with a decimal point';
    return `the number ${String(node.value).replace('NaN', 'nan').replace('Infinity', 'inf')}`;
  }
  return /^[aeiou]/.test(node.kind) ? `an ${node.kind}` : `a ${node.kind}`;
}
