/**
 * Text -> located tree. `toml` decides what is valid and gives every value; spans come from walking its values in parallel
 * with the shadow of the text. Where the two differ in shape, the value is kept and its span is coarser.
 */
import toml from 'toml';
import type { Diagnostic, Outcome } from '../../schema/diagnostic.js';
import type { From, TableEntry, TableNode, TomlNode } from '../../schema/tree.js';
import type { LocatedText, Source } from '../source.js';
import { describeSyntaxError } from './errors.js';
import { shadowFromScan } from './scan.js';
import { type Range, type Shadow, shadowFromLines } from './shadow.js';

/** Maximum nesting of arrays, tables and dotted keys. Far beyond any spec; protects later recursion from stack overflow. */
export const MAX_DEPTH = 64;

/** Marks a TOML date or time: `toml` would return local ones as plain strings. */
export class DateTime {
  constructor(readonly text: string) {}
  static from(text: string): DateTime {
    // An offset date-time comes with its zone appended in brackets.
    return new DateTime(text.replace(/\[[^\]]*\]$/, ''));
  }
}

const temporal = { ZonedDateTime: DateTime, PlainDateTime: DateTime, PlainDate: DateTime, PlainTime: DateTime };

/** Never throws. With a syntax error there is no tree; `toml` stops at the first one, so there is at most one per file. */
export function parseToml(source: Source, from: From): Outcome<TableNode> {
  let value: unknown;
  try {
    value = tomlValue(source.text);
  } catch (error) {
    return { value: undefined, diagnostics: [describeSyntaxError(error, source)] };
  }
  return locate(value, shadowOf(source.text), source, from);
}

/** The tables and values of a text, as plain data. Throws the errors of `toml`. */
export function tomlValue(text: string): unknown {
  return toml.parse(text, { bigint: true, useTemporal: true, temporal, maxDepth: MAX_DEPTH });
}

/** The located tree of a value. `text`: what the ranges of its shadow refer to. */
export function locate(value: unknown, shadow: Shadow, text: Spans, from: From): Outcome<TableNode> {
  const builder = new Builder(text, from);
  const root = builder.node(value, shadow, undefined, 0);
  if (root?.kind !== 'table') return { value: undefined, diagnostics: builder.diagnostics };
  return { value: builder.diagnostics.length > 0 ? undefined : root, diagnostics: builder.diagnostics };
}

/** Turns ranges of a text into spans. */
export type Spans = Pick<LocatedText, 'text' | 'span' | 'lineSpan'>;

function shadowOf(text: string): Shadow {
  try {
    return shadowFromScan(text);
  } catch (error) {
    // `toml` accepts the text but the scanner does not: spans are coarser, values the same.
    if (error instanceof SyntaxError || error instanceof RangeError) return shadowFromLines(text);
    throw error;
  }
}

class Builder {
  readonly diagnostics: Diagnostic[] = [];
  #tooDeep = false;

  constructor(
    readonly source: Spans,
    readonly from: From,
  ) {}

  /** `near`: the range to use if the shadow has none. */
  node(value: unknown, shadow: Shadow | undefined, near: Range | undefined, depth: number): TomlNode | undefined {
    const range: Range = shadow?.range ?? near ?? [0, this.source.text.length];
    const base = { span: this.source.span(...range), from: this.from };
    if (typeof value === 'string') return { kind: 'string', value, ...base };
    if (typeof value === 'bigint') {
      const small = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
      return { kind: 'integer', value: small ? Number(value) : value, ...base };
    }
    if (typeof value === 'number') return { kind: 'float', value, ...base };
    if (typeof value === 'boolean') return { kind: 'boolean', value, ...base };
    if (value instanceof DateTime) return { kind: 'datetime', value: value.text, ...base };
    if (depth >= MAX_DEPTH) return this.#refuseDepth(range);
    if (Array.isArray(value)) return this.#array(value, shadow, range, depth);
    return this.#table(value as object, shadow, range, depth);
  }

  #array(values: readonly unknown[], shadow: Shadow | undefined, range: Range, depth: number): TomlNode {
    const items: TomlNode[] = [];
    const known = shadow?.kind === 'array' && shadow.items.length === values.length ? shadow.items : [];
    values.forEach((value, index) => {
      const item = this.node(value, known[index], range, depth + 1);
      if (item) items.push(item);
    });
    return { kind: 'array', items, span: this.source.span(...range), from: this.from };
  }

  #table(value: object, shadow: Shadow | undefined, range: Range, depth: number): TableNode {
    const entries = new Map<string, TableEntry>();
    for (const [key, item] of Object.entries(value)) {
      const known = shadow?.entries.get(key);
      const node = this.node(item, known, range, depth + 1);
      if (!node) continue;
      const [first, ...more] = known?.keys ?? [];
      const keySpan = first ? this.source.span(...first) : node.span;
      if (more.length === 0) entries.set(key, { key, keySpan, value: node });
      else {
        const keySpans = [keySpan, ...more.map((keyRange) => this.source.span(...keyRange))];
        entries.set(key, { key, keySpan, value: node, keySpans });
      }
    }
    const span = this.source.span(...range);
    const headSpan = shadow?.head ? this.source.span(...shadow.head) : undefined;
    return { kind: 'table', entries, span, from: this.from, ...(headSpan ? { headSpan } : {}) };
  }

  #refuseDepth(range: Range): undefined {
    if (this.#tooDeep) return;
    this.#tooDeep = true;
    this.diagnostics.push({
      code: 'toml/too-deep',
      severity: 'error',
      span: this.source.lineSpan(range[0]),
      message: `Values are nested more than ${MAX_DEPTH} levels deep.`,
      help: 'Reduce the nesting: no key of a spec is nested this deeply.',
    });
  }
}
