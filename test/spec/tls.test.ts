/** `tls` of listeners: versions and ciphers. */
import { getCiphers } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KNOWN_CIPHERS, tlsPolicyFor } from '../../src/bundle/tls.js';
import { compile } from '../../src/compiler/index.js';
import { loadSpec } from '../../src/spec/index.js';

const test = suite('tls of listeners');

const read = (more: string): ReturnType<typeof loadSpec> =>
  loadSpec({
    path: 'gateway.toml',
    text: `spec = 1
[listener.main]
address = "127.0.0.1:0"
tls = { cert = "c.pem", key = "k.pem"${more} }
[[route]]
name = "a"
match = "/a"
reply = { status = 204 }
`,
  });

const errors = (more: string): string[] =>
  read(more)
    .diagnostics.filter(({ severity }) => severity === 'error')
    .map(({ code, message, help }) => `${code}: ${message} ${help ?? ''}`);

test('ciphers may be a list or a string, and are optional', () => {
  const [first] = read(', ciphers = ["TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-SHA"]').value?.listeners ?? [];
  assert.equal(first?.config.tls?.ciphers, ['TLS_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-SHA']);
  const [second] = read(', ciphers = "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-SHA"').value?.listeners ?? [];
  assert.equal(second?.config.tls?.ciphers, first?.config.tls?.ciphers);
  assert.is(read('').value?.listeners[0]?.config.tls?.min_version, '1.2');
  assert.equal(errors(', min_version = "1.3"'), []);
});

for (const [more, expected] of [
  [', min_version = "1.1"', /schema\/value: Expected one of/],
  [', ciphers = []', /^schema\//],
  [', ciphers = ""', /^schema\//],
  [', ciphers = ["AES128-SHA"]', /forward secrecy/],
  [', ciphers = "ECDHE-RSA-AES128-GCM-SHA256:AES256-GCM-SHA384"', /AES256-GCM-SHA384.* forward secrecy/],
  [', ciphers = ["TLS_RSA_WITH_AES_128_CBC_SHA"]', /forward secrecy/],
  [', ciphers = ["ECDHE-RSA-AES128-GCM-SHA265"]', /Did you mean `ECDHE-RSA-AES128-GCM-SHA256`/],
  [', ciphers = ["HIGH"]', /Expected a TLS cipher/],
  [', ciphers = ["ADH-AES128-SHA", "TLS_AES_128_GCM_SHA256"]', /ADH-AES128-SHA/],
  [', client_crl = "a.crl"', /`client_crl` has no effect without `client_ca`/],
  [', client_certificate = "optional"', /`client_certificate` has no effect without `client_ca`/],
  [', client_ca = []', /^schema\//],
  [', client_ca = "a.pem", client_certificate = "maybe"', /^schema\//],
  [', forward_client_cert = true', /`forward_client_cert` has no effect without `client_ca`/],
  [', hosts = [{}]', /neither `names` nor a certificate/],
  [', hosts = [{ names = ["a"], cert = "a.pem" }]', /`cert` is set without `key`/],
  [', hosts = [{ names = ["a.b", "c"] }, { names = ["A.B"] }]', /Two entries of `hosts` have the name \S*a\.b\S*:/],
  [', hosts = [{ names = ["*.*.b"] }]', /^schema\//],
  [', hosts = [{ names = ["https://b"] }]', /^schema\//],
  [', hosts = [{ names = ["a"], client_certificate = "optional" }]', /`client_certificate` has no effect without/],
  [
    ', min_version = "1.3", hosts = [{ names = ["a"], ciphers = ["ECDHE-RSA-AES128-GCM-SHA256"] }]',
    /no cipher of TLS 1\.3/,
  ],
  [', min_version = "1.3", ciphers = ["ECDHE-RSA-AES128-GCM-SHA256"]', /no cipher of TLS 1\.3/],
] as const) {
  test(`refused: tls = {${more.slice(1)} }`, () => {
    const found = errors(more);
    assert.is(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', expected);
  });
}

test('client_ca is one file or several', () => {
  assert.equal(read(', client_ca = "a.pem"').value?.listeners[0]?.config.tls?.client_ca, ['a.pem']);
  assert.equal(
    errors(', client_ca = ["a.pem", "${env:CA}"], client_crl = "a.crl", client_certificate = "optional"'),
    [],
  );
});

test('TLS needs a certificate, of the listener or of its hosts', () => {
  const of = (tls: string): string[] =>
    loadSpec({ path: 'a', text: `spec = 1\n[listener.main]\naddress = ":0"\ntls = { ${tls} }` })
      .diagnostics.filter(({ severity }) => severity === 'error')
      .map(({ message }) => message);
  assert.match(of('').join(), /`cert` and `key` are missing/);
  assert.match(of('cert = "a"').join(), /`cert` is set without `key`/);
  assert.match(of('hosts = [{ names = ["a"] }]').join(), /The host \S*a\S* has no certificate/);
  assert.equal(of('hosts = [{ cert = "a", key = "b" }]'), []);
});

test('a host takes from its listener what it does not set, and can ask for no certificate', () => {
  const { value } = read(
    ', min_version = "1.3", client_ca = "ca.pem", client_crl = "a.crl", forward_client_cert = true, hosts = [{ names = ["A.example"] }, { names = ["b"], client_ca = "b.pem", client_certificate = "optional", cert = "b.pem", key = "b.key", min_version = "1.2", forward_client_cert = false }, { names = ["c"], client_certificate = "none" }]',
  );
  if (value === undefined) throw new Error('the spec is right');
  const { hosts, ...own } = compile(value).bundle.program.listeners[0]?.tls ?? {};
  const client = { ca: ['ca.pem'], certificate: 'required', crl: ['a.crl'], forward: true };
  assert.equal(own, { cert: 'c.pem', key: 'k.pem', minVersion: '1.3', client });
  assert.equal(hosts, [
    { ...own, names: ['a.example'] },
    { cert: 'b.pem', key: 'b.key', names: ['b'], client: { ca: ['b.pem'], certificate: 'optional' } },
    { cert: 'c.pem', key: 'k.pem', minVersion: '1.3', names: ['c'] },
  ]);
  const tls = { ...own, hosts: [...(hosts ?? []), { names: ['*.example'] }] };
  for (const [name, expected] of [
    ['a.example', hosts?.[0]],
    ['z.example', { names: ['*.example'] }],
    ['x.z.example', own],
    ['localhost', own],
  ] as const)
    assert.equal(tlsPolicyFor(tls, name), expected, name);
});

test('OpenSSL knows every cipher that a spec may use', () => {
  const known = new Set(getCiphers());
  for (const name of KNOWN_CIPHERS) assert.ok(known.has(name.toLowerCase()), name);
});

test.run();
