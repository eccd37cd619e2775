/** Bundling of custom code: deterministic, self-contained, with located errors. */
import { symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildCode, namesCode } from '../../src/custom/bundle-code.js';
import { LOWER, policyWith, project, removeProjects, TENANT, write } from './project.js';

test.after(removeProjects);

const FILES = { 'policies/tenant.ts': TENANT, 'policies/lower.ts': LOWER };

test('the same sources give the same text in every folder, and no path of the machine', () => {
  const [a, b] = [project(FILES), project({ ...FILES, 'tsconfig.json': '{"compilerOptions":{"target":"es5"}}' })];
  const [one, two] = [buildCode('./policies/tenant.ts', a), buildCode('./policies/tenant.ts', b)];
  assert.ok(one.code);
  assert.is(one.code.text, two.code?.text);
  assert.not.match(one.code.text, a);
  const map = Buffer.from(one.code.text.split('base64,')[1]!, 'base64').toString();
  assert.not.match(map, a);
  assert.equal(one.files, [resolve(a, 'policies/lower.ts'), resolve(a, 'policies/tenant.ts')]);
});

test('a folder that is a symbolic link gives the same text', () => {
  const folder = project(FILES);
  const link = join(project({}), 'link');
  symlinkSync(folder, link);
  const [one, two] = [buildCode('./policies/tenant.ts', folder), buildCode('./policies/tenant.ts', link)];
  assert.is(one.code?.text, two.code?.text);
  assert.equal(two.files, [resolve(link, 'policies/lower.ts'), resolve(link, 'policies/tenant.ts')]);
  write(join(link, '..'), 'shared.ts', TENANT.replace('./lower.js', './link/policies/lower.js'));
  assert.equal(buildCode('../shared.ts', link).faults, []);
  assert.match(buildCode('../none.ts', link).faults[0]!.message, '`../none.ts` cannot be found');
  write(folder, 'policies/lower.ts', "import './gone.js';");
  assert.is(buildCode('./policies/tenant.ts', link).faults[0]?.place?.file, 'policies/lower.ts');
});

test('a package is found from the folder of the spec, with what it imports', () => {
  const folder = project({
    'node_modules/tenants/package.json': '{"name":"tenants","version":"1.0.0","main":"index.js"}',
    'node_modules/tenants/index.js': `const { definePolicy } = require('gw/policy'); module.exports = definePolicy({ summary: require('words') });`,
    'node_modules/words/package.json': '{"name":"words","version":"1.0.0"}',
    'node_modules/words/index.js': `module.exports = 'some words';`,
  });
  assert.ok(namesCode('tenants', folder));
  assert.not.ok(namesCode('rate-limt', folder));
  const { code, faults } = buildCode('tenants', folder);
  assert.equal(faults, []);
  assert.match(code!.text, 'some words');
});

test('a missing import is located, and the files that would satisfy it are watched', () => {
  const folder = project({ 'a.ts': policyWith('create: () => ({})', "import './gone.js';") });
  const { code, faults, files } = buildCode('./a.ts', folder);
  assert.is(code, undefined);
  assert.match(faults[0]!.message, '`./gone.js` cannot be found');
  assert.is(faults[0]!.place?.file, 'a.ts');
  assert.is(faults[0]!.place?.line, 3);
  assert.ok(files.includes(resolve(folder, 'gone.js')));
});

test('a file that does not exist is watched', () => {
  const folder = project({});
  const { faults, files } = buildCode('./none.ts', folder);
  assert.match(faults[0]!.message, '`./none.ts` cannot be found');
  assert.ok(files.includes(resolve(folder, 'none.ts')));
});

test('modules of Node that reach outside are refused, in dependencies too', () => {
  for (const name of ['node:fs', 'child_process', 'node:http', 'node:worker_threads', 'node:vm']) {
    const folder = project({
      'a.ts': policyWith('create: () => ({ value })', "import { value } from './b.js';"),
      'b.ts': `import * as value from '${name}';\nexport { value };\n`,
    });
    const { code, faults } = buildCode('./a.ts', folder);
    assert.is(code, undefined, name);
    assert.equal([faults[0]?.place?.file, faults[0]?.place?.line], ['b.ts', 1]);
  }
});

test.run();
