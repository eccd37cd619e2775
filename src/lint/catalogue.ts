/** Every code that gw can report about a spec. */
import { policyDeclarations, SPEC_CODES } from '../spec/index.js';
import { ALLOW_CODES } from './allow.js';
import { listIn } from './facts.js';
import type { CatalogueEntry } from './rule.js';
import { rules } from './rules/index.js';

let catalogue: readonly CatalogueEntry[] | undefined;

/** In alphabetical order, each code once. */
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
    ...policyDeclarations.map(({ codes }) => codes ?? []),
  ];
  for (const { code, severity, summary } of sources.flat()) {
    if (!byCode.has(code)) byCode.set(code, { code, severity, summary: sentence(summary) });
  }
  return [...byCode.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
}

/** Begins with a capital, ends without a full stop. */
const sentence = (summary: string): string => `${summary[0]!.toUpperCase()}${summary.slice(1)}`.replace(/\.$/, '');

/** Where the page about a code stands, relative to the package. */
export const docsPage = (code: string): string => `docs/diagnostics/${code}.md`;

/** The index of the pages, in Markdown. */
export function diagnosticsIndex(): string {
  const rooms = new Map<string, CatalogueEntry[]>();
  for (const entry of allCodes()) listIn(rooms, entry.code.slice(0, entry.code.indexOf('/'))).push(entry);
  const sections = [...rooms].map(([room, entries]) => {
    const rows = entries.map(
      ({ code, severity, summary }) =>
        `| [\`${code}\`](${code}.md) | ${severity} | ${summary.replaceAll('|', '\\|')} |`,
    );
    return `## ${room}\n\n| code | severity | |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `${INDEX_HEAD}\n${sections.join('\n')}`;
}

const INDEX_HEAD = `# Diagnostics

Everything that \`gw validate\` can say about a spec. Errors keep a spec from being compiled and cannot be silenced.
Warnings can, one by one and with a reason:

\`\`\`toml
[lint]
allow = [{ code = "route/unauthenticated", at = "route.health", reason = "the load balancer has no key" }]
\`\`\`

\`at\` names what the warning is about (\`route.NAME\`, \`service.NAME\`, \`listener.NAME\` ...); left out, the code is allowed
everywhere. A fix marked as available is applied by \`gw validate --fix\`; it never changes what a spec means.
`;
