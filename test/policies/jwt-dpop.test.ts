/** Tokens that are bound to a key (RFC 9449) or to a client certificate (RFC 8705). */
import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Absent, Authentication, Exchange, Identity, Refused } from '../../src/policies/contract.js';
import { comparable, thumbprint } from '../../src/policies/kits/bearer/dpop.js';
import { publicKey } from '../../src/policies/kits/jose/keys.js';
import { BytesReply } from '../../src/policies/run-kit.js';
import type { Use } from '../../src/state/types.js';
import { DpopClient, type Proof } from '../support/dpop.js';
import { floodCaches, laterReplays, replaysThat } from '../support/stores.js';
import { CLAIMS, jwt, NOW, said, sign, signer } from './jwt-kit.js';
import { exchange, noBody, world } from './support.js';

const key = await signer();
const client = await DpopClient.create();
const other = await DpopClient.create();
const URL_ = 'https://api.example.com/orders/1';
const CONFIG = 'dpop = { mode = "required", origin = "https://api.example.com" }';
const bound = await sign(key, { ...CLAIMS, cnf: client.cnf });

function withProof(token: string, proof: string | readonly string[] | undefined, scheme = 'DPoP'): Exchange {
  const proofs = proof === undefined ? [] : typeof proof === 'string' ? [proof] : proof;
  return exchange({
    headers: [['authorization', `${scheme} ${token}`], ...proofs.map((one) => ['dpop', one] as const)],
  });
}

const proofOf = (more: Partial<Proof> = {}, by = client): Promise<string> =>
  by.proof({ url: URL_, token: bound, at: NOW, ...more });

const policyOf = (text = CONFIG) => jwt(text, { keys: [key.jwk] });

test('a bound token with a proof passes, also when it was verified before; each proof once', async () => {
  const { policy } = policyOf();
  for (let i = 0; i < 3; i++) {
    const found = await policy.authenticate!(withProof(bound, await proofOf()), noBody);
    assert.is(said(found), 'identity');
    assert.equal((found as Identity).claims?.['cnf'], client.cnf);
  }
  const proof = await proofOf();
  const all = await Promise.all(
    Array.from({ length: 5 }, async () => policy.authenticate!(withProof(bound, proof), noBody)),
  );
  assert.equal(all.map(said).sort(), [
    'The DPoP proof was used before.',
    'The DPoP proof was used before.',
    'The DPoP proof was used before.',
    'The DPoP proof was used before.',
    'identity',
  ]);
});

test('a proof that was used is refused after a flood of the cache, and after an edit of the policy', async () => {
  const { policy, around } = policyOf();
  const proof = await proofOf();
  assert.is(said(await policy.authenticate!(withProof(bound, proof), noBody)), 'identity');
  floodCaches(around.stores);
  assert.is(said(await policy.authenticate!(withProof(bound, proof), noBody)), 'The DPoP proof was used before.');
  const edited = jwt(`${CONFIG}\nrealm = "other"`, { keys: [key.jwk], around });
  assert.is(
    said(await edited.policy.authenticate!(withProof(bound, proof), noBody)),
    'The DPoP proof was used before.',
  );
});

test('a full replay window refuses proofs with 503, and so does an outage of it', async () => {
  const ask = async (answer: Use | Error): Promise<Authentication> => {
    const { policy } = jwt(CONFIG, { keys: [key.jwk], around: world({ replays: replaysThat(answer) }) });
    return policy.authenticate!(withProof(bound, await proofOf()), noBody);
  };
  const full = await ask('full');
  assert.ok(full.outcome === 'refused');
  assert.equal([full.problem.status, full.problem.code, full.counts], [503, 'auth/replay-window', false]);
  const down = await ask(new Error('down'));
  assert.equal([down.outcome, down.why], ['unavailable', 'replay window: down']);
});

test('a replay window over a network: each proof once', async () => {
  const { policy } = jwt(CONFIG, { keys: [key.jwk], around: world({ replays: laterReplays() }) });
  const proof = await proofOf();
  const all = await Promise.all([1, 2, 3].map(async () => policy.authenticate!(withProof(bound, proof), noBody)));
  assert.equal(all.map(({ outcome }) => outcome).sort(), ['identity', 'refused', 'refused']);
});

test('the room of the replay window is shared by holders of tokens, not by their keys', async () => {
  const seen: (string | undefined)[] = [];
  const around = world({
    replays: {
      store: () => ({
        note: (_value, _ttlMs, by) => {
          seen.push(by);
          return 'first';
        },
        forget() {},
      }),
    },
  });
  const { policy } = jwt(CONFIG, { keys: [key.jwk], around });
  const send = async (claims: object, by: DpopClient): Promise<void> => {
    const token = await sign(key, { ...CLAIMS, cnf: by.cnf, ...claims });
    const proof = await by.proof({ url: URL_, token, at: NOW });
    assert.is(said(await policy.authenticate!(withProof(token, proof), noBody)), 'identity');
  };
  await send({}, client);
  await send({}, other);
  await send({ sub: 'bob' }, client);
  await send({ sub: undefined }, client);
  const [iss, jkt] = [CLAIMS.iss, client.cnf.jkt];
  assert.equal(seen, [`${iss} ann`, `${iss} ann`, `${iss} bob`, `${iss} ${jkt}`]);
});

test('the type of a proof in its long form and in capitals, RFC 7515 section 4.1.9', async () => {
  const { policy } = policyOf();
  for (const typ of ['application/dpop+jwt', 'DPoP+JWT']) {
    const proof = await proofOf({ header: { typ } });
    assert.is(said(await policy.authenticate!(withProof(bound, proof), noBody)), 'identity', typ);
  }
});

test('what is wrong with a proof', async () => {
  const { policy } = policyOf();
  const on = async (proof: string | readonly string[] | undefined): Promise<Authentication> =>
    policy.authenticate!(withProof(bound, proof), noBody);
  const unsigned = (await proofOf()).replace(/[^.]+$/, '');
  const cases: readonly (readonly [string | readonly string[] | undefined, string])[] = [
    [undefined, 'The DPoP proof is missing.'],
    [[await proofOf(), await proofOf()], 'The request has more than one DPoP proof.'],
    ['x', 'The DPoP proof is malformed.'],
    ['a'.repeat(9000), 'The DPoP proof is malformed.'],
    [unsigned, 'The DPoP proof is malformed.'],
    [await proofOf({ header: { typ: 'JWT' } }), 'The type of the DPoP proof is not dpop+jwt.'],
    [await proofOf({ header: { typ: undefined } }), 'The type of the DPoP proof is not dpop+jwt.'],
    [await proofOf({ header: { jwk: undefined } }), 'The DPoP proof has no key.'],
    [await proofOf({ header: { jwk: { ...client.jwk, d: 'AA' } } }), 'The DPoP proof has a private key.'],
    [await proofOf({ header: { jwk: { ...client.jwk, crv: 'P-384' } } }), 'The key of the DPoP proof is not usable.'],
    [await proofOf({ header: { jwk: { ...client.jwk, use: 'enc' } } }), 'The key of the DPoP proof is not usable.'],
    [await proofOf({}, other), 'The DPoP proof has another key than the token.'],
    [await proofOf({ header: { jwk: client.jwk } }, other), 'The signature of the DPoP proof is not valid.'],
    [await proofOf({ method: 'POST' }), 'The DPoP proof is for another method.'],
    [await proofOf({ method: 'get' }), 'The DPoP proof is for another method.'],
    [await proofOf({ url: 'https://api.example.com/orders/2' }), 'The DPoP proof is for another URL.'],
    [await proofOf({ url: 'https://evil.example/orders/1' }), 'The DPoP proof is for another URL.'],
    [await proofOf({ url: 'http://api.example.com/orders/1' }), 'The DPoP proof is for another URL.'],
    [await proofOf({ claims: { htu: 1 } }), 'The DPoP proof is for another URL.'],
    [await proofOf({ at: NOW - 61 }), 'The DPoP proof is too old.'],
    [await proofOf({ at: NOW + 61 }), 'The DPoP proof was made in the future.'],
    [await proofOf({ claims: { iat: '1' } }), 'The DPoP proof has no time.'],
    [await proofOf({ claims: { jti: undefined } }), 'The DPoP proof has no usable jti.'],
    [await proofOf({ claims: { jti: 'j'.repeat(600) } }), 'The DPoP proof has no usable jti.'],
    [await proofOf({ claims: { ath: undefined } }), 'The DPoP proof is for another token.'],
    [await proofOf({ token: `${bound}x` }), 'The DPoP proof is for another token.'],
  ];
  for (const [proof, expected] of cases) {
    const found = await on(proof);
    assert.is(said(found), expected);
    const { problem } = found as Refused;
    assert.equal([problem.status, problem.code], [401, 'auth/dpop']);
    assert.match(
      problem.challenge!,
      /^DPoP realm="api", error="invalid_dpop_proof", error_description="[^"]+", algs="ES256 ES384 ES512 PS256 RS256 EdDSA"$/,
    );
  }
});

test('algorithms of proofs: each kind of key; none and HS256 are refused', async () => {
  const { policy } = policyOf();
  for (const alg of ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519', 'ES512']) {
    const one = await DpopClient.create(alg);
    const token = await sign(key, { ...CLAIMS, cnf: one.cnf });
    const proof = await one.proof({ url: URL_, token, at: NOW });
    assert.is(said(await policy.authenticate!(withProof(token, proof), noBody)), 'identity', alg);
  }
  const [head = '', body = ''] = (await proofOf()).split('.');
  for (const alg of ['none', 'HS256', 'RS384']) {
    const header = { ...(JSON.parse(Buffer.from(head, 'base64url').toString()) as object), alg };
    const proof = `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${body}.AAAA`;
    const found = said(await policy.authenticate!(withProof(bound, proof), noBody));
    assert.is(found, 'The algorithm of the DPoP proof is not accepted.', alg);
  }
});

test('a bound token as Bearer is refused, with and without dpop; a free token as DPoP too', async () => {
  const free = await sign(key);
  const cases: readonly (readonly [string, string, 'DPoP' | 'Bearer', string])[] = [
    [CONFIG, bound, 'Bearer', 'The token is bound to a key, so it must be sent as DPoP with a proof.'],
    [CONFIG, free, 'Bearer', 'The token is not bound to a key.'],
    [CONFIG, free, 'DPoP', 'The token is not bound to a key.'],
    ['dpop = "optional"', bound, 'Bearer', 'The token is bound to a key, so it must be sent as DPoP with a proof.'],
    ['dpop = "optional"', free, 'Bearer', 'identity'],
    ['dpop = "optional"', free, 'DPoP', 'The token is not bound to a key.'],
    ['', bound, 'Bearer', 'The token is bound to a key, which this route does not accept.'],
    ['', free, 'Bearer', 'identity'],
    ['bindings = "ignore"', bound, 'Bearer', 'identity'],
    ['', bound, 'DPoP', 'absent'],
  ];
  for (const [text, token, scheme, expected] of cases) {
    const { policy } = policyOf(text);
    const proof = await client.proof({ url: 'http://api.example.com/orders/1', token, at: NOW });
    for (let i = 0; i < 2; i++) {
      const found = await policy.authenticate!(withProof(token, proof, scheme), noBody);
      assert.is(said(found), expected, `${text} ${scheme}`);
    }
  }
});

test('confirmation claims that cannot be checked are refused', async () => {
  const { on } = jwt('', { keys: [key.jwk] });
  for (const cnf of [null, 'x', [], 7, { jkt: 'short' }, { jkt: 1 }, { 'x5t#S256': '' }])
    assert.match(said(await on(await sign(key, { ...CLAIMS, cnf }))), /confirmation claim of the token is malformed/);
  for (const cnf of [{}, { jwk: {} }, { kid: 'x' }])
    assert.match(said(await on(await sign(key, { ...CLAIMS, cnf }))), /bound in a way that is not supported/);
});

test('challenges: the schemes that are accepted, and the error in the one that was used', async () => {
  const { policy } = policyOf('dpop = "optional"\nscope = "a"');
  const none = policy.authenticate!(exchange(), noBody) as Absent;
  assert.is(
    none.problem.challenge,
    'Bearer realm="api", scope="a", DPoP realm="api", scope="a", algs="ES256 ES384 ES512 PS256 RS256 EdDSA"',
  );
  const expired = (await policy.authenticate!(withProof(await sign(key, { exp: 1 }), 'x'), noBody)) as Refused;
  assert.match(expired.problem.challenge!, /^Bearer realm="api", DPoP realm="api", error="invalid_token", .*algs="/);
  const bearer = (await policy.authenticate!(withProof(bound, undefined, 'Bearer'), noBody)) as Refused;
  assert.match(bearer.problem.challenge!, /^Bearer realm="api", error="invalid_token", .*, DPoP realm="api", algs="/);
  const both = exchange({ headers: [['authorization', 'Bearer x, DPoP y']] });
  assert.is(((await policy.authenticate!(both, noBody)) as Refused).problem.code, 'auth/ambiguous');
  const places = policyOf('dpop = "optional"\ncookie = "token"').policy;
  const spread = exchange({
    headers: [
      ['authorization', 'DPoP x'],
      ['cookie', 'token=y'],
    ],
  });
  assert.is(((await places.authenticate!(spread, noBody)) as Refused).problem.code, 'auth/ambiguous');
});

test('nonces: the error names one, the proof with it passes, and a new one comes before the old one ends', async () => {
  const { policy, around } = policyOf(
    'dpop = { mode = "required", origin = "https://api.example.com", nonce = "2min" }',
  );
  const first = (await policy.authenticate!(withProof(bound, await proofOf()), noBody)) as Refused;
  assert.match(first.problem.challenge!, /error="use_dpop_nonce"/);
  const nonce = first.problem.headers!['dpop-nonce']!;
  assert.is.not(nonce, undefined);
  const send = async (at: number, given: string | undefined, more: Partial<Proof> = {}) => {
    around.wall = at * 1000;
    const on = withProof(bound, await proofOf({ at, nonce: given, ...more }));
    const found = await policy.authenticate!(on, noBody);
    const reply = new BytesReply(200);
    reply.headers.set('cache-control', 'max-age=60');
    (policy.after as unknown as (on: Exchange, reply: BytesReply) => void)(on, reply);
    const renewed = reply.headers.get('dpop-nonce');
    assert.is(reply.headers.get('cache-control'), renewed === undefined ? 'max-age=60' : 'no-store');
    return { said: said(found), renewed };
  };
  const right = await send(NOW, nonce);
  assert.equal(right, { said: 'identity', renewed: undefined });
  const old = await send(NOW + 60, nonce);
  assert.is(old.said, 'identity');
  assert.is.not(old.renewed, undefined);
  assert.is.not(old.renewed, nonce);
  assert.match((await send(NOW + 120, nonce)).said, /needs a nonce/);
  assert.is((await send(NOW + 120, old.renewed)).said, 'identity');
  const tampered = `${nonce.slice(0, -1)}${nonce.endsWith('A') ? 'B' : 'A'}`;
  for (const wrong of ['', 'x', tampered, 'ü'.repeat(nonce.length)])
    assert.match((await send(NOW, wrong)).said, /needs a nonce/, wrong);
  assert.match((await send(NOW, undefined, { claims: { nonce: [nonce] } })).said, /needs a nonce/);
});

test('the URL of a proof is compared normalised; query and fragment do not count', () => {
  const same = [
    ['https://api.example.com/a', 'HTTPS://API.example.com:443/a'],
    ['https://api.example.com/', 'https://api.example.com'],
    ['https://api.example.com/a?x=1', 'https://api.example.com/a#f'],
    ['https://api.example.com/%7Ea/%c3%a9', 'https://api.example.com/~a/%C3%A9'],
    ['https://api.example.com/b', 'https://api.example.com/a/../b'],
    ['https://api.example.com//a', 'https://api.example.com/a'],
  ] as const;
  for (const [one, two] of same) assert.is(comparable(one), comparable(two), one);
  const different = [
    ['https://api.example.com/a', 'http://api.example.com/a'],
    ['https://api.example.com/a', 'https://api.example.com:444/a'],
    ['https://api.example.com/a%2Fb', 'https://api.example.com/a/b'],
    ['https://api.example.com/a', 'https://api.example.com/a/'],
    ['https://api.example.com/a', 'https://api.example.com/A'],
  ] as const;
  for (const [one, two] of different) assert.is.not(comparable(one), comparable(two), one);
  for (const text of ['/orders', 'x', 'ftp://a/b', 'https://a:b@c/', '']) assert.is(comparable(text), undefined, text);
});

test('without an origin the URL is that of the request, with the port of Host', async () => {
  const { policy } = policyOf('dpop = "required"');
  const proof = await proofOf({ url: 'http://api.example.com:8080/orders/1' });
  const on = exchange({
    headers: [
      ['authorization', `DPoP ${bound}`],
      ['dpop', proof],
      ['host', 'api.example.com:8080'],
    ],
  });
  assert.is(said(await policy.authenticate!(on, noBody)), 'identity');
});

test('with forward = false neither the token nor the proof reaches the target', async () => {
  const { policy } = policyOf(`forward = false\n${CONFIG}`);
  const on = withProof(bound, await proofOf());
  assert.is(said(await policy.authenticate!(on, noBody)), 'identity');
  policy.strip!(on);
  assert.equal([...on.headers.entries()], []);
  assert.equal(policy.requestFields, ['authorization', 'dpop']);
});

test('thumbprints are those of RFC 7638 and RFC 9449', () => {
  const rsa = {
    kty: 'RSA',
    n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
    e: 'AQAB',
    alg: 'RS256',
    kid: '2011-04-29',
  };
  const known = publicKey(rsa);
  assert.is(typeof known === 'string' ? known : thumbprint(known), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  const ec = {
    kty: 'EC',
    x: 'l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs',
    y: '9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA',
    crv: 'P-256',
  };
  const point = publicKey(ec);
  assert.is(typeof point === 'string' ? point : thumbprint(point), '0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I');
});

test('a token that is bound to a client certificate needs that certificate', async () => {
  const der = Buffer.from('a certificate');
  const digest = createHash('sha256').update(der);
  const fingerprint = digest.copy().digest('hex');
  const token = await sign(key, { ...CLAIMS, cnf: { 'x5t#S256': digest.digest('base64url') } });
  const { policy } = jwt('', { keys: [key.jwk] });
  const on = async (presented: string | undefined): Promise<string> => {
    const plain = exchange({ headers: [['authorization', `Bearer ${token}`]] });
    const clientCertificate = presented === undefined ? undefined : { fingerprint: presented };
    const connection = { ...plain.connection, tls: { clientCertificate } };
    return said(await policy.authenticate!({ ...plain, connection } as unknown as Exchange, noBody));
  };
  assert.is(await on(fingerprint), 'identity');
  assert.is(await on(fingerprint), 'identity');
  assert.is(await on('00'.repeat(32)), 'The token is bound to another client certificate.');
  assert.is(await on(undefined), 'The token is bound to another client certificate.');
  assert.is(
    said(await policy.authenticate!(exchange({ headers: [['authorization', `Bearer ${token}`]] }), noBody)),
    'The token is bound to another client certificate.',
  );
});

test.run();
