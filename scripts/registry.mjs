#!/usr/bin/env node
// Writes the registries of src/policies and src/actions from the folders there. With --check it only compares.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const HALVES = ['schema.ts', 'index.ts', 'run.ts', 'README.md'];
/** Folders that are no policies. */
const SHARED = new Set(['kits', 'run-kit']);
const check = process.argv.includes('--check');
let stale = false;

write('policies', 'policy', 'PolicyDeclaration', 'CreatePolicy', './contract.js');
write('actions', 'action', 'ActionDeclaration', 'CreateAction', '../policies/contract.js');
process.exitCode = stale && check ? 1 : 0;

/** `room`: folder in src with one folder per `word`. `contract`: module with the two types. */
function write(room, word, declaration, create, contract) {
  const folder = join(root, 'src', room);
  const kinds = kindsIn(folder, room, word);
  const files = {
    'registry.ts': `/** The kinds of ${word}, compile halves. Derived: \`npm run registry\` writes it from the folders here. */
${kinds.map((kind) => `import ${camel(kind)} from './${kind}/index.js';`).join('\n')}
import type { ${declaration} } from '${contract}';

${declarationList(kinds.map(camel), declaration)}

export const declarationOf = (use: string): ${declaration} | undefined =>
  declarations.find((declaration) => declaration.use === use);
`,
    'run-registry.ts': `/** The kinds of ${word}, run halves. Derived: \`npm run registry\` writes it from the folders here. */
${kinds.map((kind) => `import { create as ${camel(kind)} } from './${kind}/run.js';`).join('\n')}
import type { ${create} } from '${contract}';

export const runHalves: { readonly [use: string]: ${create} } = {
${kinds.map((kind) => `  ${entry(kind)},`).join('\n')}
};
`,
  };
  if (word === 'policy') files['duty-registry.ts'] = dutyRegistry(folder, kinds, contract);
  for (const [name, wanted] of Object.entries(files)) {
    const path = join(folder, name);
    const text = sortImports(wanted);
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue;
    stale = true;
    if (check) console.error(`src/${room}/${name} is not current: npm run registry`);
    else writeFileSync(path, text);
  }
}

function kindsIn(folder, room, word) {
  const kinds = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !SHARED.has(entry.name))
    .map((entry) => entry.name)
    .sort();
  for (const kind of kinds) {
    for (const file of HALVES) {
      if (existsSync(join(folder, kind, file))) continue;
      console.error(`src/${room}/${kind} lacks ${file}: the files of a ${word} are ${HALVES.join(', ')}.`);
      process.exit(1);
    }
  }
  return kinds;
}

function dutyRegistry(folder, kinds, contract) {
  const withDuty = kinds.filter((kind) => existsSync(join(folder, kind, 'duty.ts')));
  const list = withDuty.length === 0 ? '{}' : `{\n${withDuty.map((kind) => `  ${entry(kind)},`).join('\n')}\n}`;
  return `/** The kinds of policy, duty halves, for the control thread. Derived: \`npm run registry\` writes it from the folders here. */
${withDuty.map((kind) => `import { createDuty as ${camel(kind)} } from './${kind}/duty.js';\n`).join('')}import type { CreateDuty } from '${contract}';

export const dutyHalves: { readonly [use: string]: CreateDuty } = ${list};
`;
}

function camel(kind) {
  return kind.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

function entry(kind) {
  const key = /^[a-z]+$/.test(kind) ? kind : `'${kind}'`;
  return key === camel(kind) ? key : `${key}: ${camel(kind)}`;
}

// As the formatter breaks it: on one line while that is no longer than 120 characters.
function declarationList(names, declaration) {
  const head = `export const declarations: readonly ${declaration}[] = [`;
  const line = `${head}${names.join(', ')}];`;
  return line.length <= 120 ? line : `${head}\n${names.map((name) => `  ${name},`).join('\n')}\n];`;
}

/** Imports are in the order that the formatter wants: parent folders first, then by path. */
function sortImports(text) {
  const lines = text.split('\n');
  const isImport = (line) => line.startsWith('import ');
  const path = (line) => /from '(.*)'/.exec(line)[1];
  const sorted = lines.filter(isImport).sort((a, b) => (path(a) < path(b) ? -1 : 1));
  return lines.map((line) => (isImport(line) ? sorted.shift() : line)).join('\n');
}
