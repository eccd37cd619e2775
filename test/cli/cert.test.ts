/** gw cert dev: an authority, certificates that clients accept once they trust it, and their renewal. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { devCertificate } from '../../src/cli/cert/dev.js';
import { authorityFolder } from '../../src/cli/cert/files.js';
import { trustText } from '../../src/cli/cert/trust.js';
import { Io } from '../../src/cli/io.js';
import { gw, Sink } from './kit.js';

const home = mkdtempSync(join(tmpdir(), 'gw-cert-'));
test.after(() => rmSync(home, { recursive: true, force: true }));

const DAY = 86_400_000;
const CA = join(home, '.local/share/gw/ca/gw-dev-ca.pem');
const run = (...args: string[]) => gw(['cert', 'dev', ...args], { cwd: home, env: { HOME: home } });
const text = (path: string): string => readFileSync(join(home, path), 'utf8');
const mode = (path: string): number => statSync(path).mode & 0o777;

/** Makes a handshake as a client that trusts the authority. Throws if the certificate is not accepted. */
async function shake(cert: string, key: string, name: string): Promise<void> {
  const server = createServer({ cert, key }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = connect({ port: address.port, host: '127.0.0.1', servername: name, ca: readFileSync(CA) });
  try {
    await once(client, 'secureConnect');
  } finally {
    client.destroy();
    server.close();
  }
}

test('a certificate that clients accept, with keys that only this account reads', async () => {
  const first = await run();
  assert.is(first.code, 0, first.err);
  assert.match(first.out, 'cert = "certs/localhost.pem"\nkey = "certs/localhost-key.pem"\n');
  assert.match(first.err, /New certificate: certs\/localhost\.pem, for localhost, 127\.0\.0\.1, ::1, until 20/);
  assert.match(first.err, 'new development CA');
  assert.match(first.err, `curl --cacert ${CA}`);
  assert.equal([mode(join(home, 'certs/localhost-key.pem')), mode(CA.replace('.pem', '-key.pem'))], [0o600, 0o600]);
  assert.is(mode(join(home, '.local/share/gw/ca')), 0o700);
  assert.is(text('certs/.gitignore'), '*\n');
  const [cert, key] = [text('certs/localhost.pem'), text('certs/localhost-key.pem')];
  await shake(cert, key, 'localhost');
  await shake(cert, key, '');
  const failed = await shake(cert, key, 'other.test').then(
    () => 'accepted',
    (error: Error) => error.message,
  );
  assert.match(failed, /altnames/);
  const read = new X509Certificate(cert);
  assert.equal([read.ca, new X509Certificate(readFileSync(CA)).ca], [false, true]);
  assert.ok(Date.parse(read.validTo) - Date.now() < 398 * DAY);
});

test('it stays while it is valid for long enough, and for the same names', async () => {
  const before = text('certs/localhost.pem');
  const again = await run();
  assert.match(again.err, 'still valid');
  assert.is(text('certs/localhost.pem'), before);
  assert.is((await run('--force')).code, 0);
  assert.is.not(text('certs/localhost.pem'), before);
  const json = JSON.parse((await run('localhost', 'api.test', '--json')).out);
  assert.equal(
    { ...json, expires: json.expires.length },
    {
      version: 1,
      names: ['localhost', 'api.test'],
      cert: join(home, 'certs/localhost.pem'),
      key: join(home, 'certs/localhost-key.pem'),
      ca: CA,
      created: true,
      created_ca: false,
      expires: 10,
    },
  );
  assert.match((await run('*.Api.test')).out, 'certs/wildcard.api.test.pem');
});

test('it is renewed near its end, with its authority, and if a file is damaged', async () => {
  const at = async (now: number): Promise<{ created: boolean; created_ca: boolean }> => {
    const stdout = new Sink();
    const io = new Io({ stdout, stderr: new Sink(), env: { HOME: home }, cwd: home });
    await devCertificate(io, [], { json: true }, { now, platform: 'linux' });
    const { created, created_ca } = JSON.parse(stdout.text);
    return { created, created_ca };
  };
  const now = Date.now();
  assert.equal(await at(now), { created: true, created_ca: false });
  assert.equal(await at(now + 360 * DAY), { created: false, created_ca: false });
  assert.equal(await at(now + 370 * DAY), { created: true, created_ca: false });
  assert.equal(await at(now + 3300 * DAY), { created: true, created_ca: true });
  writeFileSync(join(home, 'certs/localhost.pem'), 'damaged');
  assert.equal(await at(now + 3300 * DAY), { created: true, created_ca: false });
  writeFileSync(CA, text('certs/localhost.pem'));
  assert.equal(await at(now + 3300 * DAY), { created: true, created_ca: true });
  assert.ok(existsSync(CA));
});

test('what is no name, and a folder that cannot be used, end with a message', async () => {
  for (const name of ['https://a.test', 'a.test:8443', '*.*.test', 'a b', '']) {
    const { code, err } = await run(name);
    assert.is(code, 2, name);
    assert.match(err, 'neither a host name nor an IP address');
  }
  writeFileSync(join(home, 'file'), '');
  const { code, err } = await run('--dir', 'file/certs');
  assert.is(code, 1);
  assert.match(err, /Cannot read or write .*file\/certs: /);
});

test('the folder of the authority, and the commands to trust it, for each system', () => {
  const env = { HOME: '/h', LOCALAPPDATA: 'C:\\l', XDG_DATA_HOME: '/x' };
  assert.is(authorityFolder({ HOME: '/h' }, 'linux'), '/h/.local/share/gw/ca');
  assert.is(authorityFolder(env, 'linux'), '/x/gw/ca');
  assert.is(authorityFolder(env, 'darwin'), '/h/Library/Application Support/gw/ca');
  assert.match(authorityFolder(env, 'win32'), /^C:\\l.gw.ca$/);
  for (const [platform, expected] of [
    ['linux', "sudo trust anchor --store '/a b/ca.pem'"],
    ['darwin', "-k /Library/Keychains/System.keychain '/a b/ca.pem'"],
    ['win32', 'certutil -user -addstore Root "/a b/ca.pem"'],
    ['freebsd', 'NODE_EXTRA_CA_CERTS='],
  ] as const)
    assert.match(trustText('/a b/ca.pem', platform), expected);
});

test.run();
