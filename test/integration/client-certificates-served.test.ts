/** Client certificates of a running gateway: its files, their reloads, and what is wrong with them. */
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TlsHostEntry } from '../../src/bundle/types.js';
import { resolveProgram } from '../../src/control/references/resolve.js';
import { Reads } from '../../src/control/watch/reads.js';
import { gw } from '../cli/kit.js';
import { Authorities } from '../support/authority.js';
import { ServedGateway } from '../support/gw-process.js';
import { listenerPlan, programWith, servicePlan } from '../support/programs.js';
import { until } from '../support/until.js';

const FIXTURES = join(process.cwd(), 'test/integration/fixtures');
const CERT = join(FIXTURES, 'tls-cert.pem');
const KEY = join(FIXTURES, 'tls-key.pem');

const authorities = new Authorities();
const { folder } = authorities;
const root = authorities.create('root');
const middle = root.intermediate('middle');
const other = authorities.create('other');
const [client, stranger] = [root.issue('client'), other.issue('stranger')];
const file = (name: string, text: string | Buffer): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const der = (pem: string): Buffer => Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
test.after(() => authorities.remove());

const SPEC = `spec = 1
[listener.main]
address = "127.0.0.1:0"
tls = { cert = "${CERT}", key = "${KEY}", client_ca = ["ca.pem"], client_crl = "list.crl", client_certificate = "optional" }
[policy.certificates]
use = "mtls"
consumer = "subject.cn"
[consumer.client]
groups = ["a"]
[[route]]
name = "all"
match = "/{rest...}"
reply = { body = "{consumer.name}" }
policies = ["certificates"]
`;

test('a changed revocation list, in DER, is read again, and applies to kept connections', async () => {
  file('ca.pem', root.cert);
  file('list.crl', der(root.list()));
  const gateway = await ServedGateway.start([file('gateway.toml', SPEC), '--no-access-log']);
  const agent = new Agent({
    keepAlive: true,
    maxSockets: 1,
    key: client.key,
    cert: client.cert,
    rejectUnauthorized: false,
  });
  const ask = (): Promise<{ status: number | undefined; reused: boolean }> =>
    new Promise((resolve, reject) => {
      const asked = request(`${gateway.url}/x`, { agent }, (reply) => {
        reply.resume();
        reply.on('end', () => resolve({ status: reply.statusCode, reused: asked.reusedSocket }));
      });
      asked.on('error', reject);
      asked.end();
    });
  try {
    assert.equal(await ask(), { status: 200, reused: false });
    assert.equal(await ask(), { status: 200, reused: true });
    root.revoke(client);
    file('list.crl', der(root.list()));
    let last = await ask();
    await until(async () => {
      if (last.status === 200) last = await ask();
      return last.status !== 200;
    }, 'the reload');
    assert.equal(last, { status: 403, reused: true });
  } finally {
    root.restore(client);
    agent.destroy();
    await gateway.stop();
  }
});

test('gw explain --cert: the certificate is verified as in a handshake', async () => {
  file('ca.pem', root.cert);
  file('list.crl', root.list());
  const spec = file('gateway.toml', SPEC);
  const explain = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await gw(['explain', 'GET', '/x', spec, ...args], { cwd: folder });
    return `${code} ${out}${err}`;
  };
  assert.match(await explain('--cert', client.certFile), /client certificate of client/);
  assert.match(await explain('--cert', client.certFile), /^0 .*\n.*200/);
  assert.match(await explain('--cert', stranger.certFile), /unknown issuer of the client certificate/);
  assert.match(await explain(), /auth\/missing/);
  root.revoke(client);
  file('list.crl', root.list());
  assert.match(await explain('--cert', client.certFile), /the client certificate is revoked/);
  root.restore(client);
  assert.match(await explain('--cert', KEY), /contains no certificate/);
  file('required.toml', SPEC.replace('"optional"', '"required"'));
  const required = await gw(['explain', 'GET', '/x', 'required.toml'], { cwd: folder });
  assert.match(required.out, /no client certificate/);
  const assumed = await gw(['explain', 'GET', '/x', 'required.toml', '--as', 'client'], { cwd: folder });
  assert.match(assumed.out, /200/);
  file('plain.toml', SPEC.replace(/^tls = .*$/m, ''));
  const plain = await gw(['explain', 'GET', '/x', 'plain.toml', '--cert', client.certFile], { cwd: folder });
  assert.match(plain.err, /No listener asks clients for a certificate/);
});

test('gw explain --cert: a certificate that ends next month has not expired', async () => {
  const to = new Date(Date.now() + 30 * 86_400_000).toISOString().replace(/[-:T]|\.\d+/g, '');
  const short = root.issue('client', { to });
  file('ca.pem', root.cert);
  file('list.crl', root.list());
  const { out } = await gw(['explain', 'GET', '/x', file('gateway.toml', SPEC), '--cert', short.certFile], {
    cwd: folder,
  });
  assert.match(out, /^.*\n.*200/);
});

function problems(client_: object, service?: object): string[] {
  const tls = { cert: CERT, key: KEY, client: { certificate: 'required' as const, ca: [], ...client_ } };
  const program = programWith({
    listeners: [listenerPlan('main', { tls })],
    ...(service === undefined ? {} : { services: [servicePlan('orders', { tls: service })] }),
  });
  const written = { files: [{ path: 'gateway.toml', text: '' }], fallback: 'gateway.toml' };
  const { diagnostics } = resolveProgram(
    program,
    { root: folder, env: {}, reads: new Reads(), secrets: { find: () => ({ problem: 'no Vault' }) } },
    written,
  );
  const found = diagnostics.map(({ code, message }) => `${code} ${message}`);
  return found.filter((text) => !text.startsWith('listener/certificate-dates The certificate'));
}

test('what is wrong with the files of client_ca and client_crl is said before a load', () => {
  const ca = file('root.pem', root.cert);
  const leaf = file('leaf.pem', client.cert);
  const good = file('good.crl', root.list());
  assert.equal(problems({ ca: [ca], crl: [good] }), []);
  for (const [given, expected] of [
    [{ ca: ['none.pem'] }, /client-ca .* cannot be read: no such file/],
    [{ ca: [KEY] }, /client-ca .* is a private key/],
    [{ ca: [file('text.pem', 'x')] }, /client-ca .* contains no certificate/],
    [{ ca: [leaf] }, /client-ca .* contains no certificate of an authority/],
    [{ ca: [file('cut.pem', root.cert.slice(0, 300))] }, /client-ca .* certificate 1 is damaged/],
    [{ ca: [file('middle.pem', middle.cert)] }, /client-ca .* contains CN=middle, but not the root above it/],
    [{ ca: [ca], crl: ['none.crl'] }, /client-crl .* cannot be read/],
    [{ ca: [ca], crl: [ca] }, /client-crl .* contains no list/],
    [{ ca: [ca], crl: [file('delta.crl', root.list('delta'))] }, /client-crl .* it is a delta list/],
    [{ ca: [ca], crl: [file('other.crl', other.list())] }, /client-crl .* is of CN=other, which is not in/],
    [
      { ca: [ca], crl: [file('old.crl', root.list('list', '20210101000000Z'))] },
      /client-crl-dates .* out of date since/,
    ],
    [{ ca: [ca, file('other.pem', other.cert)], crl: [good] }, /client-crl-missing .* CN=other/],
  ] as const) {
    const found = problems(given);
    assert.ok(
      found.some((text) => expected.test(text)),
      `${expected}: ${found.join('\n')}`,
    );
  }
});

test('hosts have the names of their certificates, and what does not fit is said before a load', () => {
  const server = (...names: string[]): { cert: string; key: string } =>
    root.issue('server', { extensions: [`subjectAltName=${names.map((name) => `DNS:${name}`).join()}`] });
  const [two, same, bare] = [server('a.example', '*.b.example'), server('c.example', 'a.example'), client];
  const resolved = (...hosts: TlsHostEntry[]) => {
    const program = programWith({ listeners: [listenerPlan('main', { tls: { cert: CERT, key: KEY, hosts } })] });
    const surroundings = {
      root: folder,
      env: {},
      reads: new Reads(),
      secrets: { find: () => ({ problem: 'no Vault' }) },
    };
    const found = resolveProgram(program, surroundings, { files: [{ path: 'a', text: '' }], fallback: 'a' });
    return {
      names: found.program.listeners[0]?.tls?.hosts?.map(({ names }) => names),
      said: found.diagnostics
        .filter(({ message }) => message.includes('host '))
        .map(({ code, message }) => `${code} ${message}`),
    };
  };
  const of = ({ cert, key }: { cert: string; key: string }): TlsHostEntry => ({ cert, key });
  assert.equal(resolved(of(two)), { names: [['a.example', '*.b.example']], said: [] });
  assert.equal(resolved({ ...of(two), names: ['a.example', 'x.b.example', '*.b.example'] }).said, []);
  for (const [hosts, expected] of [
    [
      [of(two), of(same)],
      /^listener\/certificate The certificate of host 2 .* has the name a\.example, as that of host 1/,
    ],
    [
      [{ ...of(two), names: ['z.example'] }],
      /^listener\/certificate-names The certificate of host z\.example .* is not for z\.example/,
    ],
    [[of(bare)], /^listener\/certificate .* has no DNS names/],
    [
      [{ cert: 'none.pem', key: 'none.pem', names: ['a'] }],
      /^listener\/certificate The certificate of host a of listener `main` cannot be read/,
    ],
    [[{ names: ['a'], cert: CERT, key: KEY }], /certificate-names/],
  ] as const) {
    const { said } = resolved(...hosts);
    assert.ok(
      said.some((text) => expected.test(text)),
      `${expected}: ${said.join('\n')}`,
    );
  }
});

test('what is wrong with the tls of a service is said before a load', () => {
  const [cert, key] = [client.certFile, client.keyFile];
  assert.equal(problems({ ca: [root.cert] }, { cert, key, ca: [root.certFile] }), []);
  for (const [given, expected] of [
    [{ cert, key: stranger.keyFile }, /service\/certificate The key of service `orders` does not belong/],
    [{ cert: 'none.pem', key }, /service\/certificate The certificate of service `orders` cannot be read/],
    [{ ca: [KEY] }, /service\/certificate The CA of service `orders` contains no certificate/],
  ] as const) {
    const found = problems({ ca: [root.cert] }, given);
    assert.ok(
      found.some((text) => expected.test(text)),
      `${expected}: ${found.join('\n')}`,
    );
  }
});

test.run();
