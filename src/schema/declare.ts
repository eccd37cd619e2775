/**
 * The declaration language. One declaration per entity yields decoding with spans, the TypeScript type (`Infer`), the
 * JSON Schema for editors, and the reference page.
 *
 *     const target = s.object({ url: s.string().describe('...'), weight: s.integer({ min: 1 }).default(1) });
 *     type Target = Infer<typeof target>;
 */
import type { Json, RefString } from '../bundle/types.js';
import type { LimitRate } from '../state/types.js';
import type { Decoder } from './decoder.js';
import { suggest } from './suggest.js';
import { kindName, type TableNode, type TomlNode } from './tree.js';
import { formatDuration, formatRate, formatSize, parseDuration, parseRate, parseSize } from './units.js';

export type JsonSchema = { readonly [key: string]: Json };

/** What decode returns for a value that is wrong (and already reported). */
export const INVALID: unique symbol = Symbol('invalid');
export type Decoded<T> = T | typeof INVALID;

export type Infer<S> = S extends Schema<infer T> ? T : never;

export abstract class Schema<T> {
  /** One or two sentences for the reference page and for editors. */
  doc = '';
  examples: readonly Json[] = [];

  /** Reports what is wrong to the decoder and returns INVALID, or returns the value. */
  abstract decode(node: TomlNode, decoder: Decoder): Decoded<T>;
  abstract jsonSchema(): JsonSchema;
  /** A few words for messages and the reference: `a duration such as "5s"`. */
  abstract readonly expected: string;

  /** The value when the key is absent; undefined here means the key is required unless `isOptional`. */
  absent(): { readonly value: T } | undefined {
    return undefined;
  }

  describe(doc: string, ...examples: Json[]): this {
    this.doc = doc;
    this.examples = examples;
    return this;
  }

  optional(): Schema<T | undefined> {
    return new WithAbsent<T | undefined>(this, undefined);
  }

  default(value: T): Schema<T> {
    return new WithAbsent<T>(this, value);
  }

  /** Adds a check with a located error: return a message for a bad value. */
  check(code: string, test: (value: T) => string | undefined): Schema<T> {
    return new Checked(this, code, test);
  }

  /** JSON Schema with the documentation on it. */
  documented(): JsonSchema {
    const schema: Record<string, Json> = { ...this.jsonSchema() };
    if (this.doc) schema['description'] = this.doc;
    if (this.examples.length > 0) schema['examples'] = this.examples;
    return schema;
  }
}

function wrongKind(schema: Schema<unknown>, node: TomlNode, decoder: Decoder): typeof INVALID {
  decoder.error('schema/type', node.span, `Expected ${schema.expected}, found ${kindName(node)}.`);
  return INVALID;
}

/** A schema seen from outside: what it wraps, for the reference page. */
export abstract class Wrapper<T> extends Schema<T> {
  abstract readonly inner: Schema<unknown>;
}

export class WithAbsent<T> extends Wrapper<T> {
  constructor(
    readonly inner: Schema<T>,
    readonly fallback: T,
  ) {
    super();
    this.doc = inner.doc;
    this.examples = inner.examples;
  }
  get expected(): string {
    return this.inner.expected;
  }
  override absent(): { readonly value: T } {
    return { value: this.fallback };
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T> {
    return this.inner.decode(node, decoder);
  }
  jsonSchema(): JsonSchema {
    const schema = this.inner.jsonSchema();
    const written = asWritten(this.inner, this.fallback);
    return written === undefined ? schema : { ...schema, default: written };
  }
}

export class Checked<T> extends Wrapper<T> {
  constructor(
    readonly inner: Schema<T>,
    readonly code: string,
    readonly test: (value: T) => string | undefined,
  ) {
    super();
    this.doc = inner.doc;
    this.examples = inner.examples;
  }
  get expected(): string {
    return this.inner.expected;
  }
  override absent(): { readonly value: T } | undefined {
    return this.inner.absent();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T> {
    const value = this.inner.decode(node, decoder);
    if (value === INVALID) return INVALID;
    const problem = this.test(value);
    if (problem === undefined) return value;
    decoder.error(this.code, node.span, problem);
    return INVALID;
  }
  jsonSchema(): JsonSchema {
    return this.inner.jsonSchema();
  }
}

const REFERENCE = /\$\{(env|file):([^}]*)\}/;

export class StringSchema extends Schema<string> {
  readonly expected: string;
  constructor(readonly options: { pattern?: RegExp; expected?: string; nonEmpty?: boolean }) {
    super();
    this.expected = options.expected ?? 'a string';
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<string> {
    if (node.kind !== 'string') return wrongKind(this, node, decoder);
    if (REFERENCE.test(node.value)) {
      decoder.error('reference/not-allowed', node.span, 'A `${env:}` or `${file:}` reference cannot stand here.', {
        help: 'References are resolved when the gateway loads, so they can stand only where no proof needs the value: addresses, target URLs, credentials and header values.',
      });
      return INVALID;
    }
    if (this.options.nonEmpty && node.value === '') {
      decoder.error('schema/empty', node.span, `Expected ${this.expected}, found an empty string.`);
      return INVALID;
    }
    if (this.options.pattern && !this.options.pattern.test(node.value)) {
      decoder.error('schema/format', node.span, `Expected ${this.expected}, found \`${shown(node.value)}\`.`);
      return INVALID;
    }
    return node.value;
  }
  jsonSchema(): JsonSchema {
    return {
      type: 'string',
      ...(this.options.pattern ? { pattern: this.options.pattern.source } : {}),
      ...(this.options.nonEmpty ? { minLength: 1 } : {}),
    };
  }
}

/** A string that may carry references: kept as `{ $ref }` until a generation loads. `$${` is a literal `${`. */
export class ReferenceSchema extends Schema<RefString> {
  readonly expected: string;
  constructor(
    readonly what: string,
    readonly test: ((literal: string) => string | undefined) | undefined,
  ) {
    super();
    this.expected = what;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<RefString> {
    if (node.kind !== 'string') return wrongKind(this, node, decoder);
    if (REFERENCE.test(node.value)) return { $ref: node.value };
    const problem = this.test?.(node.value);
    if (problem === undefined) return node.value;
    decoder.error('schema/format', node.span, problem);
    return INVALID;
  }
  jsonSchema(): JsonSchema {
    return { type: 'string' };
  }
}

export class BooleanSchema extends Schema<boolean> {
  readonly expected = '`true` or `false`';
  decode(node: TomlNode, decoder: Decoder): Decoded<boolean> {
    return node.kind === 'boolean' ? node.value : wrongKind(this, node, decoder);
  }
  jsonSchema(): JsonSchema {
    return { type: 'boolean' };
  }
}

export class IntegerSchema extends Schema<number> {
  readonly expected: string;
  constructor(
    readonly min: number,
    readonly max: number,
  ) {
    super();
    this.expected =
      max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<number> {
    if (node.kind !== 'integer') return wrongKind(this, node, decoder);
    if (node.value >= this.min && node.value <= this.max) return Number(node.value);
    decoder.error('schema/range', node.span, `Expected ${this.expected}, found ${node.value}.`);
    return INVALID;
  }
  jsonSchema(): JsonSchema {
    return {
      type: 'integer',
      minimum: this.min,
      ...(this.max === Number.MAX_SAFE_INTEGER ? {} : { maximum: this.max }),
    };
  }
}

/** Text in a unit (`"5s"`), decoded to a number or a rate. */
export class UnitSchema<T> extends Schema<T> {
  constructor(
    readonly unit: 'duration' | 'size' | 'rate',
    readonly expected: string,
    readonly pattern: string,
    readonly parse: (text: string) => T | undefined,
    readonly format: (value: T) => string,
  ) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T> {
    if (node.kind !== 'string') return wrongKind(this, node, decoder);
    const value = this.parse(node.value);
    if (value !== undefined) return value;
    decoder.error('schema/unit', node.span, `Expected ${this.expected}, found \`${shown(node.value)}\`.`);
    return INVALID;
  }
  jsonSchema(): JsonSchema {
    return { type: 'string', pattern: this.pattern };
  }
}

export class EnumSchema<T extends string> extends Schema<T> {
  readonly expected: string;
  constructor(readonly values: readonly T[]) {
    super();
    this.expected = `one of ${values.map((value) => `\`"${value}"\``).join(', ')}`;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T> {
    if (node.kind !== 'string') return wrongKind(this, node, decoder);
    const found = this.values.find((value) => value === node.value);
    if (found !== undefined) return found;
    const near = suggest(node.value, this.values);
    decoder.error('schema/value', node.span, `Expected ${this.expected}, found \`${shown(node.value)}\`.`, {
      ...(near === undefined
        ? {}
        : {
            help: `Did you mean \`${near}\`?`,
            fix: {
              title: `Write \`${near}\``,
              applicability: 'safe' as const,
              edits: [{ span: node.span, text: JSON.stringify(near) }],
            },
          }),
    });
    return INVALID;
  }
  jsonSchema(): JsonSchema {
    return { enum: this.values };
  }
}

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
    if (node.kind !== 'array') return wrongKind(this, node, decoder);
    const values: T[] = [];
    let valid = true;
    node.items.forEach((item, index) => {
      const value = decoder.within(index, item, undefined, () => this.item.decode(item, decoder));
      if (value === INVALID) valid = false;
      else values.push(value);
    });
    if (node.items.length < (this.options.min ?? 0)) {
      decoder.error('schema/empty', node.span, `Expected at least ${this.options.min} item, found none.`);
      return INVALID;
    }
    return valid ? values : INVALID;
  }
  jsonSchema(): JsonSchema {
    return {
      type: 'array',
      items: this.item.documented(),
      ...(this.options.min ? { minItems: this.options.min } : {}),
    };
  }
}

/** A table whose keys the author chooses. */
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
    // No prototype: a key named `__proto__` is a key like any other.
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

export type Fields = { readonly [key: string]: Schema<unknown> };
export type InferFields<F extends Fields> = { readonly [K in keyof F]: Infer<F[K]> };

export class ObjectSchema<F extends Fields> extends Schema<InferFields<F>> {
  readonly expected = 'a table';
  constructor(readonly fields: F) {
    super();
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<InferFields<F>> {
    if (node.kind !== 'table') return wrongKind(this, node, decoder);
    let valid = this.#refuseUnknownKeys(node, decoder);
    const values: Record<string, unknown> = {};
    for (const [key, schema] of Object.entries(this.fields)) {
      const entry = node.entries.get(key);
      if (entry) {
        const value = decoder.within(key, entry.value, entry.keySpan, () => schema.decode(entry.value, decoder));
        if (value === INVALID) valid = false;
        else values[key] = value;
        continue;
      }
      const absent = schema.absent();
      if (absent) {
        decoder.defaulted(key);
        values[key] = absent.value;
      } else {
        decoder.error('schema/missing', node.span, `The key \`${key}\` is missing: expected ${schema.expected}.`);
        valid = false;
      }
    }
    return valid ? (values as InferFields<F>) : INVALID;
  }
  #refuseUnknownKeys(node: TableNode, decoder: Decoder): boolean {
    let valid = true;
    for (const entry of node.entries.values()) {
      if (Object.hasOwn(this.fields, entry.key)) continue;
      valid = false;
      reportUnknownKey(entry.key, entry.keySpan, Object.keys(this.fields), decoder);
    }
    return valid;
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

/** Reports a key that nothing knows, with the nearest known one as a safe fix. */
export function reportUnknownKey(
  key: string,
  keySpan: import('./diagnostic.js').Span,
  known: readonly string[],
  decoder: Decoder,
): void {
  const near = suggest(key, known);
  decoder.error('schema/unknown-key', keySpan, `Unknown key \`${shown(key)}\`.`, {
    help:
      near === undefined
        ? `Known keys here: ${known.map((name) => `\`${name}\``).join(', ')}.`
        : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Rename to \`${near}\``,
            applicability: 'safe' as const,
            edits: [{ span: keySpan, text: near }],
          },
        }),
  });
}

/** Tries each form in turn by the node's kind: `targets = ["http://..", { url = "..", weight = 2 }]`. */
export class EitherSchema<T> extends Schema<T> {
  readonly expected: string;
  constructor(readonly forms: readonly { readonly kinds: readonly TomlNode['kind'][]; readonly schema: Schema<T> }[]) {
    super();
    this.expected = forms.map((form) => form.schema.expected).join(' or ');
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T> {
    const form = this.forms.find(({ kinds }) => kinds.includes(node.kind));
    return form ? form.schema.decode(node, decoder) : wrongKind(this, node, decoder);
  }
  jsonSchema(): JsonSchema {
    return { anyOf: this.forms.map((form) => form.schema.documented()) };
  }
}

/** The same text, meant as something else: decode with `inner`, then turn into T. */
export class MappedSchema<A, B> extends Wrapper<B> {
  constructor(
    readonly inner: Schema<A>,
    readonly to: (value: A) => B,
  ) {
    super();
    this.doc = inner.doc;
    this.examples = inner.examples;
  }
  get expected(): string {
    return this.inner.expected;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<B> {
    const value = this.inner.decode(node, decoder);
    return value === INVALID ? INVALID : this.to(value);
  }
  jsonSchema(): JsonSchema {
    return this.inner.jsonSchema();
  }
}

const shown = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** A default as somebody would write it in a spec. */
function asWritten(schema: Schema<unknown>, value: unknown): Json | undefined {
  if (value === undefined) return undefined;
  let inner = schema;
  while (inner instanceof Wrapper) inner = inner.inner;
  if (inner instanceof UnitSchema) return inner.format(value);
  return value as Json;
}

/** The words that declarations are written in. */
export const s = {
  string: (options: { pattern?: RegExp; expected?: string; nonEmpty?: boolean } = {}) => new StringSchema(options),
  /** `test` judges the text when it holds no reference. */
  reference: (what: string, test?: (literal: string) => string | undefined) => new ReferenceSchema(what, test),
  boolean: () => new BooleanSchema(),
  integer: ({ min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {}) =>
    new IntegerSchema(min, max),
  duration: () =>
    new UnitSchema<number>(
      'duration',
      'a duration such as `"5s"` or `"250ms"`',
      '^\\d+(\\.\\d+)?(ms|s|min|m|h|d)$',
      parseDuration,
      formatDuration,
    ),
  size: () =>
    new UnitSchema<number>(
      'size',
      'a size such as `"10MiB"`',
      '^\\d+(\\.\\d+)?(B|kB|KB|KiB|MB|MiB|GB|GiB)$',
      parseSize,
      formatSize,
    ),
  rate: () =>
    new UnitSchema<LimitRate>(
      'rate',
      'a rate such as `"100/min"` or `"5/s"`',
      '^\\d+/\\d*(s|sec|second|m|min|minute|h|hour|d|day)$',
      parseRate,
      formatRate,
    ),
  enum: <const T extends string>(...values: T[]) => new EnumSchema<T>(values),
  array: <T>(item: Schema<T>, options: { min?: number } = {}) => new ArraySchema<T>(item, options),
  map: <T>(value: Schema<T>, keyCheck?: (key: string) => string | undefined) => new MapSchema<T>(value, keyCheck),
  object: <F extends Fields>(fields: F) => new ObjectSchema<F>(fields),
  either: <T>(...forms: { kinds: readonly TomlNode['kind'][]; schema: Schema<T> }[]) => new EitherSchema<T>(forms),
  mapped: <A, B>(inner: Schema<A>, to: (value: A) => B) => new MappedSchema<A, B>(inner, to),
};
