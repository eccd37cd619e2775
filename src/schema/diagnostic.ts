/** What gw says about a spec. Stages return `{ value, diagnostics }`; a throw is a bug in gw. */

export interface Position {
  /** UTF-16 code units from the start of the file. */
  readonly offset: number;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
}

export interface Span {
  /** Path as people should see it: relative to the folder of the root spec where it can be. */
  readonly file: string;
  readonly start: Position;
  readonly end: Position;
}

export type Severity = 'error' | 'warning' | 'info';

export interface Edit {
  readonly span: Span;
  readonly text: string;
}

export interface Fix {
  readonly title: string;
  /** `safe` fixes keep the meaning that the author clearly had, and are what `--fix` applies. */
  readonly applicability: 'safe' | 'unsafe';
  readonly edits: readonly Edit[];
}

export interface Diagnostic {
  /** Slug with a docs page and a fixture pair: `route/shadowed`. */
  readonly code: string;
  readonly severity: Severity;
  readonly span: Span;
  /** What is wrong and why, one sentence or two; names quoted with backticks. */
  readonly message: string;
  readonly related?: readonly { readonly span: Span; readonly message: string }[];
  /** What to do next. */
  readonly help?: string;
  readonly fix?: Fix;
  /** What it is about, as `[lint].allow` names it in `at`: `route.health`. */
  readonly entity?: string;
  /** The span holds a secret: whoever prints the source must not print that part of it. */
  readonly sensitive?: boolean;
}

/** A stage's result: a value where one could be made, and everything there is to say. */
export interface Outcome<T> {
  readonly value: T | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some((diagnostic) => diagnostic.severity === 'error');

/** By file, offset, then code: the order everything is printed in. */
export function sortDiagnostics(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...diagnostics].sort(
    (a, b) =>
      compare(a.span.file, b.span.file) ||
      a.span.start.offset - b.span.start.offset ||
      compare(a.code, b.code) ||
      compare(a.message, b.message),
  );
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
