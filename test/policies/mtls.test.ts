/** Certificates offline: whose they are, when they are valid by the clock of a test, and what targets get of them. */
import { X509Certificate } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Authentication, ClientCertificate, Exchange } from '../../src/policies/contract.js';
import { Certificate, certificateFacts } from '../../src/policies/kits/certificates.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { Authorities, type Issued } from '../support/authority.js';
import { compile, create, exchange, host, lint, noBody, type World, world } from './support.js';

const authorities = new Authorities();
test.after(() => authorities.remove());
const root = authorities.create('root');
const HOUR = 3_600_000;
const NOON = Date.UTC(2027, 0, 15, 12);
/** Valid for the hour after noon. */
const acme = root.issue('acme', {
  from: '20270115120000Z',
  to: '20270115130000Z',
  subject: '/O=Acme/CN=acme',
  extensions: ['subjectAltName=DNS:acme.example,DNS:other.example,URI:spiffe://mesh/acme'],
});

const bytes = ({ cert }: Issued): Buffer => new X509Certificate(cert).raw;
const field = (issued: Issued): string => `:${bytes(issued).toString('base64')}:`;

function around(...names: string[]): World {
  const made = world();
  made.wall = NOON + HOUR / 2;
  for (const name of names)
    made.consumers.push({ name, groups: [], tags: {}, credentials: name === 'acme' ? [CREDENTIAL] : [] });
  return made;
}

const CREDENTIAL = {
  kind: 'certificate',
  name: 'laptop',
  id: `sha256:${new X509Certificate(acme.cert).fingerprint256.replaceAll(':', '').toLowerCase()}`,
} as const;

/** An exchange whose connection has a certificate. */
const shown = (verified = true): Exchange => {
  const certificate: ClientCertificate = certificateFacts(Certificate.read(bytes(acme)), [], () => verified);
  const on = exchange();
  const tls = { version: 'TLSv1.3', serverName: undefined, clientCertificate: certificate } as never;
  return Object.assign(on, { connection: { ...on.connection, tls } });
};

/** An exchange of a trusted proxy, or of a stranger. */
const forwarded = (text: string, trusted = true): Exchange => {
  const on = exchange({ headers: [['client-cert', text]] });
  return Object.assign(on, { connection: { ...on.connection, trusted } });
};

const found = (made: ReturnType<typeof create>, on: Exchange): string => {
  const { why, outcome, ...more } = made.authenticate!(on, noBody) as Authentication;
  const consumer = (more as { readonly consumer?: { readonly name: string } }).consumer?.name;
  return outcome === 'identity' ? `identity ${consumer ?? 'none'}` : `${outcome}: ${why}`;
};

test('by fingerprint, by each kind of name, and by none', () => {
  const policy = (keys: string, ...names: string[]) => found(create('mtls', keys, around(...names)), shown());
  assert.is(policy('', 'acme'), 'identity acme');
  assert.is(policy('', 'other'), 'refused: no consumer has the certificate');
  assert.is(policy('consumer = "subject.cn"', 'acme'), 'identity acme');
  assert.is(policy('consumer = "san.dns"', 'acme.example'), 'identity acme.example');
  assert.is(policy('consumer = "san.uri"\nnames = { "spiffe://mesh/acme" = "cart" }', 'cart'), 'identity cart');
  assert.is(policy('consumer = "subject"\nnames = { "CN=acme, O=Acme" = "cart" }', 'cart'), 'identity cart');
  assert.is(policy('consumer = "none"'), 'identity none');
  assert.match(policy('consumer = "san.email"', 'acme'), 'refused: no consumer has the san.email');
  assert.match(policy('consumer = "san.dns"', 'acme.example', 'other.example'), 'belong to several consumers');
  assert.match(policy('issuers = ["CN=other"]', 'acme'), 'refused: the issuer CN=root is not allowed');
});

test('a certificate that the listener does not accept is refused, and none is absent', () => {
  const policy = create('mtls', '', around('acme'));
  assert.is(found(policy, shown(false)), 'refused: the client certificate is not verified');
  assert.is(found(policy, exchange()), 'absent: no client certificate');
  const optional = create('mtls', 'optional = true', around('acme'));
  assert.is((optional.authenticate!(exchange(), noBody) as { readonly pass?: boolean }).pass, true);
  assert.match(found(optional, shown(false)), 'refused');
});

test('the certificate of a proxy counts from its first to its last second, also if it was accepted before', () => {
  const time = around('acme');
  const policy = create('mtls', 'from = "client-cert"', time);
  const expired = 'refused: the client certificate has expired or is not valid yet';
  for (const [at, result] of [
    [NOON - 1, expired],
    [NOON, 'identity acme'],
    [NOON + HOUR, 'identity acme'],
    [NOON + HOUR + 1000, expired],
    [NOON + 1, 'identity acme'],
  ] as const) {
    time.wall = at;
    assert.is(found(policy, forwarded(field(acme))), result, new Date(at).toISOString());
  }
  assert.is(found(policy, forwarded(field(acme), false)), 'absent: no client certificate', 'a stranger');
  assert.match(found(policy, forwarded('x')), 'not one byte sequence');
});

test('lists of the policy: a revoked certificate, and a list that is out of date', () => {
  const made = (crl: string) => {
    const readFile = (path: string) => ({ text: path === 'ca.pem' ? root.cert : crl });
    const settings = compile('mtls', 'from = "client-cert"\nca = "ca.pem"\ncrl = "crl.pem"', { readFile });
    const time = around('acme');
    return { time, policy: runHalves['mtls']!(settings!, host(time)) };
  };
  const listed = root.list('list', '20270115124000Z');
  const { policy, time } = made(listed);
  assert.is(found(policy, forwarded(field(acme))), 'identity acme');
  time.wall = NOON + (2 / 3) * HOUR + 1000;
  assert.match(found(policy, forwarded(field(acme))), 'refused');
  root.revoke(acme);
  assert.match(found(made(root.list()).policy, forwarded(field(acme))), 'the client certificate is revoked');
  root.restore(acme);
});

test('what targets get is what gw has verified', () => {
  const keys = 'forward = { client_cert = true, fields = { x-subject = "subject", x-names = "san.dns" } }';
  const policy = create('mtls', keys, around('acme'));
  const { fields } = policy.authenticate!(shown(), noBody) as unknown as { fields: [string, string][] };
  assert.equal(fields, [
    ['client-cert', field(acme)],
    ['x-subject', 'CN=acme,O=Acme'],
    ['x-names', '"acme.example", "other.example"'],
  ]);
  const on = exchange({
    headers: [
      ['x-subject', 'forged'],
      ['client-cert', 'forged'],
      ['x-other', '1'],
    ],
  });
  policy.strip!(on);
  assert.equal([...on.headers.entries()], [['x-other', '1']]);
});

test('lint: names, files and listeners that do not fit', () => {
  assert.equal(lint('mtls', ''), ['mtls/no-certificates']);
  assert.equal(lint('mtls', 'names = { a = "acme" }', CERTIFICATES), ['mtls/names names']);
  assert.equal(lint('mtls', 'consumer = "san.dns"\nnames = { a = "nobody" }'), ['mtls/unknown-consumer names.a']);
  assert.equal(lint('mtls', 'consumer = "subject"\nnames = { a = "acme" }'), ['mtls/names names.a']);
  assert.equal(lint('mtls', 'ca = "ca.pem"', CERTIFICATES), ['mtls/ca ca']);
});

const CERTIFICATES = { consumers: [{ name: 'acme', groups: [], credentials: ['certificate'] }] } as const;

test.run();
