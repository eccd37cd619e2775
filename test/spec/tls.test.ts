/** `tls` of listeners: versions and ciphers. */
import { getCiphers } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KNOWN_CIPHERS } from '../../src/bundle/tls.js';
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

test('OpenSSL knows every cipher that a spec may use', () => {
  const known = new Set(getCiphers());
  for (const name of KNOWN_CIPHERS) assert.ok(known.has(name.toLowerCase()), name);
});

test.run();
