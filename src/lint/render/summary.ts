import type { Diagnostic } from '../../schema/diagnostic.js';

export interface Summary {
  readonly errors: number;
  readonly warnings: number;
  readonly infos: number;
  /** How many of them `--fix` can mend. */
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

/** `2 errors, 1 warning`; '' when there is nothing. */
export function summaryText({ errors, warnings, infos }: Summary): string {
  const parts = [counted(errors, 'error'), counted(warnings, 'warning'), counted(infos, 'note')];
  return parts.filter((part) => part !== '').join(', ');
}

const counted = (count: number, word: string): string => {
  if (count === 0) return '';
  return `${count} ${word}${count === 1 ? '' : 's'}`;
};
