import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, jwtVerify } from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { s } from '../../../src/policies/compile-kit.js';
import { ALGORITHMS, type Algorithm } from '../../../src/policies/kits/jose/keys.js';
import { algorithmOfKey, SigningKey } from '../../../src/policies/kits/jose/sign.js';
import { type ClientSettings, formEncoded, OAuthClient } from '../../../src/policies/kits/oauth-client/client.js';
import { readTable, readTokenReply } from '../../../src/policies/kits/oauth-client/reply.js';
import { clientFields, clientProblems, clientSettings } from '../../../src/policies/kits/oauth-client/schema.js';

const NOW = 1_800_000_000;
const clock = { now: () => NOW * 1000, monotonic: () => 0 };
const SENT = { headers: [] };
const ENDPOINT = 'https://id.example.com/token';

const client = (settings: ClientSettings): OAuthClient => new OAuthClient(settings, clock);
const fieldsOf = ({ body }: { readonly body: string }) => Object.fromEntries(new URLSearchParams(body));
const header = (form: { readonly headers: readonly (readonly [string, string])[] }, name: string) =>
  form.headers.find(([one]) => one === name)?.[1];
const pem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

test('client_secret_basic: id and secret are form-encoded before Basic', () => {
  const id = 'shop:1 ~é';
  const secret = 'a b+c/%&=ü';
  const form = client({ method: 'client_secret_basic', id, secret }).form(ENDPOINT, [['grant_type', 'x y']]);
  assert.equal(fieldsOf(form), { grant_type: 'x y' });
  const [scheme, pair = ''] = header(form, 'authorization')!.split(' ');
  const [gotId = '', gotSecret = '', ...more] = Buffer.from(pair, 'base64').toString().split(':');
  assert.equal([scheme, more], ['Basic', []]);
  const decoded = new URLSearchParams(`id=${gotId}&secret=${gotSecret}`);
  assert.equal([decoded.get('id'), decoded.get('secret')], [id, secret]);
  // RFC 6749 appendix B.
  assert.is(formEncoded(' %&+£€'), '+%25%26%2B%C2%A3%E2%82%AC');
  assert.is(header(form, 'content-type'), 'application/x-www-form-urlencoded');
});

test('client_secret_post, tls_client_auth and none write the id into the body', () => {
  const id = 'shop';
  const post = client({ method: 'client_secret_post', id, secret: 's&x' }).form(ENDPOINT, []);
  assert.equal(fieldsOf(post), { client_id: 'shop', client_secret: 's&x' });
  for (const method of ['tls_client_auth', 'none'] as const)
    assert.equal(fieldsOf(client({ method, id }).form(ENDPOINT, [])), { client_id: 'shop' });
  assert.is(header(post, 'authorization'), undefined);
});

test('private_key_jwt: an assertion for each request, which jose verifies', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const one = client({ method: 'private_key_jwt', id: 'shop', key: pem(privateKey), keyId: 'k7' });
  const seen = new Set<unknown>();
  for (const audience of [undefined, 'https://id.example.com']) {
    const settings = { method: 'private_key_jwt', id: 'shop', key: pem(privateKey) } as const;
    const made = audience === undefined ? one : client({ ...settings, audience });
    const fields = fieldsOf(made.form(ENDPOINT, []));
    assert.is(fields['client_assertion_type'], 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    const { payload, protectedHeader } = await jwtVerify(fields['client_assertion']!, publicKey, {
      currentDate: new Date(NOW * 1000),
      issuer: 'shop',
      subject: 'shop',
      audience: audience ?? ENDPOINT,
    });
    assert.equal([payload.exp, payload.iat], [NOW + 60, NOW]);
    assert.equal([protectedHeader.alg, protectedHeader.kid], ['ES256', audience === undefined ? 'k7' : undefined]);
    seen.add(payload.jti);
  }
  assert.is(seen.size, 2);
});

test('each algorithm signs so that jose verifies it', async () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ed = generateKeyPairSync('ed25519');
  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
  const curves = { ES256: ec('prime256v1'), ES384: ec('secp384r1'), ES512: ec('secp521r1') };
  for (const alg of ALGORITHMS) {
    const secret = 'x'.repeat(64);
    const pair = alg.startsWith('Ed') ? ed : (curves[alg as 'ES256'] ?? rsa);
    const symmetric = alg.startsWith('HS');
    const token = new SigningKey(symmetric ? secret : pem(pair.privateKey), alg).sign({ sub: 'a' }, { typ: 'x' });
    const { payload } = await compactVerify(token, symmetric ? Buffer.from(secret) : pair.publicKey);
    assert.equal(JSON.parse(Buffer.from(payload).toString()), { sub: 'a' }, alg);
    assert.equal(decodeProtectedHeader(token), { typ: 'x', alg });
  }
  assert.is(algorithmOfKey(pem(rsa.privateKey)), 'RS256');
  assert.is(algorithmOfKey(JSON.stringify(ed.privateKey.export({ format: 'jwk' }))), 'EdDSA');
  assert.is(algorithmOfKey(pem(curves.ES512.privateKey)), 'ES512');
});

test('keys and secrets that do not fit refuse the load, without their text', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const cases: readonly (readonly [string, Algorithm, RegExp])[] = [
    [pem(privateKey), 'ES384', /on another curve/],
    [pem(privateKey), 'RS256', /not an RSA key/],
    [pem(privateKey), 'EdDSA', /not an Ed25519 key/],
    [pem(small), 'PS256', /fewer than 2048 bits/],
    ['hunter2', 'ES256', /^The private key is neither PEM nor a JWK\.$/],
    ['{"kty":"hunter2"}', 'ES256', /^The private key is neither PEM nor a JWK\.$/],
    ['{hunter2', 'ES256', /^The private key is neither PEM nor a JWK\.$/],
    ['hunter2', 'HS256', /^The secret has 7 bytes; HS256 needs at least 32\.$/],
  ];
  for (const [text, alg, message] of cases) {
    try {
      new SigningKey(text, alg);
      assert.unreachable();
    } catch (error) {
      assert.match((error as Error).message, message);
      assert.not.match((error as Error).message, /hunter2/);
    }
  }
  assert.throws(() => client({ method: 'client_secret_basic', id: 'a' }), /client secret is missing/);
  assert.throws(() => client({ method: 'none', id: { $ref: '${env:X}' } }), /client id is an unresolved reference/);
});

const reply = (status: number, value: unknown) => ({
  status,
  body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
});

test('token replies: what is granted, what is refused, what is an outage', () => {
  const granted = readTokenReply(
    reply(200, { access_token: 't', token_type: 'Bearer', expires_in: '60', scope: 'a b', refresh_token: 'r' }),
    SENT,
  );
  assert.equal(granted, {
    accessToken: 't',
    tokenType: 'bearer',
    expiresIn: 60_000,
    refreshToken: 'r',
    idToken: undefined,
    scope: 'a b',
    issuedTokenType: undefined,
  });
  const cases: readonly (readonly [number, unknown, string, string | undefined])[] = [
    [400, { error: 'invalid_grant', error_description: 'no\n such' }, 'refused', 'invalid_grant'],
    [401, { error: 'invalid_client' }, 'refused', 'invalid_client'],
    [400, { error: 'temporarily_unavailable' }, 'outage', 'temporarily_unavailable'],
    [400, 'nonsense', 'refused', undefined],
    [400, { error: 'bad"\u0007' }, 'refused', undefined],
    [429, { error: 'slow_down' }, 'outage', 'slow_down'],
    [503, '<html>', 'outage', undefined],
    [302, '', 'outage', undefined],
    [200, '<html>', 'outage', undefined],
    [200, [], 'outage', undefined],
    [200, '{"access_token":"a","access_token":"b","token_type":"bearer"}', 'outage', undefined],
    [200, { access_token: 'a\r\nb', token_type: 'bearer' }, 'outage', undefined],
    [200, { access_token: '', token_type: 'bearer' }, 'outage', undefined],
    [200, { access_token: 'a' }, 'outage', undefined],
    [200, { access_token: 'a', token_type: 'bearer', expires_in: -1 }, 'outage', undefined],
    [200, '['.repeat(100), 'outage', undefined],
  ];
  for (const [status, body, kind, error] of cases) {
    const found = readTokenReply(reply(status, body), SENT);
    assert.equal([found.fault?.kind, found.fault?.error], [kind, error], JSON.stringify([status, body]));
    assert.not.match(found.fault!.cause, /[^\x20-\x7e]/);
  }
  assert.equal(readTable(reply(200, { active: true }), SENT), { table: { active: true } });
});

test('secrets of a request that a server quotes are not in the cause', () => {
  const secret = 'a b+c/%&=ü';
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const clients: readonly ClientSettings[] = [
    { method: 'client_secret_basic', id: 'shop', secret },
    { method: 'client_secret_post', id: 'shop', secret },
    { method: 'private_key_jwt', id: 'shop', key: pem(privateKey) },
  ];
  for (const settings of clients) {
    const one = client(settings);
    const own = settings.secret === undefined ? [] : [secret, formEncoded(secret)];
    const form = one.form(ENDPOINT, [
      ['grant_type', 'refresh_token'],
      ['subject_token', 'subject.of/someone'],
      ['refresh_token', 'client'],
      ['scope', 'orders:read'],
    ]);
    const credential = header(form, 'authorization') ?? '';
    const pair = Buffer.from(credential.slice(6), 'base64').toString();
    const quoted = `for orders:read got ${form.body} ${credential} ${pair} ${own.join(' ')} subject.of/someone`;
    for (const description of [quoted, ...own]) {
      const fault = readTokenReply(reply(401, { error: 'invalid_client', error_description: description }), form)
        .fault!;
      assert.is(fault.error, 'invalid_client');
      assert.match(fault.cause, /^status 401, invalid_client, /);
      assert.match(fault.cause, '(not shown)');
      if (description === quoted) assert.match(fault.cause, 'for orders:read got');
      for (const value of [...own, 'subject.of/someone', formEncoded('subject.of/someone')])
        assert.not.match(fault.cause, value);
      if (credential !== '') assert.not.match(fault.cause, credential.slice(6));
      assert.not.match(fault.cause, /eyJ/);
    }
    const other = readTable(reply(400, { error: 'no subject.of/someone' }), form);
    assert.is('fault' in other ? other.fault.error : '', 'no (not shown)');
  }
});

test('config: the method by what is given, and what is missing', () => {
  const codes = (config: Parameters<typeof clientProblems>[0], noCertificate?: string) =>
    clientProblems(config, 'x/client', noCertificate).map(({ at, message }) => `${at.join('.')} ${message}`);
  assert.is(clientSettings({ client_id: 'a' })?.method, 'none');
  assert.is(clientSettings({ client_id: 'a', client_secret: { $ref: '${env:S}' } })?.method, 'client_secret_basic');
  assert.is(clientSettings({ client_id: 'a', client_key: { $ref: '${env:S}' } })?.method, 'private_key_jwt');
  assert.is(clientSettings({}), undefined);
  assert.equal(codes({}), []);
  assert.equal(codes({ client_secret: 'x' }), [' The client has no id: `client_id` is missing.']);
  assert.equal(codes({ client_id: 'a', client_auth: 'client_secret_post' }), [
    'client_auth `client_secret_post` needs `client_secret`.',
  ]);
  assert.equal(codes({ client_id: 'a', client_key: 'k', client_secret: 's' }), [
    'client_secret `client_secret` is not used by `private_key_jwt`.',
  ]);
  const byTls = { client_id: 'a', client_auth: 'tls_client_auth' } as const;
  assert.equal(codes(byTls), []);
  assert.equal(codes(byTls, 'Use a key.'), [
    'client_auth `tls_client_auth` needs a client certificate, but requests to this endpoint have none.',
  ]);
  assert.ok(s.object(clientFields()));
});

test.run();
