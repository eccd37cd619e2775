/** JSON for programs. `version` increases if a field changes its meaning or is removed. */
import type { Diagnostic } from '../../schema/diagnostic.js';
import { summarize } from './summary.js';

export function renderJson(diagnostics: readonly Diagnostic[]): string {
  const shown = diagnostics.map(({ code, severity, message, span, related, help, fix, entity }) => ({
    code,
    severity,
    message,
    span,
    ...(entity === undefined ? {} : { entity }),
    ...(help === undefined ? {} : { help }),
    ...(related && related.length > 0 ? { related } : {}),
    ...(fix ? { fix } : {}),
  }));
  return `${JSON.stringify({ version: 1, diagnostics: shown, summary: summarize(diagnostics) }, null, 2)}\n`;
}
