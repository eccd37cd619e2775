/** Schemas of arrays, tables, and values with several forms. */
import type { Json } from '../bundle/types.js';
import type { Decoder } from './decoder.js';
import type { Span } from './diagnostic.js';
import { shown } from './scalars.js';
import { type Decoded, INVALID, type Infer, type JsonSchema, rewriting, Schema, wrongKind } from './schema.js';
import { suggest, synonymOf } from './suggest.js';
import type { TableNode, TomlNode } from './tree.js';

export class ArraySchema<T> extends Schema<T[]> {
  readonly expected: string;
  constructor(
    readonly item: Schema<T>,
    readonly options: { min?: number },
  ) {
    super();
    this.expected = 'an array';
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T[]> {
    if (node.kind !== 'array') return this.#notArray(node, decoder);
    const values: T[] = [];
    let valid = true;
    node.items.forEach((item, index) => {
      const value = decoder.within(index, item, undefined, () => this.item.decode(item, decoder));
      if (value === INVALID) valid = false;
      else values.push(value);
    });
    const { min = 0 } = this.options;
    const { length } = node.items;
    if (length < min) {
      const found = length === 0 ? 'none' : String(length);
      decoder.error(
        'schema/empty',
        node.span,
        `Expected at least ${min} ${min === 1 ? 'item' : 'items'}, found ${found}.`,
        {
          help: `Add ${this.item.expected}, or remove the key.`,
        },
      );
      return INVALID;
    }
    return valid ? values : INVALID;
  }
  #notArray(node: TomlNode, decoder: Decoder): typeof INVALID {
    if (node.kind !== 'string') return wrongKind(this, node, decoder);
    const written = `[${JSON.stringify(node.value)}]`;
    return wrongKind(this, node, decoder, `Write a list: \`${shown(written)}\`.`, rewriting(node, written));
  }
  jsonSchema(): JsonSchema {
    return {
      type: 'array',
      items: this.item.documented(),
      ...(this.options.min ? { minItems: this.options.min } : {}),
    };
  }
}

/** A table with free keys. */
export class MapSchema<T> extends Schema<{ readonly [key: string]: T }> {
  readonly expected = 'a table';
  constructor(
    readonly value: Schema<T>,
    readonly keyCheck: ((key: string) => string | undefined) | undefined,
  ) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<{ readonly [key: string]: T }> {
    if (node.kind !== 'table') return wrongKind(this, node, decoder);
    // No prototype, so that `__proto__` is an ordinary key.
    const values: Record<string, T> = Object.create(null) as Record<string, T>;
    let valid = true;
    for (const entry of node.entries.values()) {
      const problem = this.keyCheck?.(entry.key);
      if (problem !== undefined) {
        decoder.error('schema/key', entry.keySpan, problem);
        valid = false;
      }
      const value = decoder.within(entry.key, entry.value, entry.keySpan, () =>
        this.value.decode(entry.value, decoder),
      );
      if (value === INVALID) valid = false;
      else values[entry.key] = value;
    }
    return valid ? values : INVALID;
  }
  jsonSchema(): JsonSchema {
    return { type: 'object', additionalProperties: this.value.documented() };
  }
}

/** Help for a wrong value: what the key is for, with an example if there is one. */
function meaning(key: string, schema: Schema<unknown>): string {
  const [example] = schema.examples;
  const name = example === undefined ? `\`${key}\`` : `\`${key} = ${tomlOf(example)}\``;
  return schema.doc === ''
    ? `${name}.`
    : `${name}: ${schema.doc.replace(/^[A-Z](?=[a-z ])/, (first) => first.toLowerCase())}`;
}

function tomlOf(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(tomlOf).join(', ')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const pairs = Object.entries(value).map(([key, item]) => `${key} = ${tomlOf(item)}`);
  return `{ ${pairs.join(', ')} }`;
}

export type Fields = { readonly [key: string]: Schema<unknown> };
export type InferFields<F extends Fields> = { readonly [K in keyof F]: Infer<F[K]> };

export class ObjectSchema<F extends Fields> extends Schema<InferFields<F>> {
  readonly expected = 'a table';
  constructor(readonly fields: F) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<InferFields<F>> {
    if (node.kind !== 'table') return wrongKind(this, node, decoder);
    const { values, valid } = this.decodePartial(node, decoder);
    return valid ? (values as InferFields<F>) : INVALID;
  }
  /** Decodes every valid field, so that one wrong key does not hide errors in others. */
  decodePartial(
    node: TableNode,
    decoder: Decoder,
  ): { readonly values: Partial<InferFields<F>>; readonly valid: boolean } {
    let valid = this.#refuseUnknownKeys(node, decoder);
    const values: Record<string, unknown> = {};
    for (const [key, schema] of Object.entries(this.fields)) {
      const entry = node.entries.get(key);
      if (entry) {
        const before = decoder.diagnostics.length;
        const value = decoder.within(key, entry.value, entry.keySpan, () => schema.decode(entry.value, decoder));
        if (value === INVALID) {
          valid = false;
          decoder.explain(before, meaning(key, schema));
        } else values[key] = value;
        continue;
      }
      const absent = schema.absent();
      if (absent) {
        decoder.defaulted(key);
        values[key] = absent.value;
      } else {
        const span = node.headSpan ?? node.span;
        decoder.error('schema/missing', span, `Missing key \`${key}\`: expected ${schema.expected}.`, {
          help: `Add ${meaning(key, schema)}`,
        });
        valid = false;
      }
    }
    return { values: values as Partial<InferFields<F>>, valid };
  }
  #refuseUnknownKeys(node: TableNode, decoder: Decoder): boolean {
    let valid = true;
    for (const entry of node.entries.values()) {
      if (Object.hasOwn(this.fields, entry.key)) continue;
      valid = false;
      reportUnknownKey(entry.key, entry.keySpans ?? [entry.keySpan], this.#freeKeys(node), decoder);
    }
    return valid;
  }
  /** Candidates for a wrong key: keys that are not set, and tables that can be extended under another header. */
  #freeKeys(node: TableNode): string[] {
    return Object.keys(this.fields).filter((key) => {
      const entry = node.entries.get(key);
      const first = entry?.value.kind === 'array' ? entry.value.items[0] : entry?.value;
      if (entry === undefined || first === undefined) return true;
      // A table that begins with its own key, `[service.orders]`, is not inline and can be extended.
      const grows = first.span.start.offset <= entry.keySpan.start.offset;
      return first.kind === 'table' && (first.headSpan !== undefined || grows);
    });
  }
  jsonSchema(): JsonSchema {
    const entries = Object.entries(this.fields);
    const required = entries.filter(([, schema]) => !schema.absent()).map(([key]) => key);
    return {
      type: 'object',
      properties: Object.fromEntries(entries.map(([key, schema]) => [key, schema.documented()])),
      ...(required.length > 0 ? { required } : {}),
      additionalProperties: false,
    };
  }
}

/** Reports an unknown key. The fix renames it to the most similar known key in all places where it is written. */
export function reportUnknownKey(
  key: string,
  keySpans: readonly Span[],
  known: readonly string[],
  decoder: Decoder,
): void {
  const near = suggest(key, known);
  const other = near === undefined ? synonymOf(key, known) : undefined;
  const [span] = keySpans;
  if (span === undefined) return;
  decoder.error('schema/unknown-key', span, `Unknown key \`${shown(key)}\`.`, {
    help:
      near === undefined
        ? `${other === undefined ? '' : `Use \`${other}\` instead of \`${shown(key)}\`. `}Known keys here: ${known.map((name) => `\`${name}\``).join(', ')}.`
        : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Rename to \`${near}\``,
            applicability: 'safe' as const,
            edits: keySpans.map((keySpan) => ({ span: keySpan, text: near })),
          },
        }),
  });
}

/** Chooses a form by the type of the node: `targets = ["http://..", { url = "..", weight = 2 }]`. */
export class EitherSchema<T> extends Schema<T> {
  readonly expected: string;
  constructor(readonly forms: readonly { readonly kinds: readonly TomlNode['kind'][]; readonly schema: Schema<T> }[]) {
    super();
    const words = forms.map((form) => form.schema.expected);
    this.expected =
      words.length < 3 ? words.join(' or ') : `${words.slice(0, -1).join(', ')}, or ${words[words.length - 1]}`;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T> {
    const form = this.forms.find(({ kinds }) => kinds.includes(node.kind));
    return form ? form.schema.decode(node, decoder) : wrongKind(this, node, decoder);
  }
  jsonSchema(): JsonSchema {
    return { anyOf: this.forms.map((form) => form.schema.documented()) };
  }
}
