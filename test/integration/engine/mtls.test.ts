/** The mtls policy behind real handshakes, and behind a proxy that forwards certificates. */
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import * as assert from 'uvu/assert';
import { Authorities, type Issued } from '../../support/authority.js';
import { until } from '../../support/until.js';
import { type Plane, RawClient, type RawReply, specOf } from '../engine-kit.js';
import { type EngineContext, engineSuite } from '../engine-suite.js';

const CERT = join(process.cwd(), 'test/integration/fixtures/tls-cert.pem');
const KEY = join(process.cwd(), 'test/integration/fixtures/tls-key.pem');

const authorities = new Authorities();
const root = authorities.create('root', { subject: '/O=Acme/CN=Clients CA' });
const other = authorities.create('other');
const middle = root.intermediate('middle');
const san = (name: string, names: string): Issued =>
  root.issue(name, { extensions: ['extendedKeyUsage=clientAuth', `subjectAltName=${names}`] });
const acme = root.issue('acme', { subject: '/O=Acme/CN=acme' });
const cart = san('cart', 'URI:spiffe://mesh/ns/shop/sa/cart,DNS:cart.example,email:cart@example.com');
const both = san('both', 'DNS:acme,DNS:umbrella');
const below = middle.issue('below');
const foreign = other.issue('acme', { subject: '/O=Acme/CN=acme' });
const old = root.issue('old', { to: '20210101000000Z' });

const der = ({ cert }: Issued): Buffer => new X509Certificate(cert).raw;
const field = (...issued: Issued[]): string => issued.map((one) => `:${der(one).toString('base64')}:`).join(', ');
const fingerprint = (issued: Issued): string =>
  new X509Certificate(issued.cert).fingerprint256.replaceAll(':', '').toLowerCase();

const test = engineSuite('mtls');
test.after(() => authorities.remove());

interface Settings {
  readonly policy?: string;
  readonly listener?: string;
  readonly certificate?: 'optional' | 'required';
  readonly ca?: string;
}

/** Loads a spec with consumers that have a certificate, and one that has none. */
async function load(
  { plane, target }: EngineContext,
  { policy = '', listener = '', certificate = 'optional', ca = `${root.cert}${other.cert}` }: Settings = {},
): Promise<void> {
  const tls = `tls = { cert = "${CERT}", key = "${KEY}", client_ca = ${JSON.stringify(ca)}, client_certificate = "${certificate}" }`;
  const credential = (name: string, issued: Issued): string =>
    `[consumer.${name}]\n[[consumer.${name}.credentials]]\nname = "one"\ncertificate = "sha256:${fingerprint(issued)}"`;
  const more = [
    credential('acme', acme),
    credential('umbrella', below),
    '[consumer.cart]\ngroups = ["shop"]',
    `[policy.certificates]\nuse = "mtls"\n${policy}`,
  ].join('\n');
  await plane.load(specOf(target.url, { listener: `${tls}\n${listener}`, route: 'policies = ["certificates"]', more }));
}

async function ask(plane: Plane, issued: Issued | undefined, fields = '', ...chain: Issued[]): Promise<RawReply> {
  const own =
    issued === undefined ? {} : { key: issued.key, cert: [issued, ...chain].map(({ cert }) => cert).join('') };
  const client = new RawClient(connect({ port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, ...own }));
  try {
    client.send(`GET / HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`);
    return await client.reply();
  } finally {
    client.destroy();
  }
}

const consumers = ({ plane }: EngineContext): (string | null)[] => plane.records.map(({ consumer }) => consumer);

test('by fingerprint: the consumer with the certificate, and nobody else', async (context) => {
  const { plane, target } = context;
  await load(context);
  assert.is((await ask(plane, acme)).status, 200);
  assert.is((await ask(plane, below, '', middle)).status, 200);
  for (const [issued, code] of [
    [undefined, 'auth/missing'],
    [both, 'auth/invalid'],
    [foreign, 'auth/invalid'],
  ] as const) {
    const reply = await ask(plane, issued);
    assert.is(reply.status, 401);
    assert.match(reply.body.toString(), code);
    assert.is(reply.header('www-authenticate'), 'ClientCertificate realm="api"');
  }
  await plane.record(({ consumer }) => consumer === 'umbrella');
  assert.equal(consumers(context).slice(0, 2), ['acme', 'umbrella']);
  assert.is(target.arrived.length, 2);
});

test('optional: without a certificate there is no consumer, and a wrong one is refused', async (context) => {
  const { plane } = context;
  await load(context, { policy: 'optional = true' });
  assert.is((await ask(plane, undefined)).status, 200);
  assert.is((await ask(plane, both)).status, 401);
});

test('a reload that removes a certificate applies to the next request of a kept connection', async (context) => {
  const { plane, target } = context;
  await load(context);
  const client = new RawClient(
    connect({ port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, key: acme.key, cert: acme.cert }),
  );
  const status = async (): Promise<number> => {
    client.send('GET / HTTP/1.1\r\nHost: a.example\r\n\r\n');
    return (await client.reply()).status;
  };
  assert.is(await status(), 200);
  const tls = `tls = { cert = "${CERT}", key = "${KEY}", client_ca = ${JSON.stringify(root.cert)} }`;
  const more = '[consumer.acme]\ngroups = ["a"]\n[policy.certificates]\nuse = "mtls"';
  await plane.load(specOf(target.url, { listener: tls, route: 'policies = ["certificates"]', more }));
  assert.is(await status(), 401);
  client.destroy();
});

test('a certificate whose credential is disabled or has expired is refused like an unknown one, and a disabled consumer gets 403', async (context) => {
  const { plane, target } = context;
  const tls = `tls = { cert = "${CERT}", key = "${KEY}", client_ca = ${JSON.stringify(root.cert)}, client_certificate = "optional" }`;
  const replies: unknown[] = [];
  for (const [more, own] of [
    ['', ''],
    ['', 'disabled = true'],
    ['', 'expires = 2020-01-01T00:00:00Z'],
    ['', 'addresses = ["10.0.0.0/8"]'],
    ['disabled = true', ''],
  ] as const) {
    const credential = `[[consumer.acme.credentials]]\nname = "one"\ncertificate = "sha256:${fingerprint(acme)}"\n${own}`;
    const spec = `[consumer.acme]\n${more}\n${credential}\n[policy.certificates]\nuse = "mtls"`;
    await plane.load(specOf(target.url, { listener: tls, route: 'policies = ["certificates"]', more: spec }));
    const { status, body } = await ask(plane, acme);
    const unknown = await ask(plane, both);
    assert.is(unknown.status, 401);
    const text = (one: Buffer): string => one.toString().replace(/"instance".*/, '');
    replies.push([status, status === 401 && text(body) === text(unknown.body)]);
  }
  assert.equal(replies, [
    [200, false],
    [401, true],
    [401, true],
    [401, true],
    [403, false],
  ]);
});

test('open streams and tunnels end when a list revokes their certificate, but not those of others or with keep_streams', async (context) => {
  const { plane, target } = context;
  const crl = join(authorities.folder, 'streams.crl');
  const named = root.issue('kept', { subject: '/O=Acme/CN=kept' });
  const policy = '[policy.certificates]\nuse = "mtls"\nconsumer = "subject.cn"';
  const anyone = '[policy.anyone]\nuse = "mtls"\nconsumer = "none"';
  const more = `[consumer.acme]\n[consumer.kept]\nkeep_streams = true\n[consumer.cart]\n${policy}\n${anyone}
[[route]]\nname = "anyone"\nmatch = "/anyone"\nto = "it"\npolicies = ["anyone"]`;
  const reload = async (): Promise<void> => {
    writeFileSync(crl, root.list());
    const tls = `tls = { cert = "${CERT}", key = "${KEY}", client_ca = ${JSON.stringify(root.cert)}, client_crl = ${JSON.stringify(crl)}, client_certificate = "optional" }`;
    await plane.load(specOf(target.url, { listener: tls, route: 'policies = ["certificates"]', more }));
  };
  await reload();
  target.respond = ({ socket, head }) =>
    void socket.write(
      /upgrade: echo/i.test(head)
        ? 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1\r\n\r\ndata: 1'
        : 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n',
    );
  const open = async (issued: Issued, path: string, fields = ''): Promise<RawClient> => {
    const own = { key: issued.key, cert: issued.cert };
    const client = new RawClient(connect({ port: plane.port, host: '127.0.0.1', rejectUnauthorized: false, ...own }));
    client.send(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n${fields}\r\n`);
    await until(() => client.pending.includes('data: 1'), path);
    return client;
  };
  const upgrade = 'Connection: Upgrade\r\nUpgrade: echo/1\r\n';
  const [stream, tunnel, free, kept, other] = [
    await open(acme, '/stream'),
    await open(acme, '/tunnel', upgrade),
    await open(acme, '/anyone'),
    await open(named, '/kept'),
    await open(cart, '/other'),
  ];
  await reload();
  for (const one of [acme, named]) root.revoke(one);
  const since = performance.now();
  await reload();
  const ending = [stream, tunnel, free];
  await until(() => ending.every(({ ended }) => ended), 'the revoked ones end');
  assert.ok(performance.now() - since < 1000);
  assert.equal([kept.ended, other.ended], [false, false]);
  for (const path of ['/stream', '/tunnel', '/anyone']) {
    const { error, cause } = await plane.record(({ url }) => url === path);
    assert.equal([error, cause], ['auth/revoked', 'the client certificate is not accepted any more']);
  }
  for (const one of [acme, named]) root.restore(one);
  for (const client of [kept, other]) client.destroy();
});

test('by name: exactly one, of the kind that the policy says', async (context) => {
  const { plane } = context;
  const names = (by: string, name: string): string =>
    `consumer = "${by}"\nnames = { ${JSON.stringify(name)} = "cart" }`;
  for (const [policy, issued, status] of [
    [names('san.uri', 'spiffe://mesh/ns/shop/sa/cart'), cart, 200],
    [names('san.uri', 'spiffe://mesh/ns/shop/sa/car'), cart, 401],
    [names('san.uri', 'SPIFFE://mesh/ns/shop/sa/cart'), cart, 401],
    [names('san.dns', 'cart.example'), cart, 200],
    [names('san.dns', '*.example'), cart, 401],
    [names('san.dns', 'spiffe://mesh/ns/shop/sa/cart'), cart, 401],
    [names('san.email', 'cart@example.com'), cart, 200],
    [names('subject', 'cn=acme , o=Acme'), acme, 200],
    [names('subject', 'O=Acme,CN=acme'), acme, 401],
    ['consumer = "subject.cn"', acme, 200],
    ['consumer = "subject.cn"', cart, 200],
    ['consumer = "subject.cn"', both, 401],
    ['consumer = "san.dns"', both, 400],
    ['consumer = "none"', both, 200],
    ['consumer = "subject.cn"\nissuers = ["CN=Clients CA,O=Acme"]', acme, 200],
    ['consumer = "subject.cn"\nissuers = ["CN=Clients CA,O=Acme"]', foreign, 401],
    ['consumer = "subject.cn"', foreign, 200],
  ] as const) {
    await load(context, { policy });
    assert.is((await ask(plane, issued)).status, status, `${policy} ${issued.certFile}`);
  }
});

test('a name with commas and quotes is one name: no other name can be smuggled into it', async (context) => {
  const { plane } = context;
  await load(context, { policy: 'consumer = "san.dns"' });
  for (const names of ['URI:http://a/\\,DNS:acme', 'DNS:x"\\, DNS:acme', 'email:a@b.c\\, DNS:acme']) {
    const file = join(authorities.folder, 'odd.cnf');
    const [kind = '', value = ''] = names.replaceAll('\\', '').split(/:(.*)/s);
    writeFileSync(file, '');
    const odd = root.issue('odd', {
      extensions: ['extendedKeyUsage=clientAuth', 'subjectAltName=@names', '[names]', `${kind}.1=${value}`],
    });
    assert.match(String(new X509Certificate(odd.cert).subjectAltName), 'acme');
    assert.is((await ask(plane, odd)).status, 401, names);
  }
});

test('targets get what the policy forwards, and nothing of it that a client wrote', async (context) => {
  const { plane, target } = context;
  const policy =
    'forward = { client_cert = true, chain = true, fields = { X-Subject = "subject", x-names = "san.dns", x-issuer = "issuer", x-print = "fingerprint" } }\nconsumer = "none"';
  await load(context, { policy, listener: 'trusted_proxies = ["127.0.0.1"]' });
  const forged =
    'CLIENT-CERT: :AA==:\r\nClient-Cert-Chain: :AA==:\r\nx-subject: CN=root\r\nX-NAMES: "x"\r\nX-Names: "y"\r\n';
  assert.is((await ask(plane, below, forged, middle)).status, 200);
  assert.is((await ask(plane, both, forged)).status, 200);
  const [first, second] = target.arrived;
  assert.is(first!.header('client-cert'), field(below));
  assert.is(first!.header('client-cert-chain'), field(middle));
  assert.is(first!.header('x-subject'), 'CN=below');
  assert.is(first!.header('x-issuer'), 'CN=middle');
  assert.is(first!.header('x-names'), undefined);
  assert.is(first!.header('x-print'), fingerprint(below));
  assert.is(second!.header('client-cert-chain'), undefined);
  assert.is(second!.header('x-names'), '"acme", "umbrella"');
  for (const name of ['client_cert', 'Client_Cert-Chain', 'x_subject']) {
    const reply = await ask(plane, both, `${name}: x\r\n`);
    assert.is(reply.status, 400, name);
  }
  assert.is(target.arrived.length, 2);
});

test('no service gets Client-Cert of a client, by any route or listener', async (context) => {
  const { plane, target } = context;
  const secure = `[listener.secure]\naddress = "127.0.0.1:0"\ntls = { cert = "${CERT}", key = "${KEY}", client_ca = ${JSON.stringify(root.cert)} }`;
  const policy =
    '[policy.certificates]\nuse = "mtls"\nconsumer = "none"\nforward = { client_cert = true, chain = true }';
  const route = '[[route]]\nmatch = "/secure"\nto = "it"\npolicies = ["certificates"]\nlisteners = ["secure"]';
  const other = `[service.other]\ntargets = ["${target.url}"]\n[[route]]\nmatch = "/other"\nto = "other"`;
  await plane.load(specOf(target.url, { more: [secure, policy, route, other].join('\n') }));
  for (const [path, expected] of [
    ['/', undefined],
    ['/other', undefined],
  ] as const) {
    const raw = plane.client();
    raw.send(`GET ${path} HTTP/1.1\r\nHost: a.example\r\nClient-Cert: :AA==:\r\nClient-Cert-Chain: :AA==:\r\n\r\n`);
    assert.is((await raw.reply()).status, 200);
    const arrived = target.arrived.at(-1)!;
    assert.equal([arrived.header('client-cert'), arrived.header('client-cert-chain')], [expected, expected], path);
    raw.destroy();
  }
});

test('Client-Cert of a trusted proxy authenticates, that of a stranger does not', async (context) => {
  const { plane, target } = context;
  const fields = `Client-Cert: ${field(acme)}\r\n`;
  await load(context, { policy: 'from = "client-cert"' });
  for (const issued of [undefined, below]) {
    const reply = await ask(plane, issued, fields, middle);
    assert.is(reply.status, 401);
    assert.match(reply.body.toString(), 'auth/missing');
  }
  assert.is(target.arrived.length, 0);
  await load(context, { policy: 'from = "client-cert"', listener: 'trusted_proxies = ["127.0.0.0/8"]' });
  assert.is((await ask(plane, undefined, fields)).status, 200);
  assert.is(target.arrived[0]!.header('client-cert'), undefined);
  assert.is((await plane.record(({ consumer }) => consumer !== null)).consumer, 'acme');
  // The certificate of the proxy is not that of the client.
  assert.is((await ask(plane, acme)).status, 401);
});

test('either: the field of a trusted proxy, the handshake of others', async (context) => {
  const { plane } = context;
  const fields = `Client-Cert: ${field(below)}\r\n`;
  await load(context, { policy: 'from = "either"' });
  assert.is((await ask(plane, acme, fields)).status, 200);
  await load(context, { policy: 'from = "either"', listener: 'trusted_proxies = ["127.0.0.0/8"]' });
  assert.is((await ask(plane, acme, fields)).status, 200);
  assert.is((await ask(plane, acme)).status, 401);
  await plane.record(({ consumer }) => consumer === 'umbrella');
  assert.equal(consumers(context).slice(0, 2), ['acme', 'umbrella']);
});

test('a malformed Client-Cert is refused: several, other forms, expired, no certificate', async (context) => {
  const { plane } = context;
  await load(context, {
    policy: 'from = "client-cert"\noptional = true',
    listener: 'trusted_proxies = ["127.0.0.0/8"]',
  });
  const good = field(acme);
  for (const fields of [
    `Client-Cert: ${good}\r\nClient-Cert: ${good}\r\n`,
    `Client-Cert: ${good}\r\nCLIENT-CERT: ${field(below)}\r\n`,
    `Client-Cert: ${field(acme, below)}\r\n`,
    `Client-Cert: ${good};a=1\r\n`,
    `Client-Cert: ${good.slice(1, -1)}\r\n`,
    `Client-Cert: "${good}"\r\n`,
    'Client-Cert: \r\n',
    'Client-Cert: ::\r\n',
    'Client-Cert: :AAAA:\r\n',
    `Client-Cert: :${der(acme).subarray(0, 200).toString('base64')}:\r\n`,
    `Client-Cert: :${Buffer.concat([der(acme), Buffer.alloc(3)]).toString('base64')}:\r\n`,
    `Client-Cert: ${encodeURIComponent(acme.cert)}\r\n`,
    `Client-Cert: ${field(old)}\r\n`,
    `Client-Cert-Chain: ${good}\r\n`,
    `Client-Cert: ${good}\r\nClient-Cert-Chain: ${good},\r\n`,
  ]) {
    const reply = await ask(plane, undefined, fields);
    assert.is(reply.status, 401, fields.slice(0, 80));
    assert.match(reply.body.toString(), 'auth/invalid');
  }
  assert.is((await ask(plane, undefined, `Client-Cert: ${good}\r\n`)).status, 200);
});

test('with ca and crl, the certificate of a proxy is verified again', async (context) => {
  const { plane } = context;
  const ca = join(authorities.folder, 'again.pem');
  const crl = join(authorities.folder, 'again-crl.pem');
  writeFileSync(ca, `${root.cert}${middle.cert}`);
  const policy = (lists: boolean): string =>
    `from = "client-cert"\nconsumer = "none"\nca = ${JSON.stringify(ca)}${lists ? `\ncrl = ${JSON.stringify(crl)}` : ''}`;
  const listener = 'trusted_proxies = ["127.0.0.0/8"]';
  const status = async (...issued: Issued[]): Promise<number> => {
    const chain = issued.length > 1 ? `Client-Cert-Chain: ${field(...issued.slice(1))}\r\n` : '';
    return (await ask(plane, undefined, `Client-Cert: ${field(issued[0]!)}\r\n${chain}`)).status;
  };
  await load(context, { policy: policy(false), listener });
  assert.equal([await status(acme), await status(below), await status(foreign)], [200, 200, 401]);
  assert.is(await status(foreign, other), 401, 'an authority that comes along is not trusted');
  writeFileSync(ca, root.cert);
  await load(context, { policy: policy(false), listener });
  assert.equal([await status(below), await status(below, middle)], [401, 200]);
  writeFileSync(crl, root.list());
  await load(context, { policy: policy(true), listener });
  assert.is(await status(acme), 200);
  root.revoke(acme);
  writeFileSync(crl, root.list());
  await load(context, { policy: policy(true), listener });
  assert.is(await status(acme), 401);
  await plane.record(({ cause }) => /the client certificate is revoked/.test(String(cause)));
  root.restore(acme);
});

test.run();
