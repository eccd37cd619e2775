/** Carries what a decode learns beside the value: diagnostics, and where every value came from. */
import type { Diagnostic, Fix, Span } from './diagnostic.js';
import type { From, TomlNode } from './tree.js';

export type ConfigPath = readonly (string | number)[];

export interface Origin {
  readonly from: From;
  readonly span: Span;
  readonly keySpan: Span | undefined;
}

/** Says of every decoded value where it stands; a path that nobody wrote answers with its nearest written ancestor. */
export interface Origins {
  spanOf(...path: (string | number)[]): Span;
  keySpanOf(...path: (string | number)[]): Span;
  originOf(...path: (string | number)[]): Origin;
  /** Every path that was decoded, written or defaulted, in order. */
  entries(): IterableIterator<readonly [path: ConfigPath, origin: Origin]>;
}

const keyOf = (path: ConfigPath): string => path.join('\u0000');

export class Decoder implements Origins {
  readonly diagnostics: Diagnostic[] = [];
  readonly #root: Origin;
  readonly #origins = new Map<string, { path: ConfigPath; origin: Origin }>();
  readonly #path: (string | number)[] = [];

  constructor(root: TomlNode, keySpan?: Span) {
    this.#root = { from: root.from, span: root.span, keySpan };
  }

  get path(): ConfigPath {
    return this.#path;
  }

  /** Runs `decode` one step further down and records where that step's node stands. */
  within<T>(step: string | number, node: TomlNode, keySpan: Span | undefined, decode: () => T): T {
    this.#path.push(step);
    this.#record({ from: node.from, span: node.span, keySpan });
    const value = decode();
    this.#path.pop();
    return value;
  }

  /** Records that `step` was left out and its default holds. */
  defaulted(step: string | number): void {
    const parent = this.originOf(...this.#path);
    this.#path.push(step);
    this.#record({ from: 'default', span: parent.span, keySpan: parent.keySpan });
    this.#path.pop();
  }

  error(
    code: string,
    span: Span,
    message: string,
    extra: { help?: string; fix?: Fix; sensitive?: boolean } = {},
  ): void {
    this.diagnostics.push({ code, severity: 'error', span, message, ...extra });
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
      const found = this.#origins.get(keyOf(path.slice(0, length)));
      if (found) return found.origin;
    }
    return this.#root;
  }

  *entries(): IterableIterator<readonly [ConfigPath, Origin]> {
    for (const { path, origin } of this.#origins.values()) yield [path, origin];
  }

  #record(origin: Origin): void {
    this.#origins.set(keyOf(this.#path), { path: [...this.#path], origin });
  }
}
