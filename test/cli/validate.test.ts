import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gw, inFolder } from './kit.js';

const GOOD = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
[[route]]
match = "GET /orders"
to = "orders"
`;
const WARNS = `${GOOD}[plan.gold]\n`;

test('exit codes: 0 valid, 0 warnings, 1 errors, 1 denied warnings, 2 wrong usage', async () => {
  await inFolder({ 'gateway.toml': GOOD, 'warns.toml': WARNS, 'bad.toml': 'spec = 2\n' }, async (cwd) => {
    const fine = await gw(['validate'], { cwd });
    assert.equal(fine, { code: 0, out: 'gateway.toml: 1 route, 1 service, no problems\n', err: '' });
    assert.is((await gw(['validate', 'warns.toml'], { cwd })).code, 0);
    assert.is((await gw(['validate', 'warns.toml', '--deny-warnings'], { cwd })).code, 1);
    assert.is((await gw(['validate', 'bad.toml'], { cwd })).code, 1);
    assert.is((await gw(['validate', 'missing.toml'], { cwd })).code, 1);
    const wrong = await gw(['validate', '--format', 'xml'], { cwd });
    assert.is(wrong.code, 2);
    assert.match(wrong.err, 'pretty, json, sarif, github, junit');
  });
});

test('without a spec in the folder or its parents the message suggests gw init', async () => {
  await inFolder({}, async (cwd) => {
    const { code, err } = await gw(['validate'], { cwd });
    assert.is(code, 1);
    assert.match(err, 'gw init');
  });
});

test('--json equals --format json; colour appears only on terminals', async () => {
  await inFolder({ 'gateway.toml': WARNS }, async (cwd) => {
    const { out } = await gw(['validate', '--json'], { cwd });
    assert.is(JSON.parse(out).version, 1);
    assert.is(out, (await gw(['validate', '--format', 'json'], { cwd })).out);
    assert.not.match((await gw(['validate'], { cwd })).out, '\u001b');
    assert.match((await gw(['validate'], { cwd, color: true })).out, '\u001b[33m');
  });
});

test('--fix reports its changes on standard error', async () => {
  await inFolder({ 'gateway.toml': GOOD.replace('targets', 'targtes') }, async (cwd) => {
    const { code, out, err } = await gw(['validate', '--fix'], { cwd });
    assert.equal([code, err], [0, 'Fixed 1 problem in gateway.toml.\n']);
    assert.match(out, 'no problems');
  });
});

test('validate accepts folders and overlays', async () => {
  const files = { 'a/gateway.toml': GOOD, 'b/gateway.toml': GOOD, 'over.toml': '[plan.gold]\n' };
  await inFolder(files, async (cwd) => {
    const { out } = await gw(['validate', 'a', 'b', '--overlay', 'over.toml'], { cwd });
    assert.is(out.match(/--> over\.toml:1:7/g)?.length, 1);
  });
});

test('README.md shows what gw validate prints', async () => {
  const [, shown = ''] = /```\n\$ gw validate\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];
  const routes = ['get-order', '{id:int}', 'find-order', '{key:[0-9a-f]+}'];
  const route = (name?: string, parameter?: string): string =>
    `[[route]]\nname = "${name}"\nmatch = "GET /orders/${parameter}"\nto = "orders"\n`;
  const head = GOOD.slice(0, GOOD.indexOf('[[route]]'));
  // The places in README.md: lines 15 and 20.
  const spec = `${head}${'\n'.repeat(7)}${route(routes[0], routes[1])}\n${route(routes[2], routes[3])}`;
  await inFolder({ 'gateway.toml': spec }, async (cwd) => assert.is((await gw(['validate'], { cwd })).out, shown));
});

test.run();
