/** gw keys: what it prints, and where. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isKey } from '../../src/key-format.js';
import { project, removeProjects } from '../custom/project.js';
import { gw } from './kit.js';

test.after(removeProjects);

const SPEC = 'spec = 1\nconsumers = "consumers/*.toml"\n[listener.main]\naddress = "127.0.0.1:0"\n[plan.pro]\n';
const ACME = '[consumer.acme]\nplan = "pro"\n';

test('a key is alone on standard output, and nowhere else', async () => {
  const cwd = project({ 'gateway.toml': SPEC, 'consumers/acme.toml': ACME });
  const made = await gw(['keys', 'new', 'acme', '--name', 'ci', '--addresses', '10.0.0.0/8, ::1'], { cwd });
  assert.is(made.code, 0, made.err);
  assert.ok(isKey(made.out.trim()), made.out);
  assert.match(made.err, 'Key ci of consumer acme, valid without an end. It is stored nowhere else:');
  assert.match(made.err, 'Its hash is in consumers/acme.toml.');
  assert.not.match(made.err, made.out.trim());
  const file = readFileSync(join(cwd, 'consumers/acme.toml'), 'utf8');
  assert.not.match(file, made.out.trim());
  assert.match(file, 'addresses = ["10.0.0.0/8", "::1"]');
  const quiet = await gw(['keys', 'new', 'acme', '--quiet'], { cwd });
  assert.is(quiet.err, '');
  const { key, ...rest } = JSON.parse((await gw(['keys', 'new', 'acme', '--expires', '90d', '--json'], { cwd })).out);
  assert.ok(isKey(key));
  assert.equal(
    { ...rest, expires: typeof rest.expires },
    { version: 1, consumer: 'acme', name: 'key-3', expires: 'string', created: false, file: 'consumers/acme.toml' },
  );
});

test('the list shows states, never a hash', async () => {
  const cwd = project({ 'gateway.toml': `${SPEC}[consumer.empty]\n`, 'consumers/acme.toml': ACME });
  await gw(['keys', 'new', 'acme', '--name', 'ci', '--expires', '90d'], { cwd });
  await gw(['keys', 'rotate', 'acme', 'ci', '--expires', 'never'], { cwd });
  const all = await gw(['keys', 'list'], { cwd });
  assert.match(all.out, /^CONSUMER +NAME +KIND +STATE +EXPIRES +ADDRESSES +FILE\n/);
  assert.match(all.out, /\nempty +- +- +no credential +gateway\.toml\n/);
  assert.match(
    all.out,
    /\nacme +ci-old +key +active +\d{4}-\d\d-\d\d \d\d:\d\d UTC \(in 1d\) +consumers\/acme\.toml\n/,
  );
  assert.match(all.out, /\nacme +ci +key +active +never +consumers\/acme\.toml\n/);
  assert.not.match(all.out, 'sha256');
  const json = JSON.parse((await gw(['keys', 'list', 'acme', '--json'], { cwd })).out);
  assert.equal(
    json.consumers[0].credentials.map(({ name }: { name: string }) => name),
    ['ci-old', 'ci'],
  );
  assert.not.match(JSON.stringify(json), 'sha256');
});

test('a revoked key is gone', async () => {
  const cwd = project({ 'gateway.toml': SPEC, 'consumers/acme.toml': ACME });
  await gw(['keys', 'new', 'acme', '--name', 'ci'], { cwd });
  const { code, out } = await gw(['keys', 'revoke', 'acme', 'ci'], { cwd });
  assert.equal([code, out], [0, 'Revoked ci of consumer acme: its hash is no longer in consumers/acme.toml.\n']);
  assert.is(readFileSync(join(cwd, 'consumers/acme.toml'), 'utf8'), ACME);
  const again = await gw(['keys', 'revoke', 'acme', 'ci'], { cwd });
  assert.equal([again.code, again.err], [1, 'gw: Consumer acme has no credential ci. It has none.\n']);
});

test('revoking the newer key says that the one before it is still valid', async () => {
  const cwd = project({ 'gateway.toml': SPEC, 'consumers/acme.toml': ACME });
  await gw(['keys', 'new', 'acme', '--name', 'ci'], { cwd });
  await gw(['keys', 'rotate', 'acme', 'ci'], { cwd });
  const { err } = await gw(['keys', 'revoke', 'acme', 'ci'], { cwd });
  assert.match(
    err,
    /^The key before it, ci-old, is still valid until \d{4}-\d\d-\d\d \d\d:\d\d UTC\. To end it too: gw keys revoke acme ci-old$/m,
  );
  await gw(['keys', 'new', 'acme', '--name', 'ci'], { cwd });
  const json = JSON.parse((await gw(['keys', 'revoke', 'acme', 'ci', '--json'], { cwd })).out);
  assert.is(json.old.name, 'ci-old');
  assert.ok(Date.parse(json.old.expires) > Date.now());
  await gw(['keys', 'revoke', 'acme', 'ci-old'], { cwd });
  await gw(['keys', 'new', 'acme', '--name', 'ci'], { cwd });
  const last = await gw(['keys', 'revoke', 'acme', 'ci', '--json'], { cwd });
  assert.is(JSON.parse(last.out).old, null);
});

test('wrong usage and refusals', async () => {
  const cwd = project({ 'gateway.toml': SPEC, 'consumers/acme.toml': ACME });
  const cases: readonly [string[], number, string][] = [
    [['new'], 2, 'Name the consumer: gw keys new CONSUMER.'],
    [['revoke', 'acme'], 2, 'Name the key: gw keys revoke acme NAME.'],
    [['list', 'acme', 'ci'], 2, 'gw keys list takes no second name.'],
    [['new', 'acme', 'ci'], 2, 'gw keys new takes no second name. The name of the key is an option: --name ci.'],
    [['list', '--name', 'x'], 2, '--name is not for gw keys list.'],
    [['new', 'acme', '--plan', 'pro'], 2, 'add --create'],
    [['new', 'acme', '--addresses', ''], 2, '--addresses has an empty item'],
    [['new', 'acme', '--addresses', '10.0.0.1,'], 2, '--addresses has an empty item'],
    [['new', 'bolt'], 1, 'There is no consumer bolt. Add --create to create it.'],
    [['list', 'bolt'], 1, 'There is no consumer bolt.'],
    [['new', 'acme', '--expires', 'soon'], 1, '`soon` is no time'],
    [['list', '--spec', 'missing.toml'], 1, 'missing.toml'],
  ];
  for (const [words, code, message] of cases) {
    const ran = await gw(['keys', ...words], { cwd });
    assert.is(ran.code, code, words.join(' '));
    assert.match(ran.err, message);
    assert.is(ran.out, '');
  }
});

test('gw explain and completion know consumers of files', async () => {
  const route =
    '[policy.keys]\nuse = "api-key"\n[[route]]\nname = "a"\nmatch = "GET /a"\nreply = { body = "a" }\npolicies = ["keys"]\n';
  const cwd = project({ 'gateway.toml': `${SPEC}${route}`, 'consumers/acme.toml': ACME });
  const { out } = await gw(['keys', 'new', 'acme', '--quiet'], { cwd });
  const explained = await gw(['explain', 'GET', '/a', '-H', `x-api-key: ${out.trim()}`], { cwd });
  assert.match(explained.out, 'API key of acme');
  const completed = await gw(['complete', 'consumers', '--', 'gw', 'keys', 'new'], { cwd });
  assert.is(completed.out, 'acme\n');
});

test('a new consumer', async () => {
  const cwd = project({ 'gateway.toml': SPEC });
  const made = await gw(['keys', 'new', 'bolt', '--create', '--plan', 'pro', '--groups', 'partners,beta'], { cwd });
  assert.is(made.code, 0, made.err);
  assert.match(made.err, 'New consumer bolt in consumers/bolt.toml.');
  assert.match(readFileSync(join(cwd, 'consumers/bolt.toml'), 'utf8'), 'groups = ["partners", "beta"]');
  const bundle = await gw(['compile', '--include-consumers', '-q'], { cwd });
  assert.is(bundle.code, 0, bundle.err);
  const inspected = await gw(['inspect', 'gateway.bundle', '--json'], { cwd });
  assert.match(inspected.out, 'bolt');
  await gw(['compile', '-q'], { cwd });
  const without = await gw(['inspect', 'gateway.bundle', '--json'], { cwd });
  assert.not.match(without.out, 'bolt');
});

test('a change beside a file with errors says that a running gateway does not follow', async () => {
  const cwd = project({ 'gateway.toml': SPEC, 'consumers/acme.toml': ACME, 'consumers/bad.toml': '[consumer.bad' });
  const warning = /^gw: The spec or a file of consumers has errors: a running gateway does not follow/m;
  for (const action of [
    ['new', 'acme', '--name', 'ci'],
    ['rotate', 'acme', 'ci', '--quiet'],
    ['revoke', 'acme', 'ci', '--json'],
  ]) {
    const { code, err } = await gw(['keys', ...action], { cwd });
    assert.is(code, 0, err);
    assert.match(err, warning, action.join(' '));
  }
  const fine = project({ 'gateway.toml': SPEC, 'consumers/acme.toml': ACME });
  assert.not.match((await gw(['keys', 'new', 'acme'], { cwd: fine })).err, warning);
});

test.run();
