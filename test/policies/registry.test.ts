import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import toml from 'toml';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PHASES } from '../../src/bundle/types.js';
import { declarationOf, declarations } from '../../src/policies/registry.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { Decoder } from '../../src/schema/decoder.js';
import { INVALID } from '../../src/schema/schema.js';
import { context, node } from './support.js';

const folders = readdirSync('src/policies', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

test('the registries are what npm run registry writes', () => {
  const check = spawnSync(process.execPath, ['scripts/registry.mjs', '--check'], { encoding: 'utf8' });
  assert.is(check.stderr, '');
  assert.is(check.status, 0);
});

test('both registries know every folder, by its name', () => {
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
    assert.match(declaration.summary, /\.$/);
    for (const { code, summary } of declaration.codes ?? []) {
      assert.match(code, /^[a-z-]+\/[a-z-]+$/);
      assert.match(summary, /\.$/);
    }
  }
});

test('run halves load no compile half', () => {
  for (const use of folders) {
    const source = readFileSync(`src/policies/${use}/run.ts`, 'utf8');
    for (const [, what, from] of source.matchAll(/^(import|export)[^;]*? from '([^']+)';/gm)) {
      assert.is(what, 'import');
      if (/^\.\.?\/(run-kit|address)\.js$/.test(from!) || from!.startsWith('node:')) continue;
      assert.match(source, new RegExp(`import type [^;]*from '${from!.replaceAll('.', '\\.')}'`), `${use}: ${from}`);
    }
  }
});

test('every README has an example whose policy decodes without a complaint', () => {
  for (const use of folders) {
    const readme = readFileSync(`src/policies/${use}/README.md`, 'utf8');
    const example = /```toml\n([\s\S]*?)```/.exec(readme)?.[1];
    assert.ok(example, `${use} has no example`);
    const spec = toml.parse(example) as { policy: { [name: string]: { use: string } } };
    const uses = Object.values(spec.policy).filter((policy) => policy.use === use);
    assert.is(uses.length, 1, use);
    const { use: _, ...keys } = uses[0]!;
    const declaration = declarationOf(use)!;
    const tree = node(keys);
    const decoder = new Decoder(tree);
    const config = declaration.schema.decode(tree, decoder);
    assert.equal(decoder.diagnostics, [], use);
    assert.is.not(config, INVALID);
    const problems: unknown[] = [];
    declaration.lint?.(config, context(), (problem) => problems.push(problem));
    assert.equal(problems, [], use);
    assert.ok(declaration.compile(config, context()), use);
  }
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
