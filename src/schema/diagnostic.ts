/** Diagnostics of a spec. Stages return `{ value, diagnostics }`; a throw is a bug in gw. */

export interface Position {
  /** UTF-16 code units from the start of the file. */
  readonly offset: number;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units. */
  readonly column: number;
}

export interface Span {
  /** Path for display: relative to the folder of the root spec if possible. */
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
  /** `--fix` applies only `safe` fixes, whose intended meaning is clear. */
  readonly applicability: 'safe' | 'unsafe';
  readonly edits: readonly Edit[];
}

export interface Diagnostic {
  /** Slug with a docs page and a fixture pair: `route/shadowed`. */
  readonly code: string;
  readonly severity: Severity;
  readonly span: Span;
  /** What is wrong and why, in one or two sentences; names in backticks. */
  readonly message: string;
  readonly related?: readonly { readonly span: Span; readonly message: string }[];
  /** What to do next. */
  readonly help?: string;
  readonly fix?: Fix;
  /** The entity, as in `at` of `[lint].allow`: `route.health`. */
  readonly entity?: string;
  /** The span contains a secret that must not be printed. */
  readonly sensitive?: boolean;
}

/** Result of a stage: a value, if there is one, and all diagnostics. */
export interface Outcome<T> {
  readonly value: T | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

export const hasErrors = (diagnostics: readonly Diagnostic[]): boolean =>
  diagnostics.some((diagnostic) => diagnostic.severity === 'error');

/** Sorts by file, offset and code: the order of all output. */
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
