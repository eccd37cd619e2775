import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { declarationOf, declarations } from '../../src/actions/registry.js';
import { runHalves } from '../../src/actions/run-registry.js';
import { compile } from '../../src/compiler/index.js';
import { checkSpec } from '../../src/lint/index.js';

const folders = readdirSync('src/actions', { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name)
  .sort();

test('both registries contain every folder by name', () => {
  assert.equal(
    declarations.map((declaration) => declaration.use),
    folders,
  );
  assert.equal(Object.keys(runHalves).sort(), folders);
  for (const use of folders) assert.is(declarationOf(use)?.use, use);
  assert.is(declarationOf('constructor'), undefined);
});

test('every declaration is complete, and no two have the same key', () => {
  for (const { codes = [], summary } of declarations) {
    assert.match(summary, /[^.]$/);
    for (const code of codes) {
      assert.match(code.code, /^[a-z-]+\/[a-z-]+$/);
      assert.match(code.summary, /[^.]$/);
    }
  }
  const keys = declarations.map(({ key, use }) => key ?? use);
  assert.is(new Set([...keys, 'action']).size, declarations.length + 1);
});

test('the spec in every README is valid and compiles to that action', () => {
  for (const use of folders) {
    const readme = readFileSync(`src/actions/${use}/README.md`, 'utf8');
    const text = /```toml\n([\s\S]*?)```/.exec(readme)?.[1];
    assert.ok(text, `${use} has no example`);
    // Files that the example names: their name in code, then their text.
    const files = [...readme.matchAll(/`([^`\n]+)`:\n\n```(?:json|yaml)\n([\s\S]*?)```/g)];
    const named = new Map(files.map(([, path, content]) => [resolve(path!), content!]));
    const readNamed = (path: string) => named.get(path) ?? `${path} is not in the README`;
    const { value: model, diagnostics } = checkSpec({ path: 'gateway.toml', text, readNamed });
    assert.equal(diagnostics, [], use);
    const { program } = compile(model!).bundle;
    assert.ok(
      program.routes.some(({ action }) => action.use === use),
      use,
    );
  }
});

test('every README names every key', () => {
  for (const declaration of declarations) {
    const readme = readFileSync(`src/actions/${declaration.use}/README.md`, 'utf8');
    const schema = declaration.schema.jsonSchema() as { properties: { [key: string]: unknown } };
    for (const key of Object.keys(schema.properties))
      assert.ok(readme.includes(`\`${key}\``), `${declaration.use}: ${key}`);
  }
});

test('an action is set by its key, or by action with use', () => {
  const HEAD = 'spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n[service.a]\ntargets = ["http://127.0.0.1:1"]\n';
  const actionOf = (text: string) => {
    const { value, diagnostics } = checkSpec({ path: 'gateway.toml', text: `${HEAD}[[route]]\nmatch = "/x"\n${text}` });
    assert.equal(diagnostics, []);
    return compile(value!).bundle.program.routes[0]!;
  };
  const short = actionOf('to = "a"');
  assert.is(short.service, 0);
  assert.equal({ ...short.action }, { settings: null, summary: 'forwards to a', use: 'proxy' });
  assert.equal(actionOf('action = { use = "proxy", service = "a" }').action, short.action);
});

test.run();
