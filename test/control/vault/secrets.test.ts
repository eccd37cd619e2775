import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { VaultEntry } from '../../../src/bundle/vault.js';
import { dutyFetch } from '../../../src/control/duties/fetch.js';
import { VaultSecrets } from '../../../src/control/vault/secrets.js';
import { ManualTime } from '../../support/manual-time.js';
import { until } from '../../support/until.js';
import { VaultServer } from '../../support/vault.js';
import { KeptLog, removeFolders, temporaryFolder } from '../kit.js';

let vault: VaultServer;
let address: string;
let time: ManualTime;
let log: KeptLog;
let secrets: VaultSecrets;
let changes: number;
let retries: number;

test.before.each(async () => {
  vault = new VaultServer();
  address = await vault.open();
  time = new ManualTime();
  log = new KeptLog();
  [changes, retries] = [0, 0];
  const world = { clock: time.clock, log, random: () => 0.5, after: time.after, fetch: dutyFetch };
  secrets = new VaultSecrets(
    world,
    () => void changes++,
    () => void retries++,
  );
});
test.after.each(() => {
  secrets.close();
  vault.close();
});
test.after(removeFolders);

const entry = (more: Partial<VaultEntry> = {}): VaultEntry => ({
  address,
  login: { method: 'token', token: vault.issue('root') },
  refresh: 60_000,
  timeout: 2000,
  ...more,
});

/** Lets time pass, and waits until the requests that it caused are answered. */
async function pass(ms: number): Promise<void> {
  const before = secrets.snapshot?.runs ?? 0;
  await time.pass(ms);
  await until(() => secrets.snapshot?.active !== true && (secrets.snapshot?.runs ?? 0) > before, 'a round of requests');
}

test('a secret is a path and a key of its newest version', async () => {
  vault.write('secret/shop/db', { password: 'old' });
  vault.write('secret/shop/db', { password: 's3cret', port: 5432, more: {} });
  const found = await secrets.prepare(entry({ namespace: 'team' }), '/', [
    'secret/shop/db#password',
    'secret/shop/db#port',
    'secret/shop/db#more',
    'secret/shop/db#none',
    'secret/shop/other#x',
  ]);
  assert.equal(found.find('secret/shop/db#password'), { value: 's3cret' });
  assert.equal(found.find('secret/shop/db#port'), { value: '5432' });
  assert.match(found.find('secret/shop/db#more').problem ?? '', /has no text with the key `more`/);
  assert.match(found.find('secret/shop/db#none').problem ?? '', /has no text with the key `none`/);
  assert.match(
    found.find('secret/shop/other#x').problem ?? '',
    /cannot be read: there is no such secret \(status 404\)/,
  );
  assert.is(vault.requests.filter((one) => one.includes('/secret/data/shop/db')).length, 1, 'one request for a path');
  assert.ok(vault.namespaces.every((one) => one === 'team'));
  found.abandon();
});

test('the mount is the first segment, or as it is given', async () => {
  vault.write('kv/team/db', { password: 'x' });
  const found = await secrets.prepare(entry({ mount: 'kv/team' }), '/', ['kv/team/db#password']);
  assert.ok(vault.requests.includes('GET /v1/kv/team/data/db'));
  found.abandon();
});

test('an AppRole and a service account log in; a wrong secret id does not', async () => {
  vault.write('secret/a', { x: '1' });
  vault.roles.add('role secret');
  vault.roles.add('gw jwt-of-the-pod');
  const approle = (secretId: string): VaultEntry =>
    entry({ login: { method: 'approle', mount: 'approle', roleId: 'role', secretId } });
  const first = await secrets.prepare(approle('secret'), '/', ['secret/a#x']);
  assert.equal(first.find('secret/a#x'), { value: '1' });
  assert.ok(vault.requests.includes('POST /v1/auth/approle/login'));
  first.abandon();
  const wrong = await secrets.prepare(approle('guess'), '/', ['secret/a#x']);
  assert.match(wrong.find('secret/a#x').problem ?? '', /cannot be read: the login is refused \(status 400\)/);
  vault.outage = (reply) => reply.writeHead(404).end('{"errors":[]}');
  const nowhere = await secrets.prepare(approle('secret'), '/', ['secret/a#x']);
  assert.match(nowhere.find('secret/a#x').problem ?? '', /there is no such auth method \(status 404\)/);
  nowhere.abandon();
  vault.outage = undefined;
  wrong.abandon();
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'token'), 'jwt-of-the-pod\n');
  const pod = entry({ login: { method: 'kubernetes', mount: 'k8s/eu', role: 'gw', jwt: 'token' } });
  const third = await secrets.prepare(pod, folder, ['secret/a#x']);
  assert.equal(third.find('secret/a#x'), { value: '1' });
  assert.ok(vault.requests.includes('POST /v1/auth/k8s/eu/login'));
  third.abandon();
});

test('another version of a secret in use is a change; the same value is none', async () => {
  vault.write('secret/a', { x: '1' });
  vault.write('secret/b', { x: '1' });
  const found = await secrets.prepare(entry(), '/', ['secret/a#x']);
  found.commit();
  await pass(60_000);
  assert.is(changes, 0);
  vault.write('secret/b', { x: '2' });
  await pass(60_000);
  assert.is(changes, 0, 'a secret that is not in use');
  vault.write('secret/a', { x: '2' });
  await pass(60_000);
  assert.is(changes, 1);
  const again = await secrets.prepare(entry(), '/', ['secret/a#x']);
  assert.equal(again.find('secret/a#x'), { value: '2' });
  again.commit();
});

test('during an outage the last values stay, requests slow down, and what is new cannot be read', async () => {
  vault.write('secret/a', { x: '1' });
  const found = await secrets.prepare(entry({ refresh: 10_000 }), '/', ['secret/a#x']);
  found.commit();
  vault.outage = (reply) => reply.writeHead(503).end('{"errors":["Vault is sealed"]}');
  await pass(10_000);
  assert.is(changes, 0);
  assert.match(secrets.snapshot?.lastError?.cause ?? '', /secret\/a: Vault answers with status 503/);
  assert.is(secrets.snapshot?.failing, true);
  const before = vault.requests.length;
  await pass(1000);
  await pass(2000);
  assert.is(vault.requests.length, before + 2, 'the wait doubles');
  const again = await secrets.prepare(entry({ refresh: 10_000 }), '/', ['secret/a#x', 'secret/new#x']);
  assert.equal(again.find('secret/a#x'), { value: '1' });
  assert.match(again.find('secret/new#x').problem ?? '', /status 503/);
  again.abandon();
  vault.outage = undefined;
  await pass(4000);
  assert.is(secrets.snapshot?.failing, false);
  assert.equal(
    log.lines.filter(({ level }) => level !== 'debug').map(({ message }) => message),
    ['vault cannot be read, the last values stay in use', 'vault can be read again'],
  );
});

test('a secret that was removed does not delay the others', async () => {
  vault.write('secret/a', { x: '1' });
  vault.write('secret/b', { x: '1' });
  (await secrets.prepare(entry({ refresh: 2000 }), '/', ['secret/a#x', 'secret/b#x'])).commit();
  vault.remove('secret/a');
  for (let round = 0; round < 8; round++) await pass(2000);
  assert.is(secrets.snapshot?.failing, true);
  vault.write('secret/b', { x: '2' });
  await pass(2000);
  assert.is(changes, 1);
});

test('a token that may not read a secret is no missing secret', async () => {
  vault.outage = (reply) => reply.writeHead(403).end('{"errors":["permission denied"]}');
  const found = await secrets.prepare(entry(), '/', ['secret/a#x']);
  assert.match(found.find('secret/a#x').problem ?? '', /the token is not valid or may not read it \(status 403\)/);
  found.abandon();
});

test('a removed secret keeps its last value', async () => {
  vault.write('secret/a', { x: '1' });
  (await secrets.prepare(entry(), '/', ['secret/a#x'])).commit();
  vault.remove('secret/a');
  await pass(60_000);
  const again = await secrets.prepare(entry(), '/', ['secret/a#x']);
  assert.equal(again.find('secret/a#x'), { value: '1' });
  assert.is(changes, 0);
  again.commit();
});

test('the token is renewed after two thirds of its lease; one that cannot be renewed is replaced', async () => {
  vault.write('secret/a', { x: '1' });
  vault.roles.add('role secret');
  vault.lease = 90;
  const login = { method: 'approle', mount: 'approle', roleId: 'role', secretId: 'secret' } as const;
  const settings = entry({ login, refresh: 3_600_000 });
  (await secrets.prepare(settings, '/', ['secret/a#x'])).commit();
  const [first] = [...vault.tokens.keys()].filter((token) => token !== 'root');
  await time.pass(60_000);
  await until(() => vault.tokens.get(first!)!.renewals === 1, 'the first renewal');
  vault.renewable = false;
  vault.tokens.get(first!)!.lease = 90;
  (vault.tokens.get(first!) as { renewable: boolean }).renewable = false;
  await until(() => time.timers === 2, 'the next renewal is due');
  await time.pass(60_000);
  await until(() => vault.requests.filter((one) => one.endsWith('/login')).length === 2, 'another login');
});

test('a token that cannot be renewed during an outage is renewed after it, without another login', async () => {
  vault.write('secret/a', { x: '1' });
  vault.roles.add('role secret');
  vault.lease = 90;
  const login = { method: 'approle', mount: 'approle', roleId: 'role', secretId: 'secret' } as const;
  (await secrets.prepare(entry({ login, refresh: 3_600_000 }), '/', ['secret/a#x'])).commit();
  // A secret id that counts once.
  vault.roles.clear();
  const [token] = [...vault.tokens.keys()].filter((one) => one !== 'root');
  const renewals = () => vault.requests.filter((one) => one.endsWith('/renew-self')).length;
  vault.outage = (reply) => reply.writeHead(503).end('{"errors":["Vault is sealed"]}');
  await time.pass(60_000);
  await until(() => renewals() === 1 && time.timers === 2, 'the attempt during the outage');
  vault.outage = undefined;
  await time.pass(20_000);
  await until(() => vault.tokens.get(token!)!.renewals === 1, 'the renewal');
  assert.is(vault.requests.filter((one) => one.endsWith('/login')).length, 1);
  await until(() => time.timers === 2, 'the next renewal is due');
  // Without an answer until its end, the token is given up.
  vault.outage = (reply) => reply.destroy();
  await time.pass(60_000);
  await until(() => renewals() === 3 && time.timers === 2, 'an attempt');
  await time.pass(20_000);
  await until(() => renewals() === 4 && time.timers === 2, 'another one');
  await time.pass(7_000);
  await until(() => renewals() === 5 && time.timers === 2, 'a further one');
  vault.outage = undefined;
  vault.roles.add('role secret');
  vault.tokens.delete(token!);
  await time.pass(3_000);
  await until(() => vault.requests.filter((one) => one.endsWith('/login')).length === 2, 'another login');
});

test('a token that was revoked is replaced at the next request', async () => {
  vault.write('secret/a', { x: '1' });
  vault.roles.add('role secret');
  const login = { method: 'approle', mount: 'approle', roleId: 'role', secretId: 'secret' } as const;
  (await secrets.prepare(entry({ login }), '/', ['secret/a#x'])).commit();
  vault.tokens.clear();
  vault.write('secret/a', { x: '2' });
  await pass(60_000);
  assert.is(changes, 1);
  assert.is(secrets.snapshot?.failing, false);
});

test('what could not be read is tried again, less often each time', async () => {
  vault.write('secret/a', { x: '1' });
  const prepare = async (): Promise<void> => (await secrets.prepare(entry(), '/', ['secret/a#x'])).abandon();
  vault.outage = (reply) => void reply.writeHead(503).end();
  await prepare();
  await time.pass(1500);
  assert.is(retries, 1);
  await prepare();
  await time.pass(1500);
  assert.is(retries, 1);
  await time.pass(1000);
  assert.is(retries, 2);
  vault.outage = undefined;
  await prepare();
  await time.pass(120_000);
  assert.is(retries, 2);
});

test('wrong, late and large replies are problems, and their text is not shown', async () => {
  vault.write('secret/a', { x: '1' });
  const problem = async (outage: VaultServer['outage']): Promise<string> => {
    vault.outage = outage;
    const found = await secrets.prepare(entry({ timeout: 300 }), '/', ['secret/a#x']);
    found.abandon();
    return found.find('secret/a#x').problem ?? '';
  };
  const root = (body: string) => (reply: Parameters<NonNullable<VaultServer['outage']>>[0]) =>
    void reply.writeHead(200).end(body);
  assert.match(await problem(root('not json')), /not JSON/);
  assert.match(await problem(root('{"data":{"x":"kv1"}}')), /not a secret of a KV engine of version 2/);
  assert.match(await problem(root(`{"data":"${'x'.repeat(300_000)}"}`)), /larger than/);
  assert.match(await problem(() => {}), /no reply within 300 ms/);
  assert.match(
    await problem((reply) => reply.writeHead(500).end('{"errors":["token hvs.abc"]}')),
    /cannot be read: Vault answers with status 500\.$/,
  );
});

test('a program without secrets ends the session', async () => {
  vault.write('secret/a', { x: '1' });
  (await secrets.prepare(entry(), '/', ['secret/a#x'])).commit();
  assert.ok(time.timers > 0);
  const none = await secrets.prepare(entry(), '/', []);
  none.commit();
  assert.is(time.timers, 0);
  assert.is(secrets.snapshot, undefined);
  assert.match(
    (await secrets.prepare(undefined, '/', ['secret/a#x'])).find('secret/a#x').problem ?? '',
    /no table `\[vault\]`/,
  );
});

test.run();
