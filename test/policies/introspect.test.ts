import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  Absent,
  Authentication,
  Identity,
  Json,
  PolicyInstance,
  Refused,
  Unavailable,
} from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import type { OfflineCall, OfflineReply } from '../../src/proxy/offline/mocks.js';
import { DpopClient } from '../support/dpop.js';
import { NOW, said, sign, signer, withToken } from './jwt-kit.js';
import { compile, exchange, host, lint, noBody, world } from './support.js';

const ORIGIN = 'https://id.example.com';
const URL_LINE = `url = "${ORIGIN}/introspect?x=1"`;
const ACTIVE = { active: true, sub: 'ann', aud: 'orders', iss: ORIGIN, exp: NOW + 600, scope: 'a b' };

interface TestPolicy {
  readonly policy: PolicyInstance;
  readonly calls: OfflineCall[];
  readonly around: ReturnType<typeof world>;
  answer: (call: OfflineCall) => OfflineReply;
  on(token?: string): Promise<Authentication>;
}

const json = (value: unknown, status = 200): OfflineReply => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: typeof value === 'string' ? value : JSON.stringify(value),
});

function introspect(
  text = '',
  { answer = ACTIVE as unknown, consumers = [] as string[], keys = [] as object[], client = {} as object } = {},
): TestPolicy {
  const around = Object.assign(world(), { wall: NOW * 1000 });
  around.consumers.push(...consumers.map((name) => ({ name, groups: [], tags: {}, credentials: [] })));
  const readFile = (): { text: string } => ({ text: JSON.stringify({ keys }) });
  const settings = JSON.parse(JSON.stringify(compile('introspect', `${URL_LINE}\n${text}`, { readFile }))) as object;
  const whole = { ...settings, ...(Object.keys(client).length === 0 ? {} : { client }) } as Json;
  const calls: OfflineCall[] = [];
  const test: TestPolicy = {
    policy: runHalves['introspect']!(whole, host(around, 'p', [ORIGIN])),
    calls,
    around,
    answer: () => json(answer),
    on: async (token = 'opaque') => test.policy.authenticate!(withToken(token), noBody),
  };
  around.mocks = {
    [ORIGIN]: (call) => {
      calls.push(call);
      return test.answer(call);
    },
  };
  return test;
}

const formOf = ({ body }: OfflineCall) => Object.fromEntries(new URLSearchParams(Buffer.from(body).toString()));

test('an active token gives an identity with what the server said; the token is in the body', async () => {
  const { on, calls } = introspect('', { client: { method: 'client_secret_basic', id: 'gw', secret: 's' } });
  const found = (await on('opaque-1')) as Identity;
  const { active, ...claims } = ACTIVE;
  assert.equal([active, found.outcome, found.claims], [true, 'identity', claims]);
  assert.equal(calls.length, 1);
  const [call] = calls as [OfflineCall];
  assert.equal([call.method, call.path], ['POST', '/introspect?x=1']);
  assert.equal(formOf(call), { token: 'opaque-1', token_type_hint: 'access_token' });
  assert.equal(call.headers.find(([name]) => name === 'authorization')?.[1], `Basic ${btoa('gw:s')}`);
});

test('an answer is kept until the token expires, an invalid one for a short time', async () => {
  const test = introspect('cache = "1h"\ncache_invalid = "10s"\nleeway = "0s"', {
    answer: { ...ACTIVE, exp: NOW + 60 },
  });
  for (let i = 0; i < 3; i++) assert.is(said(await test.on()), 'identity');
  assert.is(test.calls.length, 1);
  const pass = (seconds: number): void => {
    test.around.now += seconds * 1000;
    test.around.wall! += seconds * 1000;
  };
  pass(59);
  assert.is(said(await test.on()), 'identity');
  assert.is(test.calls.length, 1);
  pass(2);
  test.answer = () => json({ active: false });
  assert.is(said(await test.on()), 'The token is not active.');
  assert.is(said(await test.on()), 'The token is not active.');
  assert.is(test.calls.length, 2);
  pass(11);
  await test.on();
  assert.is(test.calls.length, 3);
});

test('requests with the same token at once ask once; other tokens ask for themselves', async () => {
  const { policy, calls } = introspect('cache = "0s"');
  const all = ['a', 'a', 'a', 'b'].map((token) => policy.authenticate!(withToken(token), noBody));
  assert.equal((await Promise.all(all)).map(said), ['identity', 'identity', 'identity', 'identity']);
  assert.is(calls.length, 2);
});

test('keys of the cache are digests', async () => {
  const test = introspect();
  const keys: string[] = [];
  const real = host(test.around, 'q', [ORIGIN]);
  const cache = { ...real.cache, set: (key: string) => void keys.push(key) };
  const settings = JSON.parse(JSON.stringify(compile('introspect', URL_LINE))) as Json;
  const policy = runHalves['introspect']!(settings, { ...real, cache });
  await policy.authenticate!(withToken('hunter2'), noBody);
  assert.is(keys.length, 1);
  assert.not.match(keys[0]!, /hunter2/);
});

test('only active = true opens; an outage and a wrong answer give 503', async () => {
  const wrong: readonly (readonly [unknown, number])[] = [
    [{}, 200],
    [{ active: 'true' }, 200],
    [{ active: 'false' }, 200],
    [{ active: 1 }, 200],
    [{ active: null }, 200],
    [[], 200],
    ['true', 200],
    ['<html>', 200],
    ['{"active":false,"active":true}', 200],
    [ACTIVE, 201],
    [ACTIVE, 302],
    [{ error: 'invalid_client' }, 401],
    [{}, 500],
    [`{"active":true,"x":"${'y'.repeat(70_000)}"}`, 200],
    [`{"active":true,"x":${'['.repeat(100)}${']'.repeat(100)}}`, 200],
  ];
  for (const [body, status] of wrong) {
    const test = introspect();
    test.answer = () => json(body, status);
    const found = (await test.on()) as Unavailable;
    assert.is(found.outcome, 'unavailable', JSON.stringify(body).slice(0, 60));
    // Nothing of it is kept.
    test.answer = () => json(ACTIVE);
    assert.is(said(await test.on()), 'identity');
  }
  const down = introspect();
  down.around.mocks = {};
  assert.is(said(await down.on()), 'unavailable');
});

test('what the answer must say: time, issuer, audience, scope, claims, consumer', async () => {
  const cases: readonly (readonly [string, object, string])[] = [
    ['audience = "orders"', {}, 'identity'],
    ['audience = "x"', {}, 'The token is for another audience.'],
    ['audience = "orders"', { aud: undefined }, 'The token is for another audience.'],
    [`issuer = "${ORIGIN}"`, {}, 'identity'],
    ['issuer = "https://other"', {}, 'The issuer of the token is not accepted.'],
    ['', { exp: NOW - 31 }, 'The token has expired.'],
    ['', { exp: String(NOW) }, 'The token has a malformed time.'],
    ['', { nbf: NOW + 60 }, 'The token is not valid yet.'],
    ['', { exp: undefined }, 'identity'],
    ['require_exp = true', { exp: undefined }, 'The token has no expiry.'],
    ['scope = "a"', {}, 'identity'],
    ['scope = "c"', {}, 'The token needs the scope c.'],
    ['claims = { sub = ["bob"] }', {}, 'The claim sub of the token is not accepted.'],
    ['consumer_claim = "sub"', {}, 'identity'],
    ['consumer_claim = "iss"', {}, 'Unknown consumer'],
    ['max_age = "5min"', {}, 'A more recent authentication is required.'],
  ];
  for (const [text, more, expected] of cases) {
    const { on } = introspect(text, { answer: { ...ACTIVE, ...more }, consumers: ['ann'] });
    assert.is(said(await on()), expected, `${text} ${JSON.stringify(more)}`);
    assert.is(said(await on()), expected);
  }
});

test('tokens that cannot be tokens are refused without a request', async () => {
  const { on, calls, policy } = introspect('max_token = "64B"');
  for (const token of ['', 'a b', 'a"b', 'ü', 'a=b', 'x'.repeat(65)]) assert.is((await on(token)).outcome, 'refused');
  const none = policy.authenticate!(exchange(), noBody) as Absent;
  assert.equal([none.outcome, none.problem.challenge], ['absent', 'Bearer realm="api"']);
  assert.is(((await on('a,b')) as Refused).problem.status, 400);
  assert.equal(calls, []);
});

test('a bound token needs its proof', async () => {
  const client = await DpopClient.create();
  const { policy } = introspect('dpop = { mode = "required", origin = "https://api.example.com" }', {
    answer: { ...ACTIVE, cnf: client.cnf },
  });
  const send = async (headers: readonly (readonly [string, string])[]) =>
    said(await policy.authenticate!(exchange({ headers }), noBody));
  const proof = await client.proof({ url: 'https://api.example.com/orders/1', token: 'opaque', at: NOW });
  const bearer = 'The token is bound to a key, so it must be sent as DPoP with a proof.';
  assert.is(await send([['authorization', 'Bearer opaque']]), bearer);
  assert.is(await send([['authorization', 'DPoP opaque']]), 'The DPoP proof is missing.');
  const right = [
    ['authorization', 'DPoP opaque'],
    ['dpop', proof],
  ] as const;
  assert.is(await send(right), 'identity');
  assert.is(await send(right), 'The DPoP proof was used before.');
  const plain = introspect('', { answer: { ...ACTIVE, cnf: client.cnf } });
  assert.is(said(await plain.on()), 'The token is bound to a key, which this route does not accept.');
});

const SIGNED = `signed = { keys = ["k"], issuer = "${ORIGIN}", audience = "gw" }`;

test('signed answers, RFC 9701: the type, the signature, issuer and audience count', async () => {
  const key = await signer();
  const evil = await signer();
  const typ = 'token-introspection+jwt';
  const type = { 'content-type': 'application/token-introspection+jwt; charset=utf-8' };
  const claims = { iss: ORIGIN, aud: 'gw', iat: NOW, token_introspection: ACTIVE };
  const cases: readonly (readonly [string | Promise<string>, object, string])[] = [
    [sign(key, claims, { typ }), type, 'identity'],
    [sign(key, { ...claims, token_introspection: { active: false } }, { typ }), type, 'The token is not active.'],
    [sign(key, claims, { typ }), { 'content-type': 'application/json' }, 'unavailable'],
    [JSON.stringify(ACTIVE), { 'content-type': 'application/json' }, 'unavailable'],
    [sign(evil, claims, { typ }), type, 'unavailable'],
    [sign(key, claims, { typ: 'JWT' }), type, 'unavailable'],
    [sign(key, claims), type, 'unavailable'],
    [sign(key, { ...claims, iss: 'https://evil' }, { typ }), type, 'unavailable'],
    [sign(key, { ...claims, aud: 'other' }, { typ }), type, 'unavailable'],
    [sign(key, { ...claims, iat: undefined }, { typ }), type, 'unavailable'],
    [sign(key, { ...claims, exp: NOW - 100 }, { typ }), type, 'unavailable'],
    [sign(key, { ...claims, token_introspection: undefined, active: true }, { typ }), type, 'unavailable'],
    [sign(key, { ...claims, token_introspection: { active: 'true' } }, { typ }), type, 'unavailable'],
    ['nonsense', type, 'unavailable'],
  ];
  for (const [body, headers, expected] of cases) {
    const test = introspect(SIGNED, { keys: [key.jwk] });
    const text = await body;
    test.answer = () => ({ headers: headers as { [name: string]: string }, body: text });
    assert.is(said(await test.on()), expected, text.slice(0, 40));
    assert.is(test.calls[0]!.headers.find(([name]) => name === 'accept')?.[1], 'application/token-introspection+jwt');
  }
});

test('lint: the endpoint, the client, signed answers', () => {
  const rest = 'audience = "a"';
  assert.equal(lint('introspect', `${URL_LINE}\n${rest}`), []);
  assert.equal(lint('introspect', rest), ['introspect/service']);
  const byTls = 'client_id = "gw"\nclient_auth = "tls_client_auth"';
  assert.equal(lint('introspect', `${URL_LINE}\n${rest}\n${byTls}`), ['introspect/client client_auth']);
  assert.equal(lint('introspect', `service = "x"\n${rest}\n${byTls}`), []);
  assert.equal(lint('introspect', `${URL_LINE}\n${rest}\nservice = "x"`), ['introspect/service service']);
  assert.equal(lint('introspect', `${URL_LINE}\n${rest}\npath = "/x"`), ['introspect/service path']);
  assert.equal(lint('introspect', `${URL_LINE}`), ['introspect/no-audience']);
  const key = 'client_id = "a"\nclient_key = "${env:K}"';
  assert.equal(lint('introspect', `service = "x"\n${rest}\n${key}`), ['introspect/client service']);
  assert.equal(lint('introspect', `${URL_LINE}\n${rest}\nclient_secret = "\${env:K}"`), ['introspect/client']);
  assert.equal(lint('introspect', `${URL_LINE}\n${rest}\n${SIGNED}`), ['introspect/signed signed.keys.0']);
});

test.run();
