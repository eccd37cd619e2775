/** gw policy: what `new` writes passes `test` and `validate` as it is. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { project, removeProjects } from '../custom/project.js';
import { gw } from './kit.js';

test.after(removeProjects);

const SPEC = 'spec = 1\n[listener.main]\naddress = "127.0.0.1:0"\n';
const ROUTE = '[[route]]\nmatch = "GET /hello"\nreply = { body = "hi" }\npolicies = ["tenant-check"]\n';

test('a new policy passes its tests, and the spec with what new prints is valid', async () => {
  const cwd = project({ 'gateway.toml': SPEC });
  const written = await gw(['policy', 'new', 'tenant-check'], { cwd });
  assert.is(written.code, 0, written.err);
  const table = /\[policy\.tenant-check\]\n(?:.+\n)+/.exec(written.out)?.[0] ?? '';
  writeFileSync(join(cwd, 'gateway.toml'), `${SPEC}${table}${ROUTE}`);
  const tested = await gw(['policy', 'test'], { cwd });
  assert.is(tested.code, 0, tested.out);
  assert.match(tested.out, '12 passed, 0 failed');
  const checked = await gw(['validate'], { cwd });
  assert.is(checked.code, 0, checked.out);
  const again = await gw(['policy', 'new', 'tenant-check'], { cwd });
  assert.is(again.code, 1);
  assert.match(again.err, 'policies/tenant-check.ts exists already');
});

test('a failure is located in the test, and gives exit code 1', async () => {
  const cwd = project({ 'gateway.toml': SPEC });
  await gw(['policy', 'new', 'a'], { cwd });
  const path = join(cwd, 'policies/a.test.ts');
  writeFileSync(path, readFileSync(path, 'utf8').replace('assert.equal(status, 200)', 'assert.equal(status, 201)'));
  const { code, out } = await gw(['policy', 'test', 'a'], { cwd });
  assert.is(code, 1);
  assert.match(out, /FAIL {2}a known tenant passes/);
  assert.match(out, 'at policies/a.test.ts:12:');
  assert.match(out, '11 passed, 1 failed');
  const json = JSON.parse((await gw(['policy', 'test', 'a', '--json'], { cwd })).out) as { passed: boolean };
  assert.is(json.passed, false);
});

test('wrong usage is explained', async () => {
  const cwd = project({ 'gateway.toml': SPEC });
  assert.is((await gw(['policy', 'new'], { cwd })).code, 2);
  assert.is((await gw(['policy', 'new', '../x'], { cwd })).code, 2);
  assert.is((await gw(['policy', 'run'], { cwd })).code, 2);
  const none = await gw(['policy', 'test'], { cwd });
  assert.is(none.code, 1);
  assert.match(none.err, 'gw policy new NAME');
});

test.run();
