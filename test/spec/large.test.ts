/** Diagnostics of large and hostile specs. A drill measures the time. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkSpec } from '../../src/lint/index.js';
import { inFolder } from './helper.js';

const HEAD = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
`;
const groups = (count: number): string =>
  Array.from(
    { length: count },
    (_, i) =>
      `[[group]]\nname = "g${i}"\nprefix = "/g${i}"\n[[group.route]]\nname = "r${i}"\nmatch = "/a"\nto = "orders"\n`,
  ).join('');

test('removals are found by the names of the spec, in any order, and repeated ones are reported', () => {
  const spec = `${HEAD}${groups(3)}`;
  const overlay = 'remove = ["group.g1", "route.r1", "group.g0.prefix", "route.r0", "route.r2.to", "route.r2"]\n';
  const { value, diagnostics } = inFolder({ 'gateway.toml': spec, 'over.toml': overlay }, (folder) =>
    checkSpec({ path: `${folder}/gateway.toml`, overlays: [`${folder}/over.toml`] }),
  );
  assert.equal(value?.routes, []);
  const found = diagnostics.filter(({ severity }) => severity === 'error');
  assert.is(found.length, 1);
  assert.match(found[0]!.message, '`route.r1`: an earlier entry already removes it');
});

test('an overlay section named like an Object property is an unknown key, not a crash', () => {
  const files = {
    'gateway.toml': `${HEAD}${groups(1)}`,
    'over.toml': '[constructor.x]\na = 1\n[__proto__.y]\nb = 1\n',
  };
  const { diagnostics } = inFolder(files, (folder) =>
    checkSpec({ path: `${folder}/gateway.toml`, overlays: [`${folder}/over.toml`] }),
  );
  assert.equal([...new Set(diagnostics.map(({ code }) => code))], ['schema/unknown-key']);
});

test('130,000 wrong entries of `remove` and `include` are reported, not thrown', () => {
  const wrong = `[${'1,'.repeat(130_000)}]`;
  const files = { 'gateway.toml': `include = ${wrong}\n${HEAD}${groups(1)}`, 'over.toml': `remove = ${wrong}\n` };
  const { diagnostics } = inFolder(files, (folder) =>
    checkSpec({ path: `${folder}/gateway.toml`, overlays: [`${folder}/over.toml`] }),
  );
  assert.is(diagnostics.filter(({ code }) => code === 'schema/type').length, 260_000);
});

test.run();
