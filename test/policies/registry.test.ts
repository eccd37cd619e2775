import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PHASES } from '../../src/bundle/types.js';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';
import { declarationOf, declarations } from '../../src/policies/registry.js';
import { runHalves } from '../../src/policies/run-registry.js';

const folders = readdirSync('src/policies', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !['kits', 'run-kit'].includes(entry.name))
  .map((entry) => entry.name)
  .sort();

test('the registries are up to date', () => {
  const check = spawnSync(process.execPath, ['scripts/registry.mjs', '--check'], { encoding: 'utf8' });
  assert.is(check.stderr, '');
  assert.is(check.status, 0);
});

test('both registries contain every folder by name', () => {
  assert.equal(
    declarations.map((declaration) => declaration.use),
    folders,
  );
  assert.equal(Object.keys(runHalves).sort(), folders);
  for (const use of folders) assert.is(declarationOf(use)?.use, use);
  assert.is(declarationOf('constructor'), undefined);
});

test('every declaration is complete', () => {
  for (const declaration of declarations) {
    assert.ok(PHASES.includes(declaration.phase));
    assert.match(declaration.summary, /[^.]$/);
    for (const { code, summary } of declaration.codes ?? []) {
      assert.match(code, /^[a-z-]+\/[a-z-]+$/);
      assert.match(summary, /[^.]$/);
    }
  }
});

test('run parts load no compile part', () => {
  for (const use of folders) {
    const source = readFileSync(`src/policies/${use}/run.ts`, 'utf8');
    for (const [, what, from] of source.matchAll(/^(import|export)[^;]*? from '([^']+)';/gm)) {
      assert.is(what, 'import');
      if (/^(\.\.\/(run-kit\.js|kits\/.*)|\.\/(?!index\.|schema\.).*)$/.test(from!) || from!.startsWith('node:'))
        continue;
      assert.match(source, new RegExp(`import type [^;]*from '${from!.replaceAll('.', '\\.')}'`), `${use}: ${from}`);
    }
  }
});

test('the spec in every README is valid and compiles to that policy', () => {
  for (const use of folders) {
    const readme = readFileSync(`src/policies/${use}/README.md`, 'utf8');
    const text = /```toml\n([\s\S]*?)```/.exec(readme)?.[1];
    assert.ok(text, `${use} has no example`);
    // Files that the example names: their name in code, then their text.
    const files = [...readme.matchAll(/`([^`\n]+)`:\n\n```(?:json|yaml|html|txt)\n([\s\S]*?)```/g)];
    const named = new Map(files.map(([, path, content]) => [resolve(path!), content!]));
    const readNamed = (path: string) => named.get(path) ?? `${path} is not in the README`;
    const { value: model, diagnostics } = checkSpec({ path: 'gateway.toml', text, readNamed });
    assert.equal(diagnostics, [], use);
    const { program } = compile(model!).bundle;
    const found = program.policies.filter((policy) => policy.use === use);
    assert.is(found.length, 1, use);
    assert.is(found[0]!.phase, declarationOf(use)!.phase);
    assert.ok(program.routes.every((route) => route.policies.length > 0 || route.answers !== undefined));
  }
});

test('further examples of a README are valid too, as far as they are whole', () => {
  let whole = 0;
  for (const use of folders) {
    const readme = readFileSync(`src/policies/${use}/README.md`, 'utf8');
    const [, ...further] = [...readme.matchAll(/```toml\n([\s\S]*?)```/g)].map(([, text]) => text!);
    for (const text of further.filter((one) => one.startsWith('spec = 1'))) {
      whole++;
      assert.equal(checkSpec({ path: 'gateway.toml', text }).diagnostics, [], use);
    }
  }
  assert.ok(whole >= 4, `${whole} examples`);
});

test('every README names every key', () => {
  for (const declaration of declarations) {
    const readme = readFileSync(`src/policies/${declaration.use}/README.md`, 'utf8');
    const schema = declaration.schema.jsonSchema() as { properties: { [key: string]: unknown } };
    for (const key of Object.keys(schema.properties))
      assert.ok(readme.includes(`\`${key}\``), `${declaration.use}: ${key}`);
  }
});

test.run();
