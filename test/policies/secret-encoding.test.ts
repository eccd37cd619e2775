/** Shared secrets in hex and base64: of http-signature, of consumers, and of upstream-auth. */
import * as crypto from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Identity, Json, PolicyInstance } from '../../src/policies/contract.js';
import {
  type FoundSignature,
  readSignatures,
  signatureBase,
  verify,
} from '../../src/policies/kits/http-signature/index.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { signedAttempt } from '../../src/policies/upstream-auth/message-signature.js';
import { Signer } from '../support/signer.js';
import { NOW, PUBLIC, said, send } from './http-signature-kit.js';
import { KEYS, REQUEST, SHARED_SECRET, SIGNATURES } from './kits/rfc9421.js';
import { compile, exchange, host, lint, noBody, type World, world } from './support.js';
import { bed, run } from './upstream-auth-kit.js';

const RFC_KEY = KEYS['test-shared-secret'];
const HEX = Buffer.from(SHARED_SECRET, 'base64').toString('hex');

/** An http-signature policy, whose secrets have this value. */
function policyOf(text: string, secret: string, around: World = world()): PolicyInstance {
  const settings = JSON.stringify(compile('http-signature', text), (_key, value: Json) =>
    typeof value === 'object' && value !== null && '$ref' in value ? secret : value,
  );
  return runHalves['http-signature']!(JSON.parse(settings) as Json, host(around));
}

const RULES =
  'components = ["date", "@authority", "content-type"]\nnonce = "ignored"\norigin = "https://example.com"\n';
const keyOf = (encoding: string, id = 'test-shared-secret'): string =>
  `keys = [{ id = "${id}", secret = "\${env:S}"${encoding} }]`;

/** The request of RFC 9421 appendix B.2.5; its signature covers neither method nor body. */
const vector = () => {
  const { input, signature } = SIGNATURES.b25;
  const names = ['host', 'date', 'content-type'];
  const headers = names.flatMap((name) => REQUEST.values(name).map((value) => [name, value] as const));
  const on = exchange({ path: '/foo', headers: [...headers, ['signature-input', input], ['signature', signature]] });
  return Object.assign(on, { scheme: 'https', receivedTarget: REQUEST.requestTarget });
};

/** Of the signature. */
const then = (): World => Object.assign(world(), { wall: 1618884473_000 });

test('RFC 9421 appendix B.2.5 is valid by a configured key in base64 or hex', async () => {
  for (const [encoding, secret, found] of [
    [', secret_encoding = "base64"', SHARED_SECRET, 'identity'],
    [', secret_encoding = "hex"', HEX, 'identity'],
    [', secret_encoding = "text"', SHARED_SECRET, 'The signature is not valid.'],
    ['', SHARED_SECRET, 'The signature is not valid.'],
  ] as const) {
    const policy = policyOf(RULES + keyOf(encoding), secret, then());
    assert.is(said(await policy.authenticate!(vector(), noBody)), found, encoding);
  }
});

test('RFC 9421 appendix B.2.5 is valid by a credential of a consumer in base64', async () => {
  const around = then();
  const data = { algorithm: 'hmac-sha256', encoding: 'base64', key: SHARED_SECRET };
  const credential = { kind: 'signature', name: 'rfc', id: 'test-shared-secret', data } as const;
  around.consumers.push({ name: 'acme', groups: [], tags: {}, credentials: [credential] });
  const found = (await policyOf(RULES, '', around).authenticate!(vector(), noBody)) as Identity;
  assert.equal([found.consumer?.name, found.credential?.name], ['acme', 'rfc']);
});

test('a credential of a consumer that is not in its encoding is refused like an unknown one', async () => {
  const around = Object.assign(world(), { wall: NOW * 1000 });
  const data = { algorithm: 'hmac-sha256', encoding: 'hex', key: 'x'.repeat(40) };
  const credential = { kind: 'signature', name: 'c', id: 'c1', data } as const;
  around.consumers.push({ name: 'acme', groups: [], tags: {}, credentials: [credential] });
  const by = new Signer({ keyid: 'c1', key: crypto.createSecretKey(Buffer.from('x'.repeat(40))) });
  const found = await send({ policy: policyOf('', '', around), around }, { by });
  assert.is(said(found), 'The signature is not valid.');
});

test('a key that is not in its encoding, or is too short when decoded, refuses the load and names the key', () => {
  const load = (encoding: string, secret: string) => () =>
    policyOf(keyOf(`, secret_encoding = "${encoding}"`, 'p1'), secret);
  assert.throws(
    load('base64', 'no base64! no base64! no base64!'),
    'The key p1 cannot be used: the secret is not base64.',
  );
  assert.throws(load('hex', 'xyz'.repeat(20)), 'The key p1 cannot be used: the secret is not hex.');
  assert.throws(load('hex', 'ab'.repeat(31)), 'The key p1 cannot be used: the secret has 31 bytes, fewer than 32.');
});

test('upstream-auth signs with a secret in base64 or hex', async () => {
  const sign = (encoding: string): string =>
    `signature = { key_id = "k", key = "\${env:H}", algorithm = "hmac-sha256", secret_encoding = "${encoding}" }`;
  for (const [encoding, secret] of [
    ['base64', SHARED_SECRET],
    ['hex', HEX],
  ] as const) {
    const { attempt } = await run(bed(sign(encoding), { '${env:H}': secret }));
    const [input = '', signature = ''] = [attempt.fields.get('signature-input'), attempt.fields.get('signature')];
    const [found] = readSignatures(input, signature) as readonly FoundSignature[];
    assert.ok(verify(RFC_KEY, signatureBase(signedAttempt(attempt), found!.input) as string, found!.signature));
    assert.throws(
      () => bed(sign(encoding), { '${env:H}': '~'.repeat(40) }),
      `The key cannot be used: the secret is not ${encoding}.`,
    );
  }
});

test('secret_encoding beside a public or private key is an error at its place', () => {
  const readFile = () => ({ text: PUBLIC });
  const pair = 'keys = [{ id = "a", public_key = "a.pem", secret_encoding = "hex" }]';
  assert.equal(lint('http-signature', pair, { readFile }), ['http-signature/key keys.0.secret_encoding']);
  assert.equal(lint('http-signature', keyOf(', secret_encoding = "hex"')), []);
  const sign = (algorithm: string): string[] =>
    lint('upstream-auth', `signature = { key_id = "k", key = "\${env:H}", secret_encoding = "hex"${algorithm} }`);
  const wrong = ['upstream-auth/secret-encoding signature.secret_encoding'];
  assert.equal(sign(''), wrong);
  assert.equal(sign(', algorithm = "ed25519"'), wrong);
  assert.equal(sign(', algorithm = "hmac-sha256"'), []);
});

test.run();
