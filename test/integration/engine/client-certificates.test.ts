/** Client certificates of a listener: handshakes, kept connections and resumed sessions, with real certificates. */
import { once } from 'node:events';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import * as assert from 'uvu/assert';
import { Authorities, type Issued } from '../../support/authority.js';
import { type Plane, RawClient, specOf } from '../engine-kit.js';
import { engineSuite } from '../engine-suite.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');
const GET = 'GET / HTTP/1.1\r\nHost: a.example\r\n\r\n';

const authorities = new Authorities();
const root = authorities.create('root');
const other = authorities.create('other');
const middle = root.intermediate('middle');
const client = root.issue('client');
const below = middle.issue('below');
const stranger = other.issue('stranger');
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

interface Settings {
  readonly ca?: string;
  readonly crl?: string;
  readonly certificate?: string;
}

function tls({ ca = root.cert, crl, certificate }: Settings = {}): string {
  const lines = [`cert = "${CERT}"`, `key = "${KEY}"`, `client_ca = ${JSON.stringify(ca)}`];
  if (crl !== undefined) lines.push(`client_crl = ${JSON.stringify(crl)}`);
  if (certificate !== undefined) lines.push(`client_certificate = "${certificate}"`);
  return `tls = { ${lines.join(', ')} }`;
}

const test = engineSuite('client certificates', { listener: tls() });
test.after(() => authorities.remove());

const own = (issued: Issued | undefined, ...chain: Issued[]): ConnectionOptions =>
  issued === undefined ? {} : { key: issued.key, cert: [issued, ...chain].map(({ cert }) => cert).join('') };

const open = (plane: Plane, options: ConnectionOptions): TLSSocket =>
  connect({ port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });

const withCertificate = (plane: Plane, issued?: Issued, ...chain: Issued[]): RawClient =>
  new RawClient(open(plane, own(issued, ...chain)));

/** How the connection of a client ends that gets no reply. */
async function failure(plane: Plane, options: ConnectionOptions): Promise<string> {
  const socket = open(plane, options);
  socket.on('secureConnect', () => socket.write(GET));
  socket.resume();
  return new Promise((resolve) => {
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    socket.on('close', () => resolve('closed'));
  });
}

async function ask(raw: RawClient): Promise<number> {
  raw.send(GET);
  return (await raw.reply()).status;
}

const causeOf = async (plane: Plane): Promise<string> =>
  String((await plane.record(({ error }) => error === 'request/certificate')).cause);

for (const version of VERSIONS) {
  test(`${version}: a client without the required certificate gets an alert, which is recorded`, async ({
    plane,
    target,
  }) => {
    const code = await failure(plane, { minVersion: version, maxVersion: version });
    assert.match(code, version === 'TLSv1.3' ? /CERTIFICATE_REQUIRED/ : /HANDSHAKE_FAILURE/);
    const record = await plane.record(({ error }) => error === 'request/certificate');
    assert.is(record.cause, 'no client certificate');
    assert.is(record.status, 403);
    assert.is(record.remote, '127.0.0.1');
    assert.is(target.arrived.length, 0);
  });

  test(`${version}: a certificate of the authority is accepted, on one connection after another`, async ({ plane }) => {
    let session: Buffer | undefined;
    for (let at = 0; at < 3; at++) {
      const socket = open(plane, {
        ...own(client),
        minVersion: version,
        maxVersion: version,
        ...(session === undefined ? {} : { session }),
      });
      socket.on('session', (one) => {
        session = one;
      });
      const raw = new RawClient(socket);
      assert.is(await ask(raw), 200);
      assert.is(socket.isSessionReused(), false);
      raw.destroy();
    }
  });

  test(`${version}: a certificate that is revoked is refused on a kept connection and with a kept session`, async ({
    plane,
    target,
  }) => {
    let session: Buffer | undefined;
    const socket = open(plane, { ...own(client), minVersion: version, maxVersion: version });
    socket.on('session', (one) => {
      session = one;
    });
    const raw = new RawClient(socket);
    assert.is(await ask(raw), 200);
    root.revoke(client);
    await plane.load(specOf(target.url, { listener: tls({ crl: root.list() }) }));
    assert.ok(session);
    const resumed = new RawClient(open(plane, { ...own(client), session, minVersion: version, maxVersion: version }));
    assert.is(await ask(resumed), 403);
    const code = await failure(plane, { session, minVersion: version, maxVersion: version });
    assert.match(code, /CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE/);
    raw.send(GET);
    const reply = await raw.reply();
    assert.is(reply.status, 403);
    assert.is(reply.header('connection'), 'close');
    assert.match(reply.body.toString(), 'urn:gw:problem:request/certificate');
    assert.is(target.arrived.length, 1);
    const again = withCertificate(plane, client);
    assert.is(await ask(again), 403);
    again.destroy();
    await plane.record(({ cause }) => /the client certificate is revoked/.test(String(cause)));
    root.restore(client);
  });
}

test('required: a certificate of another authority ends the handshake, which is recorded', async ({
  plane,
  target,
}) => {
  await failure(plane, own(stranger));
  const record = await plane.record(({ error }) => error === 'request/certificate');
  assert.match(String(record.cause), /unknown issuer of the certificate/);
  assert.is(record.remote, '127.0.0.1');
  assert.is(target.arrived.length, 0);
});

test('optional: no certificate is accepted, one that is not valid gets 403', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: tls({ certificate: 'optional' }) }));
  for (const [issued, status] of [
    [undefined, 200],
    [client, 200],
    [stranger, 403],
  ] as const) {
    const raw = withCertificate(plane, issued);
    assert.is(await ask(raw), status);
    raw.destroy();
  }
  assert.match(await causeOf(plane), /unknown issuer/);
});

test('optional: expired, not yet valid, for servers only, and with an unknown critical extension: 403', async ({
  plane,
  target,
}) => {
  await plane.load(specOf(target.url, { listener: tls({ certificate: 'optional' }) }));
  for (const options of [
    { to: '20210101000000Z' },
    { from: '20980101000000Z' },
    { extensions: ['extendedKeyUsage=serverAuth'] },
    { extensions: ['1.2.3.4=critical,DER:0500'] },
  ]) {
    const raw = withCertificate(plane, root.issue('odd', options));
    assert.is(await ask(raw), 403, JSON.stringify(options));
    raw.destroy();
  }
});

test('nodejs/node#65579: intermediates of the client arrive with each version of TLS', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: tls() }));
  const low = middle.intermediate('low');
  const issued = low.issue('far below');
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const limits = { minVersion: version, maxVersion: version };
    const raw = new RawClient(open(plane, { ...own(issued, low, middle), ...limits }));
    assert.is(await ask(raw), 200, version);
    raw.destroy();
  }
});

test('a path through intermediates that the client presents, also after a reload of the authorities', async ({
  plane,
  target,
}) => {
  const raw = withCertificate(plane, below, middle);
  assert.is(await ask(raw), 200);
  await failure(plane, own(below));
  assert.match(await causeOf(plane), /unknown issuer/);
  await plane.load(specOf(target.url, { listener: tls({ ca: `${other.cert}${root.cert}` }) }));
  assert.is(await ask(raw), 200);
  await plane.load(specOf(target.url, { listener: tls({ ca: `${root.cert}${middle.cert}` }) }));
  const direct = withCertificate(plane, below);
  assert.is(await ask(direct), 200, 'the intermediate need not be sent');
  direct.destroy();
  raw.destroy();
});

test('a reload of the authorities applies to kept connections, and to no others', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: tls({ ca: `${root.cert}${other.cert}` }) }));
  const [first, second] = [withCertificate(plane, client), withCertificate(plane, stranger)];
  assert.is(await ask(first), 200);
  assert.is(await ask(second), 200);
  await plane.load(specOf(target.url, { listener: tls() }));
  assert.is(await ask(first), 200);
  assert.is(await ask(second), 403);
  assert.match(await causeOf(plane), /unknown issuer/);
  first.destroy();
  second.destroy();
});

test('a connection that is older than client_ca has no certificate', async ({ plane, target }) => {
  const plain = `tls = { cert = "${CERT}", key = "${KEY}" }`;
  await plane.load(specOf(target.url, { listener: plain }));
  const [optional, required] = [withCertificate(plane), withCertificate(plane)];
  assert.is(await ask(optional), 200);
  assert.is(await ask(required), 200);
  await plane.load(specOf(target.url, { listener: tls({ certificate: 'optional' }) }));
  assert.is(await ask(optional), 200);
  await plane.load(specOf(target.url, { listener: tls() }));
  assert.is(await ask(required), 403);
  optional.destroy();
});

test('with revocation lists, an authority without one and an outdated one refuse their certificates', async ({
  plane,
  target,
}) => {
  const ca = `${root.cert}${other.cert}`;
  await plane.load(specOf(target.url, { listener: tls({ ca, crl: root.list() }) }));
  const good = withCertificate(plane, client);
  assert.is(await ask(good), 200);
  const missing = withCertificate(plane, stranger);
  assert.is(await ask(missing), 403);
  assert.match(await causeOf(plane), /no revocation list of CN=other/);
  await plane.load(specOf(target.url, { listener: tls({ ca, crl: root.list('list', '20210101000000Z') }) }));
  assert.is(await ask(good), 403);
  await plane.record(({ cause }) => /revocation list of CN=root is out of date since 2021/.test(String(cause)));
});

test('a list that the authority has not signed does not count', async ({ plane, target }) => {
  const false_ = authorities.create('false', { subject: '/CN=root' });
  await plane.load(specOf(target.url, { listener: tls({ crl: false_.list() }) }));
  const raw = withCertificate(plane, client);
  assert.is(await ask(raw), 403);
});

test('targets get no Client-Cert of a client, under any of its names', async ({ plane, target }) => {
  const raw = withCertificate(plane, client);
  raw.send('GET / HTTP/1.1\r\nHost: a.example\r\nClient-Cert: :AA==:\r\nCLIENT-CERT-Chain: :AA==:\r\n\r\n');
  assert.is((await raw.reply()).status, 200);
  const [arrived] = target.arrived;
  assert.is(arrived!.header('client-cert'), undefined);
  assert.is(arrived!.header('client-cert-chain'), undefined);
  raw.send('GET / HTTP/1.1\r\nHost: a.example\r\nClient_Cert: :AA==:\r\n\r\n');
  assert.is((await raw.reply()).status, 400);
  raw.destroy();
});

test('behind a proxy that verifies certificates, targets get its Client-Cert, and that of nobody else', async ({
  plane,
  target,
}) => {
  for (const [trusted, expected] of [
    ['127.0.0.0/8', ':AA==:'],
    ['192.0.2.1', undefined],
  ] as const) {
    await plane.load(specOf(target.url, { listener: `trusted_proxies = ["${trusted}"]` }));
    const raw = plane.client();
    raw.send('GET / HTTP/1.1\r\nHost: a.example\r\nClient-Cert: :AA==:\r\nclient-cert-Chain: :AA==:\r\n\r\n');
    assert.is((await raw.reply()).status, 200);
    const arrived = target.arrived.at(-1)!;
    assert.equal([arrived.header('client-cert'), arrived.header('client-cert-chain')], [expected, expected], trusted);
    raw.destroy();
  }
});

test('a listener that does not ask for certificates sees none', async ({ plane, target }) => {
  await plane.load(specOf(target.url, { listener: `tls = { cert = "${CERT}", key = "${KEY}" }` }));
  const raw = withCertificate(plane, stranger);
  assert.is(await ask(raw), 200);
  raw.destroy();
  await once(raw.socket, 'close');
});

test.run();
