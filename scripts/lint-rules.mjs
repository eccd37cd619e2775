// Writes src/lint/rules/index.ts from the files beside it: `node scripts/lint-rules.mjs [--check]`.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('../src/lint/rules/', import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && file !== 'index.ts')
  .map((file) => file.slice(0, -'.ts'.length))
  .sort();
const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
const text = [
  '/** Every rule. Derived: `node scripts/lint-rules.mjs` writes it from the files here. */',
  "import type { Rule } from '../rule.js';",
  ...names.map((name) => `import ${camel(name)} from './${name}.js';`),
  '',
  'export const rules: readonly Rule[] = [',
  ...names.map((name) => `  ${camel(name)},`),
  '];',
  '',
].join('\n');

const index = new URL('index.ts', folder);
if (process.argv.includes('--check')) {
  if (readFileSync(index, 'utf8') !== text) {
    console.error('src/lint/rules/index.ts is stale: run `node scripts/lint-rules.mjs`.');
    process.exitCode = 1;
  }
} else {
  writeFileSync(index, text);
}
