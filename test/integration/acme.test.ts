/** Certificates by ACME of a running gateway with two workers, validated by the authority at the gateway's own listeners. */
import { request } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AcmeServer } from '../support/acme/server.js';
import { call, closeAll, type Running, removeFolders, SpecFile, startGateway, until } from './control-kit.js';

const server = new AcmeServer();
let gateway: Running;
let file: SpecFile;
let text: string;

const portOf = (name: string): number =>
  Number(
    gateway.gateway.addresses
      .find((one) => one.name === name)
      ?.address.split(':')
      .at(-1),
  );

/** The end of a handshake: the socket, or its error. */
async function handshake(servername: string, more: object = {}): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: portOf('secure'),
    servername,
    ca: server.authority.root,
    ...more,
  });
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  socket.on('error', () => {});
  return socket;
}

const refused = (servername: string, more: object = {}): Promise<string> =>
  handshake(servername, more).then(
    (socket) => {
      socket.destroy();
      return 'accepted';
    },
    (error: Error) => error.message,
  );

/** Status and location of a GET on the listener without TLS. */
function plain(path: string): Promise<{ status: number; location: string | undefined }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port: portOf('plain'), path, headers: { host: 'shop.example' } },
      (reply) => {
        reply.resume();
        reply.on('end', () => resolve({ status: reply.statusCode ?? 0, location: reply.headers.location }));
      },
    );
    sent.on('error', reject).end();
  });
}

const test = suite('acme');

test.before(async () => {
  const directory = await server.open();
  let release = (): void => {};
  server.hold = new Promise((resolve) => {
    release = resolve;
  });
  file = new SpecFile('');
  text = `spec = 1
workers = 2
[listener.secure]
address = "127.0.0.1:0"
tls = "acme"
[listener.plain]
address = "127.0.0.1:0"
redirect = "https"
[acme]
accept_terms = true
email = "ops@example.com"
directory = "${directory}"
[state]
path = "${file.folder}/state"
[[route]]
name = "shop"
match = { host = ["shop.example", "api.example", "*.wild.example"], path = "/{rest...}" }
reply = { body = "secure" }
`;
  file.write(text);
  gateway = await startGateway({ spec: file.path });
  server.ports.http = portOf('plain');
  server.ports.tls = portOf('secure');
  // Before there is a certificate.
  assert.match(await refused('shop.example'), /unrecognized name/i);
  const line = await until(() => gateway.log.find(/^handshake refused, no certificate/), 'the line');
  assert.equal(line.fields['host'], 'shop.example');
  release();
  await until(() => server.issued.length === 2, 'the certificates', 30_000);
  await until(() => gateway.gateway.snapshot().duties.every(({ lastSuccess }) => lastSuccess !== null), 'their use');
});
test.after(async () => {
  await closeAll();
  server.close();
  removeFolders();
});

test('each exact host gets a certificate by TLS-ALPN-01, at every worker; others none', async () => {
  assert.equal(server.book.validations, ['tls-alpn-01 api.example', 'tls-alpn-01 shop.example']);
  for (const host of ['shop.example', 'api.example', 'SHOP.example', 'shop.example', 'shop.example', 'api.example']) {
    const socket = await handshake(host);
    assert.ok(socket.authorized);
    assert.match(socket.getPeerCertificate().subjectaltname ?? '', new RegExp(`^DNS:${host.toLowerCase()}$`));
    socket.destroy();
  }
  for (const host of ['a.wild.example', 'other.example']) assert.match(await refused(host), /unrecognized name/i, host);
});

test('requests by https reach the route, by http they are redirected', async () => {
  const socket = await handshake('shop.example');
  socket.write('GET /a HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n');
  let reply = '';
  for await (const part of socket) reply += String(part);
  assert.match(reply, /^HTTP\/1\.1 200 [\s\S]*secure$/);
  assert.equal(await plain('/a?b'), { status: 308, location: 'https://shop.example/a?b' });
});

test('handshakes for a challenge find none when none is open', async () => {
  assert.match(await refused('shop.example', { ALPNProtocols: ['acme-tls/1'] }), /unrecognized name|no application/i);
});

test('HTTP-01 at a listener that redirects; a new host is ordered after a reload', async () => {
  const port = server.ports.tls;
  server.ports.tls = 1;
  file.write(text.replace('"api.example", ', '"new.example", ').replace('[acme]', '[acme]\nchallenges = ["http-01"]'));
  await gateway.gateway.reload();
  // The settings have changed: the certificate that is still wanted serves on.
  const socket = await handshake('shop.example');
  socket.destroy();
  await until(() => server.book.validations.includes('http-01 new.example'), 'the validation', 30_000);
  await until(async () => (await refused('new.example')) === 'accepted', 'the certificate');
  assert.match(await refused('api.example'), /unrecognized name/i);
  assert.is((await plain('/.well-known/acme-challenge/unknown')).status, 308);
  assert.is(server.issued.length, 3);
  assert.is(server.book.accounts.size, 1);
  server.ports.tls = port;
});

test('the admin API and the metrics show each certificate', async () => {
  const duties = gateway.gateway.snapshot().duties.filter(({ use }) => use === 'acme');
  assert.equal(
    duties.map(({ policy, failing }) => `${policy} ${failing}`),
    ['acme:new.example false', 'acme:shop.example false'],
  );
  const ends = server.issued.at(-1)!.to + 999;
  assert.is(duties[0]?.expires, ends);
  const { body } = await call('/metrics', { socketPath: gateway.gateway.adminSocket! });
  const metric = `gw_acme_certificate_expires_timestamp_seconds{host="new.example"} ${ends / 1000}`;
  assert.ok(body.includes(metric), metric);
});

test.run();
