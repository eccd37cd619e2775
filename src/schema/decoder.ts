/** Collects the diagnostics of a decode and the origin of every value. */
import type { ExpressionEntry } from '../bundle/types.js';
import type { Diagnostic, Fix, Span } from './diagnostic.js';
import type { From, TomlNode } from './tree.js';

export type ConfigPath = readonly (string | number)[];

export interface Origin {
  readonly from: From;
  readonly span: Span;
  readonly keySpan: Span | undefined;
}

/** Locates every decoded value. A path that is not written has the location of its nearest written ancestor. */
export interface Origins {
  spanOf(...path: (string | number)[]): Span;
  keySpanOf(...path: (string | number)[]): Span;
  originOf(...path: (string | number)[]): Origin;
  /** Every path that was decoded, written or defaulted, in order. */
  entries(): IterableIterator<readonly [path: ConfigPath, origin: Origin]>;
}

/** A name of the environment that an expression reads. */
export interface ExpressionRead {
  readonly name: string;
  /** For a map: the name in it, if it is constant. */
  readonly key: string | undefined;
  /** In UTF-16 code units of the source. */
  readonly start: number;
  readonly end: number;
}

export interface CheckedExpression {
  /** For the bundle, folded. */
  readonly entry: ExpressionEntry;
  /** The result, if it is the same for every request. */
  readonly constant: boolean | undefined;
  readonly reads: readonly ExpressionRead[];
}

/** What is wrong with an expression. */
export interface ExpressionFault {
  readonly code: string;
  readonly message: string;
  readonly help?: string;
  /** In UTF-16 code units of the expression. */
  readonly start: number;
  readonly end: number;
}

/** The language of expressions, as src/expression/ implements it. */
export interface ExpressionLanguage {
  check(source: string, scope: { readonly reply: boolean }): CheckedExpression | ExpressionFault;
  /** The span of a part of a text at `span`. */
  spanOf(span: Span, text: string, start: number, end: number): Span;
}

/** An expression that was decoded, and its place. */
export interface DecodedExpression {
  readonly path: ConfigPath;
  readonly span: Span;
  readonly expression: CheckedExpression;
}

const keyOf = (path: ConfigPath): string => path.join('\u0000');

/** Up to this many records are searched linearly: an index per small entity would be larger than the entity. */
const FEW = 40;

const samePath = (a: ConfigPath, b: ConfigPath): boolean =>
  a.length === b.length && a.every((step, index) => step === b[index] || String(step) === String(b[index]));

export class Decoder implements Origins {
  readonly diagnostics: Diagnostic[] = [];
  /** The valid expressions, in order. */
  readonly expressions: DecodedExpression[] = [];
  readonly #records: (readonly [path: ConfigPath, origin: Origin])[] = [];
  /** The first `#indexed` records by path; built on first use. */
  #index: Map<string, Origin> | undefined;
  #indexed = 0;
  readonly #path: (string | number)[] = [];
  /** Origins of the enclosing tables, starting with the root. */
  readonly #around: [Origin, ...Origin[]];
  /** Shared origin of all defaults in the innermost table. */
  #default: { readonly around: Origin; readonly origin: Origin } | undefined;

  /** `language`: for configs with expressions. */
  constructor(
    root: TomlNode,
    keySpan?: Span,
    readonly language?: ExpressionLanguage,
  ) {
    this.#around = [{ from: root.from, span: root.span, keySpan }];
  }

  get path(): ConfigPath {
    return this.#path;
  }

  /** Runs `decode` for a child and records its origin. */
  within<T>(step: string | number, node: TomlNode, keySpan: Span | undefined, decode: () => T): T {
    const origin = { from: node.from, span: node.span, keySpan };
    this.#path.push(step);
    this.#around.push(origin);
    this.#records.push([[...this.#path], origin]);
    const value = decode();
    this.#around.pop();
    this.#path.pop();
    return value;
  }

  /** Records that `step` is absent and has its default. */
  defaulted(step: string | number): void {
    const around = this.#around.at(-1) ?? this.#around[0];
    if (this.#default?.around !== around) {
      this.#default = { around, origin: { from: 'default', span: around.span, keySpan: around.keySpan } };
    }
    this.#records.push([[...this.#path, step], this.#default.origin]);
  }

  /** Records an inherited value instead of the default. */
  inherit(step: string, origin: Origin): void {
    const path = [...this.#path, step];
    const known = this.#records.findIndex(([recorded]) => samePath(recorded, path));
    if (known < 0) this.#records.push([path, origin]);
    else this.#records[known] = [path, origin];
    this.#index = undefined;
    this.#indexed = 0;
  }

  error(
    code: string,
    span: Span,
    message: string,
    extra: { help?: string; fix?: Fix; sensitive?: boolean; related?: NonNullable<Diagnostic['related']> } = {},
  ): void {
    this.diagnostics.push({ code, severity: 'error', span, message, ...extra });
  }

  /** Takes over what another decoder found in the node at the current path. */
  adopt(
    diagnostics: readonly Diagnostic[],
    records: Iterable<readonly [path: ConfigPath, origin: Origin]>,
    expressions: readonly DecodedExpression[] = [],
  ): void {
    this.diagnostics.push(...diagnostics);
    for (const [path, origin] of records) this.#records.push([[...this.#path, ...path], origin]);
    for (const { path, ...rest } of expressions) this.expressions.push({ path: [...this.#path, ...path], ...rest });
  }

  /** Adds a help to the diagnostics from index `from` on that have neither help nor fix. */
  explain(from: number, help: string): void {
    for (let index = from; index < this.diagnostics.length; index++) {
      const diagnostic = this.diagnostics[index]!;
      if (diagnostic.help === undefined && diagnostic.fix === undefined)
        this.diagnostics[index] = { ...diagnostic, help };
    }
  }

  spanOf(...path: (string | number)[]): Span {
    return this.originOf(...path).span;
  }

  keySpanOf(...path: (string | number)[]): Span {
    const origin = this.originOf(...path);
    return origin.keySpan ?? origin.span;
  }

  originOf(...path: (string | number)[]): Origin {
    for (let length = path.length; length > 0; length--) {
      const found = this.#find(path.slice(0, length));
      if (found) return found;
    }
    return this.#around[0];
  }

  entries(): IterableIterator<readonly [ConfigPath, Origin]> {
    return this.#records.values();
  }

  #find(path: ConfigPath): Origin | undefined {
    if (this.#records.length <= FEW) return this.#records.find(([recorded]) => samePath(recorded, path))?.[1];
    this.#index ??= new Map();
    for (; this.#indexed < this.#records.length; this.#indexed++) {
      const [recorded, origin] = this.#records[this.#indexed]!;
      this.#index.set(keyOf(recorded), origin);
    }
    return this.#index.get(keyOf(path));
  }
}

/** Finds errors, but records no places: for values by the thousands, which are decoded again if one has errors. */
export class PlainDecoder extends Decoder {
  override within<T>(_step: string | number, _node: TomlNode, _keySpan: Span | undefined, decode: () => T): T {
    return decode();
  }

  override defaulted(): void {}
}
