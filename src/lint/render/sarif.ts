/** SARIF 2.1.0 (OASIS), for code scanning services. */
import type { Diagnostic, Severity, Span } from '../../schema/diagnostic.js';
import { allCodes } from '../catalogue.js';

const LEVELS: Readonly<Record<Severity, 'error' | 'warning' | 'note'>> = {
  error: 'error',
  warning: 'warning',
  info: 'note',
};

export function renderSarif(diagnostics: readonly Diagnostic[]): string {
  const entries = allCodes();
  const indexOf = new Map(entries.map(({ code }, index) => [code, index]));
  const log = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'gw',
            rules: entries.map(({ code, severity, summary }) => ({
              id: code,
              shortDescription: { text: `${summary}.` },
              help: { text: `\`gw validate --explain ${code}\` prints the page about it.` },
              defaultConfiguration: { level: LEVELS[severity] },
            })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: diagnostics.map((diagnostic) => result(diagnostic, indexOf.get(diagnostic.code))),
      },
    ],
  };
  return `${JSON.stringify(log, null, 2)}\n`;
}

function result(diagnostic: Diagnostic, ruleIndex: number | undefined): object {
  const { code, severity, span, message, related, help, fix } = diagnostic;
  return {
    ruleId: code,
    ...(ruleIndex === undefined ? {} : { ruleIndex }),
    level: LEVELS[severity],
    message: { text: help === undefined ? message : `${message}\n${help}` },
    locations: [{ physicalLocation: location(span) }],
    ...(related && related.length > 0
      ? {
          relatedLocations: related.map((place, id) => ({
            id,
            physicalLocation: location(place.span),
            message: { text: place.message },
          })),
        }
      : {}),
    ...(fix ? { fixes: [fixOf(fix)] } : {}),
  };
}

function fixOf(fix: NonNullable<Diagnostic['fix']>): object {
  const files = new Map<string, object[]>();
  for (const { span, text } of fix.edits) {
    const replacement = { deletedRegion: region(span), insertedContent: { text } };
    const list = files.get(span.file);
    if (list) list.push(replacement);
    else files.set(span.file, [replacement]);
  }
  return {
    description: { text: fix.title },
    artifactChanges: [...files].map(([file, replacements]) => ({
      artifactLocation: { uri: uriOf(file) },
      replacements,
    })),
  };
}

const location = (span: Span): object => ({ artifactLocation: { uri: uriOf(span.file) }, region: region(span) });

const region = ({ start, end }: Span): object => ({
  startLine: start.line,
  startColumn: start.column,
  endLine: end.line,
  endColumn: end.column,
});

const uriOf = (path: string): string => path.split(/[\\/]/).map(encodeURIComponent).join('/');
