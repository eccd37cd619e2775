/** `[consumer.NAME]`: groups, credentials of each kind, and what is wrong with them. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/compiler/index.js';
import { loadSpec } from '../../src/spec/index.js';
import { digestOfKey } from '../support/consumers.js';
import { HEAD, inFolder, load } from './helper.js';

const R = '[[route]]\nname = "list"\nmatch = "GET /orders"\nto = "orders"\npolicies = ["keys"]\n';
const hash = (text: string): string => `sha256:${digestOfKey(text)}`;
const pem = (key: KeyObject): string =>
  key.export({ type: key.type === 'public' ? 'spki' : 'pkcs8', format: 'pem' }).toString();

const ed25519 = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const shortRsa = generateKeyPairSync('rsa', { modulusLength: 1024 });

const credentials = (...tables: string[]): string =>
  `${HEAD}${R}[consumer.acme]\n${tables.map((table) => `[[consumer.acme.credentials]]\n${table}\n`).join('')}`;

/** The messages of the errors, as `code: message`. */
const errors = (text: string): string[] => load(text).diagnostics.map(({ code, message }) => `${code}: ${message}`);

const consumerOf = (text: string) => {
  const { value, diagnostics } = load(text);
  assert.equal(diagnostics, []);
  return compile(value!).bundle.program.consumers[0]!;
};

test('a consumer has groups, flags, and credentials of each kind with their attributes', () => {
  const text = credentials(
    `name = "ci"\nkey = "${hash('two')}"\nexpires = 2027-01-31T00:00:00Z\naddresses = ["10.0.0.0/8", "::1"]`,
    `key = "${hash('three')}"\ndisabled = true`,
    `certificate = "${hash('certificate')}"`,
    'username = "alice"\npassword = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"',
    `key_id = "k1"\nalgorithm = "ed25519"\npublic_key = """\n${pem(ed25519.publicKey)}"""`,
    'key_id = "k2"\nalgorithm = "hmac-sha256"\nsecret = "${env:SECRET}"',
    'key_id = "k3"\nalgorithm = "hmac-sha256"\nsecret = "${env:SECRET}"\nsecret_encoding = "base64"',
    'key_id = "k4"\nalgorithm = "hmac-sha256"\nsecret = "${env:SECRET}"\nsecret_encoding = "text"',
  ).replace(
    '[consumer.acme]\n',
    `[consumer.acme]\ngroups = ["partners", "beta"]\nkeep_streams = true\ndisabled = true\napi_keys = ["${hash('one')}"]\n`,
  );
  const { x } = ed25519.publicKey.export({ format: 'jwk' });
  assert.equal(consumerOf(text), {
    name: 'acme',
    groups: ['partners', 'beta'],
    keepStreams: true,
    disabled: true,
    tags: {},
    credentials: [
      { kind: 'key', name: 'key-1', id: hash('one') },
      {
        kind: 'key',
        name: 'ci',
        id: hash('two'),
        expires: Date.UTC(2027, 0, 31),
        addresses: ['10.0.0.0/8', '::1'],
      },
      { kind: 'key', name: 'key-2', id: hash('three'), disabled: true },
      { kind: 'certificate', name: 'certificate-1', id: hash('certificate') },
      {
        kind: 'password',
        name: 'password-1',
        id: 'alice',
        data: '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW',
      },
      {
        kind: 'signature',
        name: 'signature-1',
        id: 'k1',
        data: { algorithm: 'ed25519', key: { crv: 'Ed25519', kty: 'OKP', x } },
      },
      {
        kind: 'signature',
        name: 'signature-2',
        id: 'k2',
        data: { algorithm: 'hmac-sha256', key: { $ref: '${env:SECRET}' } },
      },
      {
        kind: 'signature',
        name: 'signature-3',
        id: 'k3',
        data: { algorithm: 'hmac-sha256', encoding: 'base64', key: { $ref: '${env:SECRET}' } },
      },
      {
        kind: 'signature',
        name: 'signature-4',
        id: 'k4',
        data: { algorithm: 'hmac-sha256', key: { $ref: '${env:SECRET}' } },
      },
    ],
  });
});

test('api_keys alone is as before: no groups, no attributes', () => {
  const text = `${HEAD}${R}[consumer.acme]\napi_keys = ["${hash('a')}", "${hash('b')}"]\n`;
  assert.equal(consumerOf(text), {
    name: 'acme',
    groups: [],
    tags: {},
    credentials: [
      { kind: 'key', name: 'key-1', id: hash('a') },
      { kind: 'key', name: 'key-2', id: hash('b') },
    ],
  });
});

const KEY = `key = "${hash('k')}"`;
const WRONG: readonly (readonly [table: string, expected: RegExp])[] = [
  ['name = "ci"', /^schema\/one-of: A credential has exactly one of .*; found none/],
  [
    `${KEY}\nusername = "alice"\npassword = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"`,
    /^schema\/one-of: .*found `key` and `username`/,
  ],
  [
    `${KEY}\npassword = "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"`,
    /^schema\/one-of: `password` belongs to a credential with `username`/,
  ],
  [`${KEY}\nalgorithm = "ed25519"`, /^schema\/one-of: `algorithm` belongs to a credential with `key_id`/],
  ['username = "alice"', /^schema\/one-of: `username` needs `password`/],
  ['key_id = "k"', /^schema\/one-of: `key_id` needs `algorithm`/],
  ['key_id = "k"\nalgorithm = "ed25519"', /^schema\/one-of: The algorithm `ed25519` needs `public_key`/],
  ['key_id = "k"\nalgorithm = "hmac-sha256"\npublic_key = "k.pem"', /^schema\/one-of: .* needs `secret`/],
  ['key = "hunter2"', /^schema\/format: A spec contains API keys only as hashes/],
  ['certificate = "AB:CD"', /^schema\/format: A certificate is named by its fingerprint/],
  ['username = "alice"\npassword = "hunter2"', /^schema\/format: A spec contains passwords only as hashes/],
  [`${KEY}\nsecret_encoding = "hex"`, /^schema\/one-of: `secret_encoding` belongs to a credential with `key_id`/],
  [
    'key_id = "k"\nalgorithm = "ed25519"\npublic_key = "k.pem"\nsecret_encoding = "hex"',
    /^schema\/one-of: `secret_encoding` belongs to a credential with `secret`, but this one has `public_key`/,
  ],
  ['key_id = "k"\nalgorithm = "hmac-sha256"\nsecret = "hunter2"', /^schema\/format: A spec contains no secrets/],
  [`${KEY}\nexpires = 2027-01-31`, /^schema\/format: Expected a date and time/],
  [`${KEY}\nexpires = 2027-01-31T00:00:00`, /^schema\/format: Expected a date and time/],
  [`${KEY}\nexpires = 1800000000`, /^schema\/type: Expected a date and time/],
  [`${KEY}\naddresses = ["10.0.0.0/40"]`, /^schema\/format: Expected an IP address/],
  [`${KEY}\nname = "a b"`, /^schema\/format: Expected a name/],
  ['key_id = "k"\nalgorithm = "ed25519"\npublic_key = "missing.pem"', /^consumer\/public-key: .*cannot be read/],
];

for (const [table, expected] of WRONG)
  test(`refused: ${table.replaceAll('\n', ', ').replace(/sha256:\w+/, 'sha256:...')}`, () => {
    const found = errors(credentials(table));
    assert.is(found.length, 1, JSON.stringify(found));
    assert.match(found[0]!, expected);
    assert.not.match(found[0]!, 'hunter2');
  });

test('a public key must be one, fit the algorithm, and is read relative to the spec', () => {
  const spec = credentials('key_id = "k"\nalgorithm = "ALGORITHM"\npublic_key = "keys/k.pem"');
  const found = (algorithm: string, text: string): string =>
    inFolder({ 'gateway.toml': spec.replace('ALGORITHM', algorithm), 'keys/k.pem': text }, (folder) =>
      loadSpec({ path: `${folder}/gateway.toml` })
        .diagnostics.map(({ message }) => message)
        .join('\n'),
    );
  assert.is(found('ed25519', pem(ed25519.publicKey)), '');
  assert.is(found('ecdsa-p256-sha256', pem(p256.publicKey)), '');
  assert.is(found('rsa-pss-sha512', pem(rsa.publicKey)), '');
  assert.match(found('ed25519', pem(p256.publicKey)), 'is not an Ed25519 key');
  assert.match(found('ecdsa-p384-sha384', pem(p256.publicKey)), 'is not an ECDSA key on the curve P-384');
  assert.match(found('rsa-v1_5-sha256', pem(shortRsa.publicKey)), 'is an RSA key of 1024 bits');
  assert.match(found('rsa-pss-sha512', pem(ed25519.publicKey)), 'is not an RSA key');
  assert.match(found('ed25519', 'no key'), 'is not a public key in PEM');
  const secret = found('ed25519', pem(ed25519.privateKey));
  assert.match(secret, 'contains a private key');
  assert.not.match(secret, 'BEGIN');
});

test.run();
