/** Several certificates and TLS policies on one listener: who gets which, and which sessions resume. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { MAX_SESSION_NAMES, NAME_IDLE_MS } from '../../../src/proxy/downstream/tls/session-names.js';
import { TicketKeys } from '../../../src/state/ticket-keys.js';
import { Authorities, type Issued } from '../../support/authority.js';
import { Plane, RawClient, specOf, until } from '../engine-kit.js';
import { sharedEngineSuite } from '../engine-suite.js';

const authorities = new Authorities();
const root = authorities.create('root');
const server = (name: string, ...names: string[]): Issued =>
  root.issue(name, {
    extensions: ['extendedKeyUsage=serverAuth', `subjectAltName=${names.map((each) => `DNS:${each}`).join()}`],
  });
const [main, admin, wild, other] = [
  server('main', 'main.example'),
  server('admin', 'admin.example'),
  server('wild', '*.example', '*.internal.example'),
  server('other', 'other.example'),
];
const person = root.issue('person');

const pair = ({ cert, key }: Issued): string => `cert = ${JSON.stringify(cert)}\nkey = ${JSON.stringify(key)}`;
const HOSTS = `
[[listener.main.tls.hosts]]
names = ["*.example", "*.internal.example"]
${pair(wild)}
[[listener.main.tls.hosts]]
names = ["admin.example"]
${pair(admin)}
client_ca = ${JSON.stringify(root.cert)}
forward_client_cert = true
[[listener.main.tls.hosts]]
names = ["other.example", "twin.example"]
${pair(other)}
`;
const spec = (url: string, own: string = pair(main), hosts = HOSTS): string =>
  `${specOf(url)}\n[listener.main.tls]\n${own}\n${hosts}`;

const test = sharedEngineSuite('TLS hosts');
test.before(async ({ plane, target }) => plane.load(spec(target.url)));
test.after(() => authorities.remove());

interface Opened {
  readonly socket: TLSSocket;
  readonly client: RawClient;
}

async function open(port: number, servername: string, more: ConnectionOptions = {}): Promise<Opened> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername, ...more });
  await once(socket, 'secureConnect');
  return { socket, client: new RawClient(socket) };
}

const commonName = ({ socket }: Opened): string => String(socket.getPeerCertificate().subject.CN);

async function status({ client }: Opened, host: string): Promise<number> {
  client.send(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  return (await client.reply()).status;
}

/** Why no connection comes about. */
async function refusal(port: number, servername: string, more: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername, ...more });
  const [error] = (await Promise.race([once(socket, 'error'), once(socket, 'end')])) as [NodeJS.ErrnoException?];
  socket.destroy();
  return String(error?.code ?? 'closed');
}

const identity = { key: person.key, cert: person.cert };

test('the server name selects the certificate: exact, then wildcard, then the default', async ({ plane }) => {
  for (const [name, expected] of [
    ['main.example', 'wild'],
    ['other.example', 'other'],
    ['OTHER.Example', 'other'],
    ['api.example', 'wild'],
    ['a.internal.example', 'wild'],
    ['a.b.internal.example', 'main'],
    ['example', 'main'],
    ['elsewhere.test', 'main'],
    ['', 'main'],
  ] as const) {
    const opened = await open(plane.port, name);
    assert.is(commonName(opened), expected, name);
    opened.client.destroy();
  }
  const opened = await open(plane.port, 'admin.example', identity);
  assert.is(commonName(opened), 'admin');
  assert.is(await status(opened, 'admin.example'), 200);
  opened.client.destroy();
});

test('only the host with client_ca asks for a certificate', async ({ plane }) => {
  const none = await refusal(plane.port, 'admin.example', { maxVersion: 'TLSv1.2' });
  assert.match(none, /HANDSHAKE_FAILURE|ECONNRESET|CERTIFICATE_REQUIRED/);
  const opened = await open(plane.port, 'api.example');
  assert.is(await status(opened, 'api.example'), 200);
  opened.client.destroy();
});

test('a host of another policy than the connection gets 421, one of the same policy does not', async ({ plane }) => {
  const opened = await open(plane.port, 'api.example');
  for (const [host, expected] of [
    ['admin.example', 421],
    ['ADMIN.example:8443', 421],
    ['api.example', 200],
    ['other.example', 200],
    ['elsewhere.test', 200],
  ] as const)
    assert.is(await status(opened, host), expected, host);
  opened.client.destroy();
  assert.is((await plane.record(({ error }) => error === 'request/misdirected')).status, 421);
  const nameless = await open(plane.port, '');
  assert.is(await status(nameless, 'admin.example'), 421);
  nameless.client.destroy();
  const secured = await open(plane.port, 'admin.example', identity);
  assert.is(await status(secured, 'api.example'), 421);
  assert.is(await status(secured, 'admin.example'), 200);
  secured.client.destroy();
});

test('targets get the certificate of the client, and never one that the client wrote', async ({ plane, target }) => {
  const forged = 'Client-Cert: :AA==:\r\nClient-Cert-Chain: :AA==:\r\n';
  for (const [name, options, cert] of [
    ['api.example', {}, undefined],
    ['admin.example', identity, `:${person.cert.replace(/-----[^-]+-----|\s/g, '')}:`],
  ] as const) {
    const opened = await open(plane.port, name, options);
    opened.client.send(`GET / HTTP/1.1\r\nHost: ${name}\r\n${forged}\r\n`);
    assert.is((await opened.client.reply()).status, 200);
    opened.client.destroy();
    const arrived = target.arrived.at(-1)!;
    assert.equal([arrived.header('client-cert'), arrived.header('client-cert-chain')], [cert, undefined], name);
  }
});

test('without a default certificate, other names are refused', async ({ target }) => {
  const plane = await Plane.start(spec(target.url, '', HOSTS));
  for (const name of ['elsewhere.test', ''])
    assert.is(await refusal(plane.port, name), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME', name);
  const opened = await open(plane.port, 'other.example');
  assert.is(await status(opened, 'other.example'), 200);
  opened.client.destroy();
  await plane.close();
});

test('a first message in many pieces is read, and one that never ends is bounded in time', async ({ target }) => {
  const { TestTime } = await import('../engine-kit.js');
  const time = new TestTime();
  const plane = await Plane.start(spec(target.url), { monotonic: time.now });
  const { connect: dial, createServer } = await import('node:net');
  // Between the two, each byte is a packet of its own.
  const bridge = createServer((near) => {
    const far = dial({ port: plane.port, host: '127.0.0.1', noDelay: true });
    near.once('data', (bytes: Buffer) => {
      const next = (at: number): void => {
        if (at < bytes.length) far.write(bytes.subarray(at, at + 1), () => setImmediate(() => next(at + 1)));
        else near.pipe(far);
      };
      next(0);
    });
    far.pipe(near);
    for (const end of [near, far]) end.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(bridge, 'listening');
  const address = bridge.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const opened = await open(address.port, 'other.example');
  assert.is(commonName(opened), 'other');
  opened.client.destroy();
  bridge.close();

  const slow = plane.client();
  slow.send('\x16\x03\x01\x10\x00\x01');
  await once(slow.socket, 'connect');
  for (let i = 0; i < 4; i++) {
    time.pass(3000);
    slow.send('\x00');
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => slow.closed, 'the connection to be closed');
  await plane.close();
});

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** A connection for one request. Returns whether it resumed `session`, and the session that the next one can resume. */
async function visit(
  port: number,
  name: string,
  maxVersion: (typeof VERSIONS)[number],
  session?: Buffer,
  more: ConnectionOptions = {},
): Promise<{ readonly resumed: boolean; readonly session: Buffer | undefined; readonly status: number }> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    servername: name,
    maxVersion,
    ...(session === undefined ? {} : { session }),
    ...more,
  });
  let next: Buffer | undefined;
  socket.on('session', (given: Buffer) => {
    next = given;
  });
  await once(socket, 'secureConnect');
  const client = new RawClient(socket);
  const got = await status({ socket, client }, name);
  const resumed = socket.isSessionReused();
  client.destroy();
  return { resumed, session: next, status: got };
}

async function rejects(attempt: Promise<unknown>): Promise<void> {
  const failed = await attempt.then(
    () => false,
    () => true,
  );
  assert.ok(failed, 'it should have failed');
}

test('sessions resume under their name, and under no other policy or certificate', async ({ plane }) => {
  const { port } = plane;
  for (const version of VERSIONS) {
    const { session } = await visit(port, 'api.example', version);
    assert.ok(session, version);
    assert.ok((await visit(port, 'api.example', version, session)).resumed, version);
    // Another certificate.
    assert.not((await visit(port, 'other.example', version, session)).resumed);
    // A policy that asks for a certificate: without one refused as ever, with one by a full handshake.
    if (version === 'TLSv1.2') await refusal(port, 'admin.example', { session, maxVersion: version });
    else await rejects(visit(port, 'admin.example', version, session));
    const admitted = await visit(port, 'admin.example', version, session, identity);
    assert.equal([admitted.resumed, admitted.status], [false, 200], version);
    // What was got with a certificate opens nothing without one, and does not resume at all.
    if (admitted.session !== undefined) {
      assert.not((await visit(port, 'api.example', version, admitted.session)).resumed);
      assert.not((await visit(port, 'admin.example', version, admitted.session, identity)).resumed);
      await rejects(visit(port, 'admin.example', version, admitted.session));
    }
  }
});

test('a session resumes under the very name that it began with, also among names of one certificate', async ({
  plane,
}) => {
  const { port } = plane;
  for (const version of VERSIONS)
    for (const [name, others] of [
      ['api.example', ['web.example', 'a.internal.example']],
      ['other.example', ['twin.example']],
      ['elsewhere.test', ['nowhere.test', '']],
      ['', ['elsewhere.test']],
    ] as const) {
      const { session } = await visit(port, name, version);
      for (const other of others) assert.not((await visit(port, other, version, session)).resumed, `${name} ${other}`);
      assert.ok((await visit(port, name, version, session)).resumed, `${version} ${name}`);
    }
});

test('beyond the bound, a name has full handshakes and no tickets', async ({ target }) => {
  const { TestTime } = await import('../engine-kit.js');
  const time = new TestTime();
  const plane = await Plane.start(spec(target.url), { monotonic: time.now });
  for (let i = 0; i < MAX_SESSION_NAMES; i++) {
    const opened = await open(plane.port, `n${i}.example`);
    opened.client.destroy();
  }
  for (const version of VERSIONS) {
    const { session } = await visit(plane.port, 'late.example', version);
    const again = await visit(plane.port, 'late.example', version, session);
    assert.equal([again.resumed, again.status], [false, 200], version);
    const fixed = await visit(plane.port, 'twin.example', version);
    assert.ok((await visit(plane.port, 'twin.example', version, fixed.session)).resumed);
  }
  time.pass(NAME_IDLE_MS);
  await visit(plane.port, 'late.example', 'TLSv1.3');
  const { session } = await visit(plane.port, 'late.example', 'TLSv1.3');
  assert.ok((await visit(plane.port, 'late.example', 'TLSv1.3', session)).resumed);
  await plane.close();
});

test('sessions resume with another worker; after two periods there is a full handshake', async ({ target }) => {
  const tickets = TicketKeys.allocate();
  const planes = await Promise.all([1, 2].map(() => Plane.start(spec(target.url), { tickets })));
  const [first, second] = planes.map(({ port }) => port) as [number, number];
  for (const version of VERSIONS) {
    const { session } = await visit(first, 'api.example', version);
    assert.ok((await visit(second, 'api.example', version, session)).resumed, version);
    assert.not((await visit(second, 'other.example', version, session)).resumed);
    assert.not((await visit(second, 'web.example', version, session)).resumed);
    await rejects(visit(second, 'admin.example', version, session));
    new TicketKeys(tickets).rotate();
    assert.ok((await visit(second, 'api.example', version, session)).resumed, 'in the period after its own');
    new TicketKeys(tickets).rotate();
    const late = await visit(second, 'api.example', version, session);
    assert.equal([late.resumed, late.status], [false, 200], 'after that');
    assert.ok((await visit(first, 'api.example', version, late.session)).resumed);
  }
  for (const plane of planes) await plane.close();
});

test('a resumed connection keeps its server name, and 421 protects other policies', async ({ plane }) => {
  const { session } = await visit(plane.port, 'api.example', 'TLSv1.2');
  const opened = await open(plane.port, 'api.example', { session: session!, maxVersion: 'TLSv1.2' });
  assert.ok(opened.socket.isSessionReused());
  assert.is(await status(opened, 'admin.example'), 421);
  assert.is(await status(opened, 'api.example'), 200);
  opened.client.destroy();
});

test('certificates are supplied and replaced while it runs, and challenges answer only their protocol', async ({
  target,
}) => {
  const plane = await Plane.start(spec(target.url), {});
  const load = (): Promise<void> =>
    plane.load(spec(target.url), (program) => ({
      ...program,
      listeners: program.listeners.map((listener) => ({ ...listener, tls: {} })),
    }));
  await load();
  const { port } = plane;
  assert.is(await refusal(port, 'other.example'), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  const supplied = (one: Issued, ...names: string[]) => ({ names, cert: one.cert, key: one.key });
  const challenges = [supplied(admin, 'new.example')];
  await plane.plane.replaceCertificates({
    version: 2,
    certificates: [supplied(wild, '*.example'), supplied(other, 'other.example')],
    challenges,
  });
  await plane.plane.replaceCertificates({ version: 1, certificates: [], challenges: [] });
  for (const [name, expected] of [
    ['other.example', 'other'],
    ['new.example', 'wild'],
  ] as const) {
    const opened = await open(port, name, { ALPNProtocols: ['http/1.1'] });
    assert.is(commonName(opened), expected);
    assert.is(await status(opened, name), 200);
    opened.client.destroy();
  }
  const challenge = await open(port, 'new.example', { ALPNProtocols: ['acme-tls/1'] });
  assert.equal([commonName(challenge), challenge.socket.alpnProtocol], ['admin', 'acme-tls/1']);
  await until(() => challenge.client.closed, 'the end of the challenge');
  assert.match(
    await refusal(port, 'other.example', { ALPNProtocols: ['acme-tls/1'] }),
    /NO_APPLICATION_PROTOCOL|closed/,
  );
  await plane.plane.replaceCertificates({
    version: 3,
    certificates: [supplied(main, 'other.example')],
    challenges: [],
  });
  const renewed = await open(port, 'other.example');
  assert.is(commonName(renewed), 'main');
  renewed.client.destroy();
  await plane.plane.replaceCertificates({
    version: 4,
    certificates: [{ names: ['other.example'], cert: main.cert, key: other.key }],
    challenges: [],
  });
  assert.is(await refusal(port, 'other.example'), 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME');
  assert.ok(plane.logs.some(({ message }) => message === 'supplied certificate is not valid'));
  await plane.close();
});

test('openssl s_client: names, and sessions that resume', async ({ plane }) => {
  const run = promisify(execFile);
  const ask = async (...args: string[]): Promise<string> => {
    const running = run('openssl', ['s_client', '-connect', `127.0.0.1:${plane.port}`, ...args], { timeout: 10_000 });
    running.child.stdin?.end('GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n');
    return (await running).stdout;
  };
  assert.match(await ask('-servername', 'other.example'), /subject=CN = other/);
  const file = join(authorities.folder, 'session.pem');
  for (const version of ['-tls1_2', '-tls1_3']) {
    const first = await ask(version, '-servername', 'other.example', '-ign_eof', '-sess_out', file);
    assert.match(first, /New, TLSv1/);
    assert.match(first, /HTTP\/1.1 200/);
    assert.match(await ask(version, '-servername', 'other.example', '-ign_eof', '-sess_in', file), /Reused, TLSv1/);
    for (const name of ['api.example', 'twin.example'])
      assert.match(await ask(version, '-servername', name, '-sess_in', file), /New, TLSv1/);
  }
});

test.run();
