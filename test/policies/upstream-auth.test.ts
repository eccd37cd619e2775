/** upstream-auth offline: the kinds that need no network, what is stripped, which services get a credential. */
import * as crypto from 'node:crypto';
import { createLocalJWKSet, exportJWK, jwtVerify } from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry } from '../../src/policies/contract.js';
import {
  type FoundSignature,
  readSignatures,
  signatureBase,
  verify,
} from '../../src/policies/kits/http-signature/index.js';
import { signedAttempt } from '../../src/policies/upstream-auth/message-signature.js';
import { compile, decode, exchange, lint } from './support.js';
import { attemptOf, bed, NOW, run } from './upstream-auth-kit.js';

const ACME: ConsumerEntry = { name: 'acme', groups: [], tags: { key: 'k-acme', login: 'a' }, credentials: [] };

test('fields: references and tags; a request without a value is not sent', async () => {
  const b = bed('fields = { X-Api-Key = "${env:KEY}", x-tenant = "t-{consumer.tags.key}" }', { '${env:KEY}': 'k1' });
  const { attempt, reply } = await run(b, { consumer: ACME });
  assert.is(reply, undefined);
  assert.equal([attempt.fields.get('x-api-key'), attempt.fields.get('x-tenant')], ['k1', 't-k-acme']);
  const tagged = bed('fields = { x-api-key = "{consumer.tags.key}" }');
  const { reply: refused } = await run(tagged);
  assert.equal(
    [refused?.status, refused?.code, refused?.cause],
    [503, 'upstream/credentials', 'no value for the field x-api-key'],
  );
  assert.throws(() => bed('fields = { x-api-key = "${env:KEY}" }', { '${env:KEY}': 'a\nb' }));
});

test('basic: user name and password as UTF-8', async () => {
  const b = bed('basic = { username = "{consumer.tags.login}", password = "${env:PW}" }', { '${env:PW}': 'pä:ss' });
  const { attempt } = await run(b, { consumer: ACME });
  assert.is(attempt.fields.get('authorization'), `Basic ${Buffer.from('a:pä:ss').toString('base64')}`);
  assert.is((await run(b)).reply?.status, 503);
  const odd = { ...ACME, tags: { login: 'a:b' } };
  assert.is((await run(b, { consumer: odd })).reply?.cause, 'the user name has a colon');
});

test('per_consumer: by name, with one for all others', async () => {
  const keys = 'per_consumer = { acme = "${env:A}"';
  const secrets = { '${env:A}': 'token-a', '${env:B}': 'token-b' };
  const strict = bed(`${keys} }`, secrets);
  assert.is((await run(strict, { consumer: ACME })).attempt.fields.get('authorization'), 'Bearer token-a');
  assert.is(
    (await run(strict, { consumer: { ...ACME, name: 'beta' } })).reply?.cause,
    'no credential for the consumer beta',
  );
  assert.is((await run(strict)).reply?.cause, 'no consumer');
  const open = bed(`${keys}, "*" = "\${env:B}" }\nheader = "X-Key"`, secrets);
  assert.is((await run(open)).attempt.fields.get('x-key'), 'token-b');
  // A name of Object.prototype is no consumer.
  assert.is((await run(strict, { consumer: { ...ACME, name: 'constructor' } })).reply?.status, 503);
});

test('jwt: a token for each request, with claims from templates', async () => {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const b = bed(
    'jwt = { key = "${file:k.pem}", key_id = "g1", issuer = "https://gw", subject = "{consumer.name}", audience = "orders", claims = { tenant = "{consumer.tags.key}", none = "{claims.none}" }, lifetime = "90s" }',
    { '${file:k.pem}': pem },
  );
  const first = await run(b, { consumer: ACME });
  const token = first.attempt.fields.get('authorization')!.replace('Bearer ', '');
  const keys = createLocalJWKSet({ keys: [{ ...(await exportJWK(publicKey)), kid: 'g1' }] });
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    audience: 'orders',
    issuer: 'https://gw',
    currentDate: new Date(NOW * 1000),
  });
  assert.equal(protectedHeader, { typ: 'JWT', alg: 'ES256', kid: 'g1' });
  const { jti, ...claims } = payload;
  assert.equal(claims, { tenant: 'k-acme', iss: 'https://gw', sub: 'acme', aud: 'orders', iat: NOW, exp: NOW + 90 });
  const second = await run(b, { consumer: ACME });
  assert.is.not(second.attempt.fields.get('authorization'), first.attempt.fields.get('authorization'));
  assert.type(jti, 'string');
  assert.is((await run(b)).reply?.cause, 'no value for the claim sub');
  assert.throws(
    () => bed('jwt = { key = "${file:k.pem}", audience = "a" }', { '${file:k.pem}': 'nonsense' }),
    /neither PEM nor/,
  );
});

test('jwt: a claim that has a key of its own, or that gw sets, is an error', () => {
  for (const name of ['iss', 'sub', 'aud', 'iat', 'exp', 'nbf', 'jti']) {
    const { errors } = decode(
      'upstream-auth',
      `jwt = { key = "\${env:K}", audience = "a", claims = { ${name} = "x" } }`,
    );
    assert.equal([errors.length, errors[0]?.slice(0, 30)], [1, `\`${name}\` cannot be a claim of a te`.slice(0, 30)]);
  }
  assert.equal(
    decode('upstream-auth', 'jwt = { key = "${env:K}", audience = "a", claims = { act = "x" } }').errors,
    [],
  );
});

test('jwt: every algorithm', async () => {
  const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ed = crypto.generateKeyPairSync('ed25519');
  const secret = 's'.repeat(64);
  for (const [algorithm, key, open] of [
    ['RS256', rsa.privateKey, rsa.publicKey],
    ['PS512', rsa.privateKey, rsa.publicKey],
    ['EdDSA', ed.privateKey, ed.publicKey],
    ['HS512', secret, crypto.createSecretKey(Buffer.from(secret))],
  ] as const) {
    const text = typeof key === 'string' ? key : key.export({ type: 'pkcs8', format: 'pem' }).toString();
    const b = bed(`jwt = { key = "\${env:K}", algorithm = "${algorithm}", audience = "a" }`, { '${env:K}': text });
    const token = (await run(b)).attempt.fields.get('authorization')!.replace('Bearer ', '');
    const { payload } = await jwtVerify(token, open, { currentDate: new Date(NOW * 1000), algorithms: [algorithm] });
    assert.is(payload.aud, 'a');
  }
});

test('signature: over the target, the fields and the body as the target gets them', async () => {
  const { privateKey, publicKey } = crypto.generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const b = bed(
    'signature = { key_id = "g1", key = "${file:k.pem}", components = ["@method", "@target-uri", "Content-Type", "x-none"], tag = "gw", lifetime = "1min" }',
    { '${file:k.pem}': pem },
  );
  const body = Buffer.from('{"a":1}');
  const { attempt } = await run(
    b,
    { method: 'POST', query: 'a=1', headers: [['content-type', 'application/json']] },
    { body, path: '/base/orders/1?a=1', host: 'Orders.Internal:443' },
  );
  const [input = '', signature = ''] = [attempt.fields.get('signature-input'), attempt.fields.get('signature')];
  const [found] = readSignatures(input, signature) as readonly FoundSignature[];
  const { created, expires, keyid, tag, nonce } = found!.input;
  assert.equal([created, expires, keyid, tag, typeof nonce], [NOW, NOW + 60, 'g1', 'gw', 'string']);
  const base = signatureBase(signedAttempt(attempt), found!.input) as string;
  assert.match(base, '"@target-uri": https://orders.internal/base/orders/1?a=1\n');
  assert.match(base, `"content-digest": sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:\n`);
  assert.match(base, '"content-type": application/json\n');
  assert.not.match(base, 'x-none');
  assert.ok(verify({ algorithm: 'ed25519', key: publicKey }, base, found!.signature));
  const streamed = await run(b, { method: 'POST', hasBody: true });
  assert.is(streamed.reply?.cause, 'the body was not collected');
  assert.type(b.policy.onRequestBody, 'function');
});

test('signature: a digest that the spec lists is covered once', async () => {
  const keys = `signature = { key_id = "k", key = "\${env:H}", algorithm = "hmac-sha256", components = ["@method", "Content-Digest"] }`;
  const b = bed(keys, { '${env:H}': 'h'.repeat(40) });
  const input = async (body?: Uint8Array) =>
    (await run(b, {}, body === undefined ? {} : { body })).attempt.fields.get('signature-input') ?? '';
  assert.match(await input(Buffer.from('abc')), /^sig1=\("@method" "content-digest"\);/);
  assert.match(await input(), /^sig1=\("@method"\);/);
});

test('fields of the same names are removed from what clients send, also where the policy does not apply', async () => {
  const b = bed('fields = { x-api-key = "${env:KEY}" }', { '${env:KEY}': 'k1' });
  const headers = [
    ['x-api-key', 'forged'],
    ['x-other', 'o'],
  ] as const;
  const on = exchange({ headers });
  b.policy.strip!(on);
  assert.equal([...on.headers.entries()], [['x-other', 'o']]);
  assert.equal(b.policy.requestFields, ['x-api-key']);
  const ran = await run(b, { headers });
  assert.is(ran.on.headers.get('x-api-key'), undefined);
  assert.is(ran.attempt.fields.get('x-api-key'), 'k1');
});

test('only the services of its routes get the credential, or those that are listed', async () => {
  const secrets = { '${env:KEY}': 'k1' };
  const b = bed('fields = { x-api-key = "${env:KEY}" }', secrets);
  const on = exchange();
  const other = attemptOf(on, { service: 'other' });
  assert.is(b.policy.onAttempt!(on, other), undefined);
  assert.is(other.fields.get('x-api-key'), undefined);
  const listed = bed('fields = { x-api-key = "${env:KEY}" }\nservices = ["other"]', secrets);
  const again = attemptOf(on, { service: 'other' });
  await listed.policy.onAttempt!(on, again);
  assert.is(again.fields.get('x-api-key'), 'k1');
});

test('decisions name the kind, never the credential', async () => {
  const decisions: never[] = [];
  await run(bed('fields = { x-api-key = "${env:KEY}" }', { '${env:KEY}': 'secret-value' }), { decisions });
  assert.equal(decisions, [{ step: 'p', use: 'upstream-auth', outcome: 'edit', why: 'fields for orders' }] as never[]);
});

test('compiled settings keep references', () => {
  const settings = JSON.stringify(compile('upstream-auth', 'basic = { username = "gw", password = "${env:PW}" }'));
  assert.match(settings, '{"$ref":"${env:PW}"}');
});

test('lint: kinds, consumers, templates, components', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['', ['upstream-auth/kind']],
    ['fields = { a = "${env:A}" }\nbasic = { username = "u", password = "${env:P}" }', ['upstream-auth/kind basic']],
    ['fields = {}', ['upstream-auth/kind fields']],
    ['fields = { a = "{consumer.nme}" }', ['template/unknown-variable fields.a']],
    ['fields = { a = "{other}" }', ['template/unknown-variable fields.a']],
    ['fields = { a = "{id}" }', []],
    [
      'per_consumer = { acme = "${env:A}", none = "${env:B}", "*" = "${env:C}" }',
      ['upstream-auth/consumer per_consumer.none'],
    ],
    [
      'signature = { key_id = "a", key = "${env:A}", components = ["@method", "@status", "a b"] }',
      ['upstream-auth/component signature.components.1', 'upstream-auth/component signature.components.2'],
    ],
  ];
  for (const [text, found] of cases) assert.equal(lint('upstream-auth', text), found, text);
  const services = 'fields = { a = "${env:A}" }\nservices = ["orders", "order"]';
  assert.equal(lint('upstream-auth', services, { serviceNames: ['orders'] }), ['upstream-auth/service services.1']);
  assert.match(decode('upstream-auth', 'fields = { host = "x" }').errors.join(), 'cannot set `host`');
  assert.match(decode('upstream-auth', 'jwt = { key = "plain", audience = "a" }').errors.join(), 'must not be written');
});

test.run();
