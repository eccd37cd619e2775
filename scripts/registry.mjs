#!/usr/bin/env node
// Writes src/policies/registry.ts, run-registry.ts and duty-registry.ts from the folders in src/policies. With --check it only compares.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const policies = join(root, 'src', 'policies');
const HALVES = ['schema.ts', 'index.ts', 'run.ts', 'README.md'];

const kinds = readdirSync(policies, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'kits')
  .map((entry) => entry.name)
  .sort();
for (const kind of kinds) {
  for (const file of HALVES) {
    if (existsSync(join(policies, kind, file))) continue;
    console.error(`src/policies/${kind} lacks ${file}: a policy is ${HALVES.join(', ')}.`);
    process.exit(1);
  }
}

const withDuty = kinds.filter((kind) => existsSync(join(policies, kind, 'duty.ts')));

const camel = (kind) => kind.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const key = (kind) => (/^[a-z]+$/.test(kind) ? kind : `'${kind}'`);
const entry = (kind) => (key(kind) === camel(kind) ? camel(kind) : `${key(kind)}: ${camel(kind)}`);

const files = {
  'registry.ts': `/** The kinds of policy, compile halves. Derived: \`npm run registry\` writes it from the folders here. */
${kinds.map((kind) => `import ${camel(kind)} from './${kind}/index.js';`).join('\n')}
import type { PolicyDeclaration } from './contract.js';

${declarationList()}

export const declarationOf = (use: string): PolicyDeclaration | undefined =>
  declarations.find((declaration) => declaration.use === use);
`,
  'run-registry.ts': `/** The kinds of policy, run halves. Derived: \`npm run registry\` writes it from the folders here. */
${kinds.map((kind) => `import { create as ${camel(kind)} } from './${kind}/run.js';`).join('\n')}
import type { CreatePolicy } from './contract.js';

export const runHalves: { readonly [use: string]: CreatePolicy } = {
${kinds.map((kind) => `  ${entry(kind)},`).join('\n')}
};
`,
};

// As the formatter breaks it: on one line while that is no longer than 120 characters.
function declarationList() {
  const head = 'export const declarations: readonly PolicyDeclaration[] = [';
  const names = kinds.map(camel);
  const line = `${head}${names.join(', ')}];`;
  return line.length <= 120 ? line : `${head}\n${names.map((name) => `  ${name},`).join('\n')}\n];`;
}

files['duty-registry.ts'] =
  `/** The kinds of policy, duty halves, for the control thread. Derived: \`npm run registry\` writes it from the folders here. */
${withDuty.map((kind) => `import { createDuty as ${camel(kind)} } from './${kind}/duty.js';\n`).join('')}import type { CreateDuty } from './contract.js';

${withDuty.length === 0 ? 'export const dutyHalves: { readonly [use: string]: CreateDuty } = {};' : dutyList()}
`;

function dutyList() {
  return `export const dutyHalves: { readonly [use: string]: CreateDuty } = {
${withDuty.map((kind) => `  ${entry(kind)},`).join('\n')}
};`;
}

let stale = false;
for (const [name, wanted] of Object.entries(files)) {
  const path = join(policies, name);
  // Imports are in the order that the formatter wants: by path, contract.js among the folders.
  const text = sortImports(wanted);
  const current = existsSync(path) ? readFileSync(path, 'utf8') : '';
  if (current === text) continue;
  stale = true;
  if (process.argv.includes('--check')) console.error(`src/policies/${name} is not current: npm run registry`);
  else writeFileSync(path, text);
}
process.exitCode = stale && process.argv.includes('--check') ? 1 : 0;

function sortImports(text) {
  const lines = text.split('\n');
  const isImport = (line) => line.startsWith('import ');
  const path = (line) => /from '(.*)'/.exec(line)[1];
  const sorted = lines.filter(isImport).sort((a, b) => (path(a) < path(b) ? -1 : 1));
  return lines.map((line) => (isImport(line) ? sorted.shift() : line)).join('\n');
}
