/** Schemas of scalar values. */
import type { Json, RefString } from '../bundle/types.js';
import { needsResolving, referenceProblem, textOfDefaults } from '../reference-syntax.js';
import type { Decoder } from './decoder.js';
import { type Decoded, INVALID, type JsonSchema, rewriting, Schema, wrongKind } from './schema.js';
import { suggest } from './suggest.js';
import type { TomlNode } from './tree.js';

export const shown = (text: string): string => (text.length > 60 ? `${text.slice(0, 57)}...` : text);

/** A text for a message: in backticks, or `an empty string`. */
export const quoted = (text: string): string => (text === '' ? 'an empty string' : `\`${shown(text)}\``);

const REFERENCE = /\$\{(env|file|vault):([^}]*)\}/;

function refuseReference(node: TomlNode, decoder: Decoder): typeof INVALID {
  decoder.error(
    'reference/not-allowed',
    node.span,
    'A `${env:}`, `${file:}` or `${vault:}` reference is not allowed here.',
    {
      help: 'Write the value itself. References are resolved when the gateway loads, so they are allowed only where the compiler does not need the value: addresses, target URLs, credentials and header values of a `headers` policy.',
    },
  );
  return INVALID;
}

export class StringSchema extends Schema<string> {
  readonly expected: string;
  constructor(readonly options: { pattern?: RegExp; expected?: string; nonEmpty?: boolean }) {
    super();
    this.expected = options.expected ?? 'a string';
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<string> {
    if (node.kind !== 'string') return wrongKind(this, node, decoder);
    if (REFERENCE.test(node.value)) return refuseReference(node, decoder);
    if (this.options.nonEmpty && node.value === '') {
      decoder.error('schema/empty', node.span, `Expected ${this.expected}, found an empty string.`);
      return INVALID;
    }
    if (this.options.pattern && !this.options.pattern.test(node.value)) {
      decoder.error('schema/format', node.span, `Expected ${this.expected}, found ${quoted(node.value)}.`);
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

/** What is wrong with a text and what to do. `sensitive`: the text is a secret and must not be printed. */
export interface Problem {
  readonly message: string;
  readonly help?: string;
  readonly sensitive?: boolean;
}

/** A string that may contain references; kept as `{ $ref }` until a generation loads. */
export class ReferenceSchema extends Schema<RefString> {
  readonly expected: string;
  constructor(
    readonly what: string,
    readonly test: ((literal: string) => string | Problem | undefined) | undefined,
    readonly options: { readonly sensitive?: boolean; readonly template?: boolean } = {},
  ) {
    super();
    this.expected = what;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<RefString> {
    if (node.kind !== 'string') return wrongKind(this, node, decoder);
    const malformed = referenceProblem(node.value, this.options.template === true);
    if (malformed !== undefined) {
      decoder.error('reference/syntax', node.span, malformed.message, { help: malformed.help });
      return INVALID;
    }
    const reference = needsResolving(node.value);
    // With references, only the text with all defaults can be checked.
    const known = reference ? this.#defaults(node.value) : node.value;
    const problem = known === undefined ? undefined : this.test?.(known);
    if (problem === undefined) return reference ? { $ref: node.value } : node.value;
    const { message, ...extra } = typeof problem === 'string' ? { message: problem } : problem;
    const text = reference ? `With the defaults of its references: ${message}` : message;
    decoder.error('schema/format', node.span, text, this.options.sensitive ? { ...extra, sensitive: true } : extra);
    return INVALID;
  }
  /** The text with all defaults. Undefined if a reference has none, or if a default in a template contains braces. */
  #defaults(text: string): string | undefined {
    const known = textOfDefaults(text);
    return this.options.template && known?.includes('{') ? undefined : known;
  }
  jsonSchema(): JsonSchema {
    return { type: 'string' };
  }
}

export class BooleanSchema extends Schema<boolean> {
  readonly expected = '`true` or `false`';
  decode(node: TomlNode, decoder: Decoder): Decoded<boolean> {
    if (node.kind === 'boolean') return node.value;
    const meant = node.kind === 'string' ? /^(true|false)$/i.exec(node.value)?.[0].toLowerCase() : undefined;
    if (meant === undefined) return wrongKind(this, node, decoder);
    return wrongKind(this, node, decoder, `Write \`${meant}\` without quotes.`, rewriting(node, meant));
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
      min === max
        ? `the integer ${min}`
        : max === Number.MAX_SAFE_INTEGER
          ? `an integer of at least ${min}`
          : `an integer from ${min} to ${max}`;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<number> {
    if (node.kind !== 'integer') return this.#notInteger(node, decoder);
    if (node.value >= this.min && node.value <= this.max) return Number(node.value);
    decoder.error('schema/range', node.span, `Expected ${this.expected}, found ${node.value}.`);
    return INVALID;
  }
  #notInteger(node: TomlNode, decoder: Decoder): typeof INVALID {
    const meant = node.kind === 'string' || node.kind === 'float' ? String(node.value).trim() : '';
    if (!/^-?\d{1,15}$/.test(meant)) return wrongKind(this, node, decoder);
    const help = `Write \`${Number(meant)}\` without ${node.kind === 'string' ? 'quotes' : 'a decimal point'}.`;
    return wrongKind(this, node, decoder, help, rewriting(node, String(Number(meant))));
  }
  jsonSchema(): JsonSchema {
    return {
      type: 'integer',
      minimum: this.min,
      ...(this.max === Number.MAX_SAFE_INTEGER ? {} : { maximum: this.max }),
    };
  }
}

export interface Unit<T> {
  readonly unit: 'duration' | 'size' | 'rate';
  readonly expected: string;
  /** How to write a value, as a sentence. */
  readonly howTo: string;
  readonly pattern: string;
  parse(text: string): T | undefined;
  format(value: T): string;
  /** What is wrong with a well-formed value, as the beginning of a sentence. */
  problem(value: T): string | undefined;
}

/** Text in a unit (`"5s"`), decoded to a number or a rate. */
export class UnitSchema<T> extends Schema<T> {
  readonly expected: string;
  constructor(readonly unit: Unit<T>) {
    super();
    this.expected = unit.expected;
  }
  decode(node: TomlNode, decoder: Decoder): Decoded<T> {
    const help = this.unit.howTo;
    if (node.kind !== 'string') return wrongKind(this, node, decoder, help);
    if (REFERENCE.test(node.value)) return refuseReference(node, decoder);
    const value = this.unit.parse(node.value);
    const problem = value === undefined ? this.#unreadable(node.value) : this.unit.problem(value);
    if (value !== undefined && problem === undefined) return value;
    decoder.error(
      value === undefined ? 'schema/unit' : 'schema/range',
      node.span,
      `${problem}, found ${quoted(node.value)}.`,
      { help },
    );
    return INVALID;
  }
  /** Message for text that gives no value; a well-formed one is too large for a number. */
  #unreadable(text: string): string {
    return new RegExp(this.unit.pattern).test(text) && /\d{6}/.test(text)
      ? `This ${this.unit.unit} is too large`
      : `Expected ${this.expected}`;
  }
  jsonSchema(): JsonSchema {
    return { type: 'string', pattern: this.unit.pattern };
  }
  override written(value: T): Json {
    return this.unit.format(value);
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
    decoder.error('schema/value', node.span, `Expected ${this.expected}, found ${quoted(node.value)}.`, {
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
