/** http-signature offline: keys, what must be covered, times, bodies, nonces, challenges. */
import * as crypto from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Absent, Identity, Refused } from '../../src/policies/contract.js';
import { Signer } from '../support/signer.js';
import { laterReplays, replaysThat } from '../support/stores.js';
import { bed, exchangeOf, NOW, PUBLIC, SECRET, said, send, signer, URL_OF } from './http-signature-kit.js';
import { compile, create, exchange, lint, noBody, world } from './support.js';

test('a signed request passes, with the facts of its signature', async () => {
  const b = bed();
  const found = (await send(b, { tag: 'orders' })) as Identity;
  assert.equal([found.outcome, found.consumer, found.why], ['identity', undefined, 'valid signature']);
  assert.equal(found.claims, { keyid: 'k1', created: NOW, tag: 'orders' });
  assert.is(said(await send(b, { method: 'POST', body: '{}' })), 'identity');
  assert.is(said(await send(b, { url: `${URL_OF}?a=1&b=%20` })), 'identity');
});

test('the key of a consumer, with its credential; a key of the policy can belong to one', async () => {
  const b = bed();
  const credential = {
    kind: 'signature',
    name: 'partner',
    id: 'c1',
    data: { algorithm: 'hmac-sha256', key: SECRET },
  } as const;
  const short = {
    kind: 'signature',
    name: 'short',
    id: 'c2',
    data: { algorithm: 'hmac-sha256', key: 'short' },
  } as const;
  b.around.consumers.push({ name: 'acme', groups: [], tags: {}, credentials: [credential, short] });
  const keys = `keys = [{ id = "k1", public_key = """${PUBLIC}""", consumer = "acme" }]`;
  const withConsumers = { ...b, policy: create('http-signature', keys, b.around) };
  const by = new Signer({ keyid: 'c1', key: crypto.createSecretKey(Buffer.from(SECRET)) });
  const found = (await send(withConsumers, { by })) as Identity;
  assert.equal([found.consumer?.name, found.credential?.name], ['acme', 'partner']);
  const own = (await send(withConsumers)) as Identity;
  assert.equal([own.consumer?.name, own.credential], ['acme', undefined]);
  const weak = new Signer({ keyid: 'c2', key: crypto.createSecretKey(Buffer.from('short')) });
  assert.is(said(await send(withConsumers, { by: weak })), 'The signature is not valid.');
  const without = create('http-signature', `${keys}\nconsumers = false`, b.around);
  assert.is(said(await send({ ...b, policy: without }, { by })), 'The signature is not valid.');
  b.around.consumers.length = 0;
  const gone = create('http-signature', keys, b.around);
  assert.is(said(await send({ ...b, policy: gone })), 'The signature is not valid.');
});

test('keys of every kind, from PEM, JWK and a key set', async () => {
  const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  const p256 = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const p384 = crypto.generateKeyPairSync('ec', { namedCurve: 'P-384' });
  const jwk = (key: crypto.KeyObject): object => key.export({ format: 'jwk' });
  const files: { readonly [path: string]: string } = {
    'rsa.pem': rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    'p256.json': JSON.stringify(jwk(p256.publicKey)),
    'set.json': JSON.stringify({
      keys: [
        { ...jwk(p384.publicKey), kid: 's1' },
        { ...jwk(rsa.publicKey), kid: 's2', alg: 'RS256' },
      ],
    }),
  };
  const readFile = (path: string): { text: string } => ({ text: files[path]! });
  const text = `jwks = "set.json"\nkeys = [{ id = "r", public_key = "rsa.pem" }, { id = "e", public_key = "p256.json" }]`;
  assert.equal(lint('http-signature', text, { readFile }), []);
  const { keys } = compile('http-signature', text, { readFile }) as { keys: { id: string; algorithm: string }[] };
  assert.equal(
    keys.map(({ id, algorithm }) => `${id} ${algorithm}`),
    ['r rsa-pss-sha512', 'e ecdsa-p256-sha256', 's1 ecdsa-p384-sha384', 's2 rsa-v1_5-sha256'],
  );
});

test('what a signature must cover', async () => {
  const b = bed();
  const lacks = (id: string): string => `The signature does not cover "${id}".`;
  assert.is(said(await send(b, { covered: ['@authority', '@path'] })), lacks('@method'));
  assert.is(said(await send(b, { covered: ['@method', '@path'] })), lacks('@authority'));
  assert.is(said(await send(b, { covered: ['@method', '@target-uri'] })), 'identity');
  assert.is(said(await send(b, { covered: ['@method', '@authority', '@request-target'] })), 'identity');
  const queried = { url: `${URL_OF}?a=1`, covered: ['@method', '@authority', '@path'] };
  assert.is(said(await send(b, queried)), lacks('@query'));
  const posted = { method: 'POST', body: '{}', covered: ['@method', '@target-uri'] };
  assert.is(said(await send(b, posted)), lacks('content-digest'));
  const strict = bed('components = ["Content-Type", "@method"]');
  assert.is(said(await send(strict, { covered: ['@method'] })), lacks('content-type'));
  assert.is(
    said(await send(strict, { covered: ['@method', 'content-type'], headers: { 'content-type': 'text/plain' } })),
    'identity',
  );
  assert.is(
    said(await send(strict, { covered: ['@method', 'content-type'] })),
    'The request does not have the component "content-type".',
  );
  assert.match(said(await send(b, { covered: ['@method', '@target-uri', '@status'] })), /does not have .*@status/);
});

test('times: created, max_age, expires, leeway', async () => {
  const b = bed('max_age = "1min"\nleeway = "5s"');
  const at = async (created: number | null, expires?: number): Promise<string> =>
    said(await send(b, { created, ...(expires === undefined ? {} : { expires }) }));
  assert.is(await at(null), 'The signature has no creation time.');
  assert.is(await at(NOW + 5), 'identity');
  assert.is(await at(NOW + 6), 'The signature was created in the future.');
  assert.is(await at(NOW - 64), 'identity');
  assert.is(await at(NOW - 65), 'The signature is too old.');
  assert.is(await at(NOW - 10, NOW - 4), 'identity');
  assert.is(await at(NOW - 10, NOW - 5), 'The signature has expired.');
});

test('a body is collected after the signature is valid, and must have the digest', async () => {
  const b = bed('max_body = "1KiB"');
  const asked: number[] = [];
  const collect = (body: string) => async (max: number) => {
    asked.push(max);
    return Buffer.from(body);
  };
  assert.is(said(await send(b, { method: 'POST', body: '{}', collect: collect('{}') })), 'identity');
  assert.equal(asked, [1024]);
  const wrong = await send(b, { method: 'POST', body: '{}', collect: collect('{} ') });
  assert.is(said(wrong), 'The body does not have the digest.');
  const forged = { method: 'POST', body: '{}', received: { method: 'PUT' }, collect: collect('{}') };
  assert.is(said(await send(b, forged)), 'The signature is not valid.');
  assert.is(asked.length, 2);
  const large: Refused = {
    outcome: 'refused',
    why: 'large',
    problem: { code: 'request/body-too-large', title: 'Large' },
  };
  assert.is(await send(b, { method: 'POST', body: '{}', collect: async () => large }), large);
  const odd = { method: 'POST', body: '{}', headers: { 'content-digest': 'md5=:AA==:' } };
  assert.is(said(await send(b, odd)), 'The field Content-Digest is malformed.');
});

test('a nonce is accepted once for each key; ways to do without', async () => {
  const b = bed();
  assert.is(said(await send(b, { nonce: 'n1' })), 'identity');
  const used = (await send(b, { nonce: 'n1' })) as Refused;
  assert.equal([said(used), used.counts], ['The nonce of the signature was used before.', false]);
  assert.is(said(await send(b, { nonce: 'n2' })), 'identity');
  assert.is(said(await send(b, { nonce: null })), 'The signature has no nonce.');
  const both = await Promise.all([send(b, { nonce: 'n3' }), send(b, { nonce: 'n3' })]);
  assert.equal(both.map(({ outcome }) => outcome).sort(), ['identity', 'refused']);
  const optional = bed('nonce = "optional"');
  for (const outcome of ['identity', 'identity']) assert.is(said(await send(optional, { nonce: null })), outcome);
  assert.is(said(await send(optional, { nonce: 'n1' })), 'identity');
  assert.match(said(await send(optional, { nonce: 'n1' })), /used before/);
  const ignored = bed('nonce = "ignored"');
  for (const outcome of ['identity', 'identity']) assert.is(said(await send(ignored, { nonce: 'n1' })), outcome);
});

test('a nonce is remembered as long as its signature would be accepted', async () => {
  const b = bed('max_age = "1min"\nleeway = "5s"');
  assert.is(said(await send(b, { nonce: 'n1' })), 'identity');
  Object.assign(b.around, { now: b.around.now + 64_000, wall: (NOW + 64) * 1000 });
  assert.match(said(await send(b, { nonce: 'n1' })), /used before/);
  Object.assign(b.around, { now: b.around.now + 2000, wall: (NOW + 66) * 1000 });
  assert.match(said(await send(b, { nonce: 'n1' })), /too old/);
});

test('an outage of the replay window refuses', async () => {
  const found = await send(bed('', world({ replays: replaysThat(new Error('down')) })));
  assert.equal([found.outcome, found.why], ['unavailable', 'replay window: down']);
});

test('a full replay window refuses with 503, and not for a wrong signature', async () => {
  const b = bed('', world({ replays: replaysThat('full') }));
  const found = (await send(b)) as Refused;
  const { code, status, headers } = found.problem;
  assert.equal([code, status, headers], ['auth/replay-window', 503, { 'retry-after': '5' }]);
  assert.equal([found.why, found.counts], ['the replay window is full', false]);
  assert.is(said(await send(b, { received: { method: 'DELETE' } })), 'The signature is not valid.');
});

test('a replay window over a network: of two requests with one nonce, one passes', async () => {
  const b = bed('', world({ replays: laterReplays() }));
  const both = await Promise.all([send(b, { nonce: 'n1' }), send(b, { nonce: 'n1' })]);
  assert.equal(both.map(({ outcome }) => outcome).sort(), ['identity', 'refused']);
  assert.match(said(await send(b, { nonce: 'n1' })), /used before/);
  assert.is(said(await send(b, { nonce: 'n2' })), 'identity');
});

test('an edit of the keys forgets no nonce', async () => {
  const around = world();
  assert.is(said(await send(bed('', around), { nonce: 'n1' })), 'identity');
  assert.match(said(await send(bed('leeway = "20s"\nrealm = "other"', around), { nonce: 'n1' })), /used before/);
});

test('several signatures: label and tag choose', async () => {
  const two = (label: string, tag?: string) => {
    const first = signer.request({ url: URL_OF, created: NOW, label: 'sig1', ...(tag ? { tag } : {}) });
    const other = signer.request({ url: URL_OF, created: NOW, label, tag: 'other' });
    return {
      'signature-input': `${first.headers['signature-input']}, ${other.headers['signature-input']}`,
      signature: `${first.headers['signature']}, ${other.headers['signature']}`,
    };
  };
  const ambiguous = (await send(bed(), { received: { headers: two('sig2') } })) as Refused;
  assert.equal([ambiguous.problem.status, ambiguous.problem.code], [400, 'auth/ambiguous']);
  assert.is(said(await send(bed('label = "sig2"'), { received: { headers: two('sig2') } })), 'identity');
  assert.is(said(await send(bed('tag = "mine"'), { received: { headers: two('sig2', 'mine') } })), 'identity');
  assert.is(said(await send(bed('tag = "none"'), { received: { headers: two('sig2') } })), 'absent');
  // A signature for another recipient may have components that gw does not know.
  const headers = two('sig2', 'mine');
  const strange = headers['signature-input'].replace(/(sig2=\()/, '$1"@strange" ');
  assert.is(
    said(await send(bed('tag = "mine"'), { received: { headers: { ...headers, 'signature-input': strange } } })),
    'identity',
  );
  assert.is(said(await send(bed('label = "none"'))), 'absent');
});

test('challenges say what to sign', async () => {
  const b = bed('tag = "orders"\nrealm = "shop"');
  const absent = (await b.policy.authenticate!(exchange(), noBody)) as Absent;
  assert.equal([absent.outcome, absent.pass, absent.problem.challenge], ['absent', false, 'Signature realm="shop"']);
  assert.equal(absent.problem.headers, {
    'accept-signature': 'sig1=("@method" "@authority" "@path" "@query");created;tag="orders"',
  });
  assert.is(absent.problem.detail, 'Sign the request as Accept-Signature says, with keyid and a nonce.');
  const refused = (await send(bed(), { method: 'POST', body: '{}', nonce: null })) as Refused;
  assert.match(refused.problem.headers?.['accept-signature'] ?? '', '"@query" "content-digest")');
  const open = (await bed('optional = true').policy.authenticate!(exchange(), noBody)) as Absent;
  assert.is(open.pass, true);
  const half = await send(b, { received: { headers: { signature: '' } } });
  assert.is(half.outcome, 'refused');
});

test('behind a proxy the origin comes from the spec', async () => {
  const received = { headers: { host: 'internal:8080', 'x-forwarded-host': 'api.example.com' } };
  assert.is(said(await send(bed(), { received })), 'The signature is not valid.');
  assert.is(said(await send(bed('origin = "https://api.example.com"'), { received })), 'identity');
  assert.is(said(await send(bed('origin = "https://api.example.com:443"'), { received })), 'identity');
});

test('the fields of the signature are removed, or forwarded', () => {
  for (const [keys, left] of [
    ['', 0],
    ['forward = true', 2],
  ] as const) {
    const { policy } = bed(keys);
    const on = exchangeOf({});
    policy.strip!(on);
    assert.is([...on.headers.entries()].filter(([name]) => name.startsWith('signature')).length, left);
    assert.is(policy.requestFields?.length, 2 - left);
  }
});

test('lint: keys and components', () => {
  const pem = PUBLIC.replaceAll('\n', '\\n');
  const secret = 'secret = "${env:S}"';
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['', ['http-signature/no-keys']],
    ['consumers = false', ['http-signature/no-keys']],
    ['optional = true', []],
    [`keys = [{ id = "a", ${secret} }]`, []],
    [`keys = [{ id = "a", ${secret} }, { id = "a", ${secret} }]`, ['http-signature/key keys.1.id']],
    ['keys = [{ id = "a" }]', ['http-signature/key keys.0']],
    [`keys = [{ id = "a", public_key = "${pem}", ${secret} }]`, ['http-signature/key keys.0']],
    [`keys = [{ id = "a", ${secret}, algorithm = "ed25519" }]`, ['http-signature/key keys.0.algorithm']],
    [
      `keys = [{ id = "a", public_key = "${pem}", algorithm = "rsa-pss-sha512" }]`,
      ['http-signature/key keys.0.public_key'],
    ],
    ['keys = [{ id = "a", public_key = "none.pem" }]', ['http-signature/key keys.0.public_key']],
    [`keys = [{ id = "a", ${secret}, consumer = "none" }]`, ['http-signature/key keys.0.consumer']],
    [`keys = [{ id = "a", ${secret}, consumer = "acme" }]`, []],
    ['jwks = "none.json"', ['http-signature/key jwks']],
    [`keys = [{ id = "a", ${secret} }]\ncomponents = ["@method"]`, ['http-signature/weak-components components']],
    [
      `keys = [{ id = "a", ${secret} }]\ncomponents = ["@method", "@target-uri", "@status", "date;tr", "a b"]`,
      [
        'http-signature/component components.2',
        'http-signature/component components.3',
        'http-signature/component components.4',
      ],
    ],
  ];
  for (const [text, found] of cases) assert.equal(lint('http-signature', text), found, text);
});

test.run();
