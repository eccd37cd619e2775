import { counted } from '../../plural.js';
import type { Diagnostic } from '../../schema/diagnostic.js';

export interface Summary {
  readonly errors: number;
  readonly warnings: number;
  readonly infos: number;
  /** Number of diagnostics that `--fix` can fix. */
  readonly fixable: number;
}

export function summarize(diagnostics: readonly Diagnostic[]): Summary {
  const count = (test: (diagnostic: Diagnostic) => boolean): number => diagnostics.filter(test).length;
  return {
    errors: count(({ severity }) => severity === 'error'),
    warnings: count(({ severity }) => severity === 'warning'),
    infos: count(({ severity }) => severity === 'info'),
    fixable: count(({ fix }) => fix?.applicability === 'safe'),
  };
}

/** `2 errors, 1 warning`; '' without diagnostics. */
export function summaryText({ errors, warnings, infos }: Summary): string {
  const parts = [
    [errors, 'error'],
    [warnings, 'warning'],
    [infos, 'note'],
  ] as const;
  return parts
    .filter(([count]) => count > 0)
    .map(([count, word]) => counted(count, word))
    .join(', ');
}
