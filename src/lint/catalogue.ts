/** Every code that gw can report about a spec. */
import { actionDeclarations, policyDeclarations, SPEC_CODES } from '../spec/index.js';
import { ALLOW_CODES } from './allow.js';
import { listIn } from './model-index.js';
import type { CatalogueEntry } from './rule.js';
import { rules } from './rules/index.js';

let catalogue: readonly CatalogueEntry[] | undefined;

/** All codes, sorted, each once. */
export function allCodes(): readonly CatalogueEntry[] {
  catalogue ??= gather();
  return catalogue;
}

function gather(): readonly CatalogueEntry[] {
  const byCode = new Map<string, CatalogueEntry>();
  const sources: readonly (readonly CatalogueEntry[])[] = [
    SPEC_CODES,
    rules,
    ALLOW_CODES,
    ...[...policyDeclarations, ...actionDeclarations].map(({ codes }) => codes ?? []),
  ];
  for (const { code, severity, summary } of sources.flat()) {
    if (!byCode.has(code)) byCode.set(code, { code, severity, summary });
  }
  return [...byCode.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
}

/** Path of the page about a code, relative to the package. */
export const docsPage = (code: string): string => `docs/diagnostics/${code}.md`;

/** The index of the pages, in Markdown. */
export function diagnosticsIndex(): string {
  const areas = new Map<string, CatalogueEntry[]>();
  for (const entry of allCodes()) listIn(areas, entry.code.slice(0, entry.code.indexOf('/'))).push(entry);
  const sections = [...areas].map(([area, entries]) => {
    const rows = entries.map(
      ({ code, severity, summary }) =>
        `| [\`${code}\`](${code}.md) | ${severity} | ${summary.replaceAll('|', '\\|')} |`,
    );
    return `## ${area}\n\n| code | severity | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `${INDEX_HEAD}\n${sections.join('\n')}`;
}

const INDEX_HEAD = `# Diagnostics

Everything that \`gw validate\` can report about a spec. A spec with errors cannot be compiled. Errors cannot be silenced.
Warnings can be, one by one and with a reason:

\`\`\`toml
[lint]
allow = [{ code = "route/unauthenticated", at = "route.health", reason = "the load balancer has no key" }]
\`\`\`

\`at\` names the entity that the warning is about (\`route.NAME\`, \`service.NAME\`, \`listener.NAME\` ...). Without \`at\`, the code
is allowed everywhere. \`gw validate --fix\` applies the fixes marked as available; they never change the meaning of a spec.
`;
