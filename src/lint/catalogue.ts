/** Every code that gw can report about a spec. */
import { policyDeclarations, SPEC_CODES } from '../spec/index.js';
import { ALLOW_CODES } from './allow.js';
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
    if (!byCode.has(code)) byCode.set(code, { code, severity, summary: summary.replace(/\.$/, '') });
  }
  return [...byCode.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
}

/** Where the page about a code stands, relative to the package. */
export const docsPage = (code: string): string => `docs/diagnostics/${code}.md`;
