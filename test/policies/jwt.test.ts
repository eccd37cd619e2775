import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { SignJWT } from 'jose';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Absent, Exchange, Identity, Json, PolicyInstance, Refused } from '../../src/policies/contract.js';
import { HeaderMap } from '../../src/policies/run-kit.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { CLAIMS, forged, jwt, NOW, said, sign, signer, withSecret, withToken } from './jwt-kit.js';
import { create, decode, exchange, host, lint, noBody, world } from './support.js';

const key = await signer();

type Fields = { readonly [name: string]: unknown };

const signed = (claims: object): Promise<string> => sign(key, claims as { readonly [name: string]: unknown });
const at = (token: string) => withToken(token);

const createJwt = (settings: Json): PolicyInstance =>
  runHalves['jwt']!(settings, host(Object.assign(world(), { wall: NOW * 1000 })));

test('a valid token gives an identity with its claims; the second time without a promise', async () => {
  const { policy } = jwt('issuer = "https://id.example.com"\naudience = "orders"', { keys: [key.jwk] });
  const token = await sign(key);
  const first = policy.authenticate!(withToken(token), noBody);
  assert.instance(first, Promise);
  const identity = (await first) as Identity;
  assert.equal(identity, { outcome: 'identity', claims: CLAIMS, challenge: 'Bearer realm="api"', why: 'valid token' });
  assert.is(policy.authenticate!(withToken(token), noBody), identity);
});

test('each algorithm of the list verifies with a key of its type', async () => {
  for (const alg of ['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA']) {
    const one = await signer(alg);
    const { on } = jwt(`algorithms = ["${alg}"]`, { keys: [one.jwk] });
    assert.is(said(await on(await sign(one))), 'identity', alg);
    const other = alg === 'ES256' ? 'ES384' : 'ES256';
    const strict = jwt(`algorithms = ["${other}"]`, { keys: [one.jwk] });
    assert.is(said(await strict.on(await sign(one))), 'The algorithm of the token is not accepted.', alg);
  }
});

test('EdDSA and Ed25519 are two names of one algorithm', async () => {
  const one = await signer('EdDSA');
  for (const allowed of ['EdDSA', 'Ed25519'])
    for (const own of ['EdDSA', 'Ed25519', undefined])
      for (const used of ['EdDSA', 'Ed25519']) {
        const jwk = own === undefined ? one.jwk : { ...one.jwk, alg: own };
        const { on } = jwt(`algorithms = ["${allowed}"]`, { keys: [jwk] });
        assert.is(said(await on(await sign(one, CLAIMS, { alg: used }))), 'identity', `${allowed} ${own} ${used}`);
      }
});

test('a key with its own algorithm verifies no other one', async () => {
  const one = await signer('RS256');
  const { on } = jwt('algorithms = ["RS256", "PS256"]', { keys: [{ ...one.jwk, alg: 'PS256' }] });
  assert.is(said(await on(await sign(one))), 'No known key verifies the token.');
});

test('keys in PEM, in a JWK and in a JWKS', async () => {
  const rsa = await signer('RS256');
  const pem = createPublicKey({ key: rsa.jwk as JsonWebKey, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
  const pkcs1 = createPublicKey(pem).export({ type: 'pkcs1', format: 'pem' }).toString();
  for (const file of [pem, pkcs1, JSON.stringify(rsa.jwk), JSON.stringify({ keys: [rsa.jwk] }), `${pem}\n${pem}`]) {
    const { on } = jwt('', { file });
    assert.is(said(await on(await sign(rsa))), 'identity', file.slice(0, 40));
  }
});

test('HS256 with a secret; a secret that is too short is refused at load', async () => {
  const secret = 'x'.repeat(32);
  const text = 'secret = "${env:SECRET}"';
  const token = await new SignJWT(CLAIMS).setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(secret));
  const policy = createJwt(withSecret(text, secret));
  assert.is(said(await policy.authenticate!(at(token), noBody)), 'identity');
  assert.throws(() => createJwt(withSecret(text, 'short')), /The secret has 5 bytes; HS256 needs at least 32/);
});

test('times: expired, not valid yet, issued in the future, at the edges of the leeway', async () => {
  const { on, around } = jwt('leeway = "30s"', { keys: [key.jwk] });
  const cases: readonly (readonly [claims: object, offsetMs: number, expected: string])[] = [
    [{ exp: NOW }, 29_999, 'identity'],
    [{ exp: NOW }, 30_000, 'The token has expired.'],
    [{ exp: NOW + 900, nbf: NOW + 30 }, 0, 'identity'],
    [{ exp: NOW + 900, nbf: NOW + 31 }, 0, 'The token is not valid yet.'],
    [{ exp: NOW + 900, iat: NOW + 30 }, 0, 'identity'],
    [{ exp: NOW + 900, iat: NOW + 31 }, 0, 'The token was issued in the future.'],
    [{}, 0, 'The token has no expiry.'],
    [{ exp: 'tomorrow' }, 0, 'The token has a malformed time.'],
    [{ exp: NOW + 900, nbf: '1' }, 0, 'The token has a malformed time.'],
  ];
  for (const [claims, offset, expected] of cases) {
    around.wall = NOW * 1000 + offset;
    assert.is(said(await on(await signed(claims))), expected, JSON.stringify([claims, offset]));
  }
  const lax = jwt('require_exp = false', { keys: [key.jwk] });
  assert.is(said(await lax.on(await signed({ sub: 'a' }))), 'identity');
});

test('a remembered token expires as well', async () => {
  const { on, around } = jwt('leeway = "0s"', { keys: [key.jwk] });
  const token = await sign(key, { exp: NOW + 5 });
  assert.is(said(await on(token)), 'identity');
  around.wall = (NOW + 4) * 1000;
  assert.is(said(await on(token)), 'identity');
  around.wall = (NOW + 5) * 1000;
  assert.is(said(await on(token)), 'The token has expired.');
});

test('issuer, audience, type, required claims', async () => {
  const cases: readonly (readonly [config: string, claims: Fields, header: Fields, expected: string])[] = [
    ['issuer = ["a", "b"]', { iss: 'b' }, {}, 'identity'],
    ['issuer = "a"', { iss: 'b' }, {}, 'The issuer of the token is not accepted.'],
    ['issuer = "a"', { iss: ['a'] }, {}, 'The issuer of the token is not accepted.'],
    ['issuer = "a"', { iss: undefined }, {}, 'The issuer of the token is not accepted.'],
    ['audience = ["x", "y"]', { aud: ['z', 'y'] }, {}, 'identity'],
    ['audience = "x"', { aud: 'z' }, {}, 'The token is for another audience.'],
    ['audience = "x"', { aud: undefined }, {}, 'The token is for another audience.'],
    ['', {}, { typ: 'JWT' }, 'identity'],
    ['', {}, { typ: 'application/at+jwt' }, 'identity'],
    ['', {}, { typ: 'logout+jwt' }, 'The type of the token is not accepted.'],
    ['types = ["at+jwt"]', {}, { typ: 'AT+JWT' }, 'identity'],
    ['types = ["at+jwt"]', {}, {}, 'The token has no type.'],
    ['claims = { tenant = true }', { tenant: 0 }, {}, 'identity'],
    ['claims = { tenant = true }', {}, {}, 'The token lacks the claim tenant.'],
    ['claims = { tenant = true }', { tenant: null }, {}, 'The token lacks the claim tenant.'],
    ['claims = { toString = true }', {}, {}, 'The token lacks the claim toString.'],
    ['claims = { role = ["admin", "ops"] }', { role: 'ops' }, {}, 'identity'],
    ['claims = { role = "admin" }', { role: ['user', 'admin'] }, {}, 'identity'],
    ['claims = { role = "admin" }', { role: ['user'] }, {}, 'The claim role of the token is not accepted.'],
    ['claims = { level = "3" }', { level: 3 }, {}, 'identity'],
    ['scope = "a b"', { scope: 'b c a' }, {}, 'identity'],
    ['scope = "a b"', { scp: ['a', 'b'] }, {}, 'identity'],
    ['scope = "a b"', { scope: 'a' }, {}, 'The token needs the scope a b.'],
  ];
  for (const [config, claims, header, expected] of cases) {
    const { on } = jwt(config, { keys: [key.jwk] });
    assert.is(
      said(await on(await sign(key, { ...CLAIMS, ...claims }, header))),
      expected,
      `${config} ${JSON.stringify(claims)}`,
    );
  }
});

test('challenges follow RFC 6750', async () => {
  const { on } = jwt('realm = "shop"\nscope = "orders:read"', { keys: [key.jwk] });
  const missing = (await on(undefined)) as Absent;
  assert.is(missing.problem.challenge, 'Bearer realm="shop", scope="orders:read"');
  assert.not(missing.pass);
  const expired = (await on(await sign(key, { exp: NOW - 60 }))) as Refused;
  assert.is(
    expired.problem.challenge,
    'Bearer realm="shop", error="invalid_token", error_description="the token has expired"',
  );
  const scope = (await on(await sign(key))) as Refused;
  assert.equal([scope.problem.status, scope.problem.code], [403, 'auth/insufficient-scope']);
  assert.is(scope.problem.challenge, 'Bearer realm="shop", error="insufficient_scope", scope="orders:read"');
});

test('a consumer by claim; a change of the consumers counts for remembered tokens', async () => {
  const { on, policy } = jwt('consumer_claim = "sub"', { keys: [key.jwk], consumers: ['ann'] });
  const found = (await on(await sign(key))) as Identity;
  assert.is(found.consumer?.name, 'ann');
  const other = (await on(await sign(key, { ...CLAIMS, sub: 'bob' }))) as Refused;
  assert.equal([other.problem.status, other.problem.code], [403, 'auth/unknown-consumer']);
  assert.is(other.problem.challenge, undefined);
  const odd = (await on(await sign(key, { ...CLAIMS, sub: 'constructor' }))) as Refused;
  assert.is(odd.problem.code, 'auth/unknown-consumer');
  policy.close?.();
});

test('a reply to a token in the query is private: no shared cache keeps it (RFC 6750 section 2.3)', async () => {
  const token = await sign(key);
  const { policy } = jwt('header = "x-token"\nquery = "access_token"', { keys: [key.jwk] });
  const cached = async (given: Parameters<typeof exchange>[0], control?: string): Promise<string | undefined> => {
    const on = exchange(given);
    assert.is((await policy.authenticate!(on, noBody)).outcome, 'identity');
    policy.strip!(on);
    const headers = new HeaderMap(control === undefined ? [] : [['cache-control', control]]);
    await policy.after!(on, { status: 200, headers, body: null });
    return headers.get('cache-control');
  };
  const inQuery = { query: `access_token=${token}` };
  assert.is(await cached(inQuery), 'private');
  assert.is(await cached(inQuery, 'public, max-age=60, s-maxage=600'), 'private, max-age=60');
  assert.is(await cached({ headers: [['x-token', token]] }, 'public, max-age=60'), 'public, max-age=60');
  assert.is(jwt('', { keys: [key.jwk] }).policy.after, undefined);
});

test('the token is found in a header field, a cookie or the query; several are refused', async () => {
  const token = await sign(key);
  const places = jwt('header = "x-token"\ncookie = "session"\nquery = "access_token"\nforward = false', {
    keys: [key.jwk],
  });
  const { policy } = places;
  const inHeader = exchange({ headers: [['x-token', token]] });
  const inCookie = exchange({ headers: [['cookie', `a=1; session="${token}"; b=2`]] });
  const inQuery = exchange({ query: `x=1&access_token=${token}&y=2` });
  for (const on of [inHeader, inCookie, inQuery]) {
    assert.is((await policy.authenticate!(on, noBody)).outcome, 'identity');
    policy.strip!(on);
  }
  assert.is(inHeader.headers.get('x-token'), undefined);
  assert.is(inCookie.headers.get('cookie'), 'a=1; b=2');
  assert.is(inQuery.query, 'x=1&y=2');
  const twice = [
    exchange({ headers: [['x-token', token]], query: `access_token=${token}` }),
    exchange({ headers: [['cookie', `session=${token}; session=${token}`]] }),
    exchange({
      headers: [
        ['x-token', token],
        ['x-token', token],
      ],
    }),
    exchange({ query: `access_token=${token}&access_token=` }),
  ];
  for (const on of twice) {
    const found = (await policy.authenticate!(on, noBody)) as Refused;
    assert.equal([found.problem.status, found.problem.code], [400, 'auth/ambiguous']);
  }
  assert.equal(policy.secretParams, ['access_token']);
  assert.is(
    (await policy.authenticate!(exchange({ headers: [['authorization', `Bearer ${token}`]] }), noBody)).outcome,
    'absent',
  );
});

test('by default the token is forwarded; with forward = false another scheme stays', async () => {
  const token = await sign(key);
  const kept = withToken(token);
  jwt('', { keys: [key.jwk] }).policy.strip!(kept);
  assert.is(kept.headers.get('authorization'), `Bearer ${token}`);
  const { policy } = jwt('forward = false', { keys: [key.jwk] });
  policy.strip!(kept);
  assert.is(kept.headers.get('authorization'), undefined);
  const basic = exchange({ headers: [['authorization', 'Basic YTpi']] });
  assert.is((await policy.authenticate!(basic, noBody)).outcome, 'absent');
  policy.strip!(basic);
  assert.is(basic.headers.get('authorization'), 'Basic YTpi');
});

test('optional: no token passes, a wrong one does not', async () => {
  const { on } = jwt('optional = true', { keys: [key.jwk] });
  assert.is(((await on(undefined)) as Absent).pass, true);
  assert.is(said(await on('nonsense')), 'The token is malformed.');
  assert.is(said(await on('')), 'The token is malformed.');
});

test('a token that arrives many times at once is verified once', async () => {
  const { policy } = jwt('', { keys: [key.jwk] });
  const token = await sign(key);
  const all = Array.from({ length: 5 }, () => policy.authenticate!(withToken(token), noBody));
  // One object, made by one verification.
  const found = await Promise.all(all);
  assert.equal([new Set(found).size, found[0]!.outcome], [1, 'identity']);
});

test('lint: sources, algorithms, files, audience, http, consumers', () => {
  const pem = '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----';
  const files = (text: string) => ({ readFile: () => ({ text }) });
  const keys = files(JSON.stringify(key.jwk));
  assert.equal(lint('jwt', 'audience = "a"'), ['jwt/keys']);
  assert.equal(lint('jwt', 'audience = "a"\njwks = "https://a"\nsecret = "${env:S}"'), ['jwt/keys secret']);
  assert.equal(lint('jwt', 'audience = "a"\njwks = "https://a"\nalgorithms = ["RS256", "HS256"]'), [
    'jwt/algorithm algorithms.1',
  ]);
  assert.equal(lint('jwt', 'audience = "a"\nsecret = "${env:S}"\nalgorithms = ["RS256"]'), [
    'jwt/algorithm algorithms.0',
  ]);
  assert.equal(lint('jwt', 'audience = "a"\nkeys = ["k"]\nalgorithms = ["RS256"]', keys), [
    'jwt/algorithm algorithms.0',
  ]);
  assert.equal(lint('jwt', 'audience = "a"\nkeys = ["k"]', keys), []);
  assert.equal(lint('jwt', 'audience = "a"\nkeys = ["k"]', files(pem)), ['jwt/key-file keys.0']);
  assert.equal(lint('jwt', 'audience = "a"\nkeys = ["k"]', files('{"kty":"oct","k":"AAAA"}')), ['jwt/key-file keys.0']);
  assert.equal(lint('jwt', 'audience = "a"\nkeys = ["k"]'), ['jwt/key-file keys.0']);
  assert.equal(lint('jwt', 'jwks = "https://a"'), ['jwt/no-audience']);
  assert.equal(lint('jwt', 'audience = "a"\njwks = "http://a"'), ['jwt/plain-http jwks']);
  assert.equal(lint('jwt', 'audience = "a"\njwks = "http://127.0.0.1:1"'), []);
  const none = { consumers: [] };
  assert.equal(lint('jwt', 'audience = "a"\njwks = "https://a"\nconsumer_claim = "sub"', none), [
    'jwt/no-consumers consumer_claim',
  ]);
});

test('a secret must not be written in the spec', () => {
  const { errors } = decode('jwt', 'secret = "hunter2"');
  assert.equal(errors, ['A secret must not be written in the spec.']);
  assert.match(decode('jwt', 'jwks = "https://user:password@a"').errors[0] ?? '', /must not contain credentials/);
  assert.match(decode('jwt', 'jwks = "ftp://a"').errors[0] ?? '', /http or https/);
});

test('an unresolved secret refuses the load', () => {
  assert.throws(() => create('jwt', 'secret = "${env:S}"'), /unresolved/);
});

test('a forged token changes nothing for the right one', async () => {
  const { on } = jwt('', { keys: [key.jwk] });
  const token = await sign(key);
  const [header, , signature] = token.split('.');
  const payload = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'admin' })).toString('base64url');
  assert.is(said(await on(`${header}.${payload}.${signature}`)), 'The signature of the token is not valid.');
  assert.is(said(await on(forged({ alg: 'ES256', kid: 'k1' }, CLAIMS))), 'The signature of the token is not valid.');
  assert.is(said(await on(token)), 'identity');
});

test('a token in the second Cookie field is found and removed', async () => {
  const { policy } = jwt('cookie = "token"\noptional = true\nforward = false', { keys: [key.jwk] });
  const cookies = (...fields: string[]): Exchange => exchange({ headers: fields.map((field) => ['cookie', field]) });
  const second = cookies('a=1', `token=${await signed(CLAIMS)}; b=2`);
  assert.is((await policy.authenticate!(second, noBody)).outcome, 'identity');
  policy.strip!(second);
  assert.is(second.headers.get('cookie'), 'a=1; b=2');
  assert.is(said(await policy.authenticate!(cookies('a=1', 'token=x'), noBody)), 'The token is malformed.');
  assert.is((await policy.authenticate!(cookies('token=x', 'token=y'), noBody)).outcome, 'refused');
  // One field: the value of `a`.
  assert.is((await policy.authenticate!(cookies('a=1, token=x'), noBody)).outcome, 'absent');
});

test('a forged token counts as a failed attempt, an expired or foreign one of a known issuer does not', async () => {
  const { on } = jwt('audience = "orders"', { keys: [key.jwk] });
  const counts = async (token: string): Promise<boolean> => ((await on(token)) as Refused).counts !== false;
  assert.is(await counts('nonsense'), true);
  assert.is(await counts(await sign(await signer())), true);
  assert.is(await counts(await signed({ ...CLAIMS, exp: 1 })), false);
  assert.is(await counts(await signed({ ...CLAIMS, aud: 'other' })), false);
  assert.is(await counts(await signed({ ...CLAIMS, cnf: { jkt: 'a'.repeat(43) } })), false);
});

test('a scheme followed by a tab is a token; a scheme alone is a malformed one', async () => {
  const { policy } = jwt('optional = true\nforward = false', { keys: [key.jwk] });
  const tab = exchange({ headers: [['authorization', `Bearer\t${await signed(CLAIMS)}`]] });
  assert.is((await policy.authenticate!(tab, noBody)).outcome, 'identity');
  policy.strip!(tab);
  assert.is(tab.headers.get('authorization'), undefined);
  const alone = exchange({ headers: [['authorization', 'bearer']] });
  assert.is(said(await policy.authenticate!(alone, noBody)), 'The token is malformed.');
});

test('a required claim with a name beyond ASCII is refused with a challenge that can be sent', async () => {
  const { on } = jwt('claims = { "роль" = true }', { keys: [key.jwk] });
  const found = (await on(await signed(CLAIMS))) as Refused;
  assert.is(found.problem.detail, 'The token lacks the claim роль.');
  assert.match(found.problem.challenge!, /error_description="the token lacks the claim \?{4}"$/);
});

test('times: fractions count, huge and negative ones are no exception', async () => {
  const { on, around } = jwt('leeway = "0s"', { keys: [key.jwk] });
  for (const [claims, expected] of [
    [{ exp: NOW + 0.5 }, 'identity'],
    [{ exp: NOW + 0.2 }, 'The token has expired.'],
    [{ exp: 1e308 }, 'identity'],
    [{ exp: -1e308 }, 'The token has expired.'],
    [{ exp: NOW + 9, nbf: 1e308 }, 'The token is not valid yet.'],
    [{ exp: true }, 'The token has a malformed time.'],
    [{ exp: null }, 'The token has a malformed time.'],
  ] as const) {
    around.wall = NOW * 1000 + 300;
    assert.is(said(await on(await signed(claims))), expected, JSON.stringify(claims));
  }
});

test.run();
