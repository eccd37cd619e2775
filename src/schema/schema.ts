/** The base class of schemas, and wrappers that make them optional, checked or mapped. */
import type { Json } from '../bundle/types.js';
import type { Decoder } from './decoder.js';
import type { Fix } from './diagnostic.js';
import { kindName, type TomlNode } from './tree.js';

export type JsonSchema = { readonly [key: string]: Json };

/** Result of decode for an invalid value, which is already reported. */
export const INVALID: unique symbol = Symbol('invalid');
export type Decoded<T> = T | typeof INVALID;

export type Infer<S> = S extends Schema<infer T> ? T : never;

export abstract class Schema<T> {
  /** One or two sentences for the reference page and for editors. */
  doc = '';
  examples: readonly Json[] = [];

  /** Returns the value, or reports errors to the decoder and returns INVALID. */
  abstract decode(node: TomlNode, decoder: Decoder): Decoded<T>;
  abstract jsonSchema(): JsonSchema;
  /** A few words for messages and the reference: `a duration such as "5s"`. */
  abstract readonly expected: string;

  /** The value if the key is absent; undefined if the key is required. */
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

  /** Adds a check that returns a message, optionally with help, for an invalid value. */
  check(code: string, test: Test<T>): Schema<T> {
    return new Checked(this, code, test);
  }

  /** The value as written in a spec; undefined if it cannot be written. */
  written(value: T): Json | undefined {
    return value as Json | undefined;
  }

  /** The JSON Schema with its documentation. */
  documented(): JsonSchema {
    const schema: Record<string, Json> = { ...this.jsonSchema() };
    if (this.doc) schema['description'] = this.doc;
    if (this.examples.length > 0) schema['examples'] = this.examples;
    return schema;
  }
}

/** What is wrong with a value; undefined if it is valid. */
export type Test<T> = (value: T) => string | { readonly message: string; readonly help?: string } | undefined;

export function wrongKind(
  schema: Schema<unknown>,
  node: TomlNode,
  decoder: Decoder,
  help?: string,
  fix?: Fix,
): typeof INVALID {
  decoder.error('schema/type', node.span, `Expected ${schema.expected}, found ${kindName(node)}.`, {
    ...(help === undefined ? {} : { help }),
    ...(fix === undefined ? {} : { fix }),
  });
  return INVALID;
}

/** A safe fix that replaces the node by `text`. */
export const rewriting = (node: TomlNode, text: string): Fix => ({
  title: `Write \`${text}\``,
  applicability: 'safe',
  edits: [{ span: node.span, text }],
});

/** A schema around another one; the reference page looks inside. */
export abstract class Wrapper<T> extends Schema<T> {
  abstract readonly inner: Schema<unknown>;
}

/** The schema inside all wrappers. */
export function unwrapped(schema: Schema<unknown>): Schema<unknown> {
  let inner = schema;
  while (inner instanceof Wrapper) inner = inner.inner;
  return inner;
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
    const written = this.fallback === undefined ? undefined : this.inner.written(this.fallback);
    return written === undefined ? schema : { ...schema, default: written };
  }
  override written(value: T): Json | undefined {
    return this.inner.written(value);
  }
}

export class Checked<T> extends Wrapper<T> {
  constructor(
    readonly inner: Schema<T>,
    readonly code: string,
    readonly test: Test<T>,
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
    if (typeof problem === 'string') decoder.error(this.code, node.span, problem);
    else decoder.error(this.code, node.span, problem.message, problem.help === undefined ? {} : { help: problem.help });
    return INVALID;
  }
  jsonSchema(): JsonSchema {
    return this.inner.jsonSchema();
  }
  override written(value: T): Json | undefined {
    return this.inner.written(value);
  }
}

/** Decodes with `inner` and maps the result. */
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
  /** The mapping has no inverse. */
  override written(): undefined {
    return undefined;
  }
}
