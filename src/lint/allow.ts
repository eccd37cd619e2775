/** `[lint].allow`: warnings that are known and meant. What an entry cannot do is said, never passed over. */
import type { Diagnostic } from '../schema/diagnostic.js';
import { suggest } from '../schema/suggest.js';
import type { Model } from '../spec/model.js';
import type { CatalogueEntry } from './rule.js';

export const ALLOW_CODES: readonly CatalogueEntry[] = [
  { code: 'lint/allow-error', severity: 'error', summary: 'An error is to be silenced, which only warnings can be' },
  { code: 'lint/allow-unknown', severity: 'error', summary: 'A code is to be silenced that gw does not know' },
  { code: 'lint/allow-unused', severity: 'warning', summary: 'An entry of `[lint].allow` silences nothing' },
];

/** Takes the allowed warnings out, and reports the entries that are wrong. `whole`: every rule has run. */
export function applyAllow(
  model: Model,
  diagnostics: readonly Diagnostic[],
  catalogue: readonly CatalogueEntry[],
  whole: boolean,
): Diagnostic[] {
  const kept = new Set(diagnostics);
  const extra: Diagnostic[] = [];
  for (const [index, entry] of model.lint.allow.entries()) {
    const problem = refuse(entry.code, catalogue);
    if (problem) {
      extra.push({ ...problem(model, index), entity: 'lint' });
      continue;
    }
    const silenced = diagnostics.filter(
      ({ code, severity, entity }) =>
        code === entry.code && severity !== 'error' && (entry.at === undefined || entry.at === entity),
    );
    for (const diagnostic of silenced) kept.delete(diagnostic);
    if (silenced.length === 0 && whole) extra.push(unused(model, index, diagnostics));
  }
  return [...kept, ...extra];
}

type Problem = (model: Model, index: number) => Diagnostic;

function refuse(code: string, catalogue: readonly CatalogueEntry[]): Problem | undefined {
  const known = catalogue.filter((entry) => entry.code === code);
  if (known.some(({ severity }) => severity !== 'error')) return undefined;
  const span = (model: Model, index: number) => model.at.spanOf('lint', 'allow', index, 'code');
  if (known.length > 0) {
    return (model, index) => ({
      code: 'lint/allow-error',
      severity: 'error',
      span: span(model, index),
      message: `\`${code}\` is an error, and errors cannot be silenced: the gateway could not run such a spec as it is meant.`,
      help: 'Mend what it reports, and remove this entry.',
    });
  }
  const near = suggest(
    code,
    catalogue.filter(({ severity }) => severity !== 'error').map((entry) => entry.code),
  );
  return (model, index) => ({
    code: 'lint/allow-unknown',
    severity: 'error',
    span: span(model, index),
    message: `There is no warning \`${code}\`.`,
    help: near === undefined ? 'The codes are listed in docs/diagnostics.' : `Did you mean \`${near}\`?`,
    ...(near === undefined
      ? {}
      : {
          fix: {
            title: `Write \`${near}\``,
            applicability: 'safe' as const,
            edits: [{ span: span(model, index), text: JSON.stringify(near) }],
          },
        }),
  });
}

function unused(model: Model, index: number, diagnostics: readonly Diagnostic[]): Diagnostic {
  const { code, at } = model.lint.allow[index]!;
  const elsewhere = diagnostics.flatMap((diagnostic) =>
    diagnostic.code === code && diagnostic.entity !== undefined ? [diagnostic.entity] : [],
  );
  const near = at === undefined ? undefined : (suggest(at, elsewhere) ?? elsewhere[0]);
  return {
    code: 'lint/allow-unused',
    severity: 'warning',
    span:
      at === undefined
        ? model.at.spanOf('lint', 'allow', index, 'code')
        : model.at.spanOf('lint', 'allow', index, 'at'),
    entity: 'lint',
    message: `This entry silences nothing: there is no \`${code}\`${at === undefined ? ' in this spec' : ` at \`${at}\``}.`,
    help: near === undefined ? 'Remove the entry: what it was for is gone.' : `There is one at \`${near}\`.`,
  };
}
