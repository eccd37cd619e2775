/** Workflow commands: GitHub shows them as annotations on the changed lines. */
import type { Diagnostic, Severity } from '../../schema/diagnostic.js';

const COMMANDS: Readonly<Record<Severity, string>> = { error: 'error', warning: 'warning', info: 'notice' };

export function renderGithub(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => `${command(diagnostic)}\n`).join('');
}

function command({ severity, code, span, message, help }: Diagnostic): string {
  const { start, end } = span;
  const properties: Record<string, string | number> = {
    file: span.file,
    line: start.line,
    endLine: end.line,
    col: start.column,
  };
  // GitHub accepts endColumn only on spans of one line; its columns are inclusive.
  if (start.line === end.line) properties['endColumn'] = Math.max(start.column, end.column - 1);
  const list = Object.entries({ ...properties, title: code }).map(
    ([name, value]) => `${name}=${property(String(value))}`,
  );
  return `::${COMMANDS[severity]} ${list.join(',')}::${data(help === undefined ? message : `${message}\n${help}`)}`;
}

const data = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const property = (text: string): string => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
