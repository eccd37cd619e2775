/** Tokens for services offline: one fetch, renewal before the end, a new token after a 401, outages, exchange by subject. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Reply } from '../../src/policies/contract.js';
import type { OfflineCall, OfflineReply } from '../../src/proxy/offline/mocks.js';
import { decode, exchange, lint } from './support.js';
import { attemptOf, type Bed, bed, NOW, type Ran, run } from './upstream-auth-kit.js';

const CLIENT = 'token_url = "https://id.example/token", client_id = "gw", client_secret = "${env:S}"';
const SECRETS = { '${env:S}': 'client-secret' };

interface Server extends Bed {
  readonly asked: OfflineCall[];
  answer: OfflineReply | ((call: OfflineCall) => OfflineReply);
  /** Time passes, in seconds. */
  pass(seconds: number): void;
}

/** A token server that numbers its tokens. */
function server(keys: string, more: { readonly [reference: string]: string } = {}): Server {
  const b = bed(keys, { ...SECRETS, ...more });
  const asked: OfflineCall[] = [];
  const made: Server = {
    ...b,
    asked,
    answer: () => json({ access_token: `t${asked.length}`, token_type: 'Bearer', expires_in: 600 }),
    pass(seconds) {
      b.around.now += seconds * 1000;
      b.around.wall! += seconds * 1000;
    },
  };
  b.around.mocks = {
    'https://id.example': (call) => {
      asked.push(call);
      return typeof made.answer === 'function' ? made.answer(call) : made.answer;
    },
  };
  return made;
}

const json = (value: object, status = 200): OfflineReply => ({ status, body: JSON.stringify(value) });
const sent = ({ attempt, reply }: Ran): string => reply?.cause ?? attempt.fields.get('authorization') ?? 'nothing';
const form = ({ body }: OfflineCall) => Object.fromEntries(new URLSearchParams(Buffer.from(body).toString()));

const oauth2 = (more = ''): string => `oauth2 = { ${CLIENT}${more} }`;

test('client credentials: one token for all requests, asked for as the spec says', async () => {
  const b = server(oauth2(', scope = "a b", audience = "orders", resource = "https://r", params = { x = "y" }'));
  const all = await Promise.all(Array.from({ length: 5 }, () => run(b)));
  assert.equal(all.map(sent), Array(5).fill('Bearer t1'));
  assert.is(sent(await run(b)), 'Bearer t1');
  assert.is(b.asked.length, 1);
  const [call] = b.asked;
  assert.equal([call!.method, call!.path], ['POST', '/token']);
  assert.equal(form(call!), {
    grant_type: 'client_credentials',
    scope: 'a b',
    audience: 'orders',
    resource: 'https://r',
    x: 'y',
  });
  const authorization = call!.headers.find(([name]) => name === 'authorization')?.[1];
  assert.is(authorization, `Basic ${Buffer.from('gw:client-secret').toString('base64')}`);
});

test('a token is renewed before it expires, while requests use it on', async () => {
  const b = server(oauth2());
  await run(b);
  b.pass(530);
  assert.is(sent(await run(b)), 'Bearer t1');
  assert.is(b.asked.length, 1);
  b.pass(6);
  assert.is(sent(await run(b)), 'Bearer t1', 'renewed in the background');
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(b.asked.length, 2);
  assert.is(sent(await run(b)), 'Bearer t2');
  b.pass(700);
  assert.is(sent(await run(b)), 'Bearer t3', 'an expired token is not used');
});

test('a failed renewal keeps the token until its end', async () => {
  const b = server(oauth2());
  await run(b);
  b.answer = json({}, 500);
  b.pass(540);
  assert.is(sent(await run(b)), 'Bearer t1');
  await new Promise((resolve) => setImmediate(resolve));
  assert.is(sent(await run(b)), 'Bearer t1');
  assert.is(b.asked.length, 2, 'not asked again at once');
  b.pass(60);
  const { reply } = await run(b);
  assert.equal(
    [reply?.status, reply?.code, reply?.cause],
    [503, 'upstream/credentials', 'https://id.example: status 500'],
  );
});

test('after a 401 the next attempt has another token, once, and not one that was fetched just now', async () => {
  const b = server(oauth2());
  const on = Object.assign(exchange(), { attached: new Set() });
  const fresh = attemptOf(on);
  await b.policy.onAttempt!(on, fresh);
  assert.is(fresh.repeats, false, 'the token is new');
  b.pass(10);
  const first = attemptOf(on);
  await b.policy.onAttempt!(on, first);
  assert.equal([first.fields.get('authorization'), first.repeats], ['Bearer t1', true]);
  const second = attemptOf(on, { number: 2, unauthorized: true });
  await b.policy.onAttempt!(on, second);
  assert.is(second.fields.get('authorization'), 'Bearer t2');
  assert.is(sent(await run(b)), 'Bearer t2');
  assert.is(b.asked.length, 2);
});

test('an outage, a refusal and wrong answers give 503 with the cause, without secrets', async () => {
  const b = server(oauth2());
  const causes: readonly (readonly [OfflineReply, string])[] = [
    [{ status: 500, body: 'down' }, 'status 500'],
    [
      json({ error: 'invalid_client', error_description: 'who are you' }, 401),
      'status 401, invalid_client, who are you',
    ],
    [
      json({ error: 'invalid_client', error_description: 'Wrong secret: client-secret.' }, 401),
      'status 401, invalid_client, Wrong secret: (not shown).',
    ],
    [{ body: '<html>' }, 'the reply is not a JSON object'],
    [json({ token_type: 'Bearer' }), 'the reply has no token'],
    [json({ access_token: 'a\nb', token_type: 'Bearer' }), 'the reply has no token'],
    [json({ access_token: 't', token_type: 'DPoP' }), 'tokens of the type dpop are not supported'],
  ];
  for (const [answer, cause] of causes) {
    b.answer = answer;
    b.pass(2);
    const { reply } = await run(b);
    assert.equal(
      [reply?.status, reply?.code, reply?.cause],
      [503, 'upstream/credentials', `https://id.example: ${cause}`],
    );
    assert.not.match(JSON.stringify(reply), 'client-secret');
    const asked = b.asked.length;
    assert.is((await run(b)).reply?.status, 503);
    assert.is(b.asked.length, asked, 'a failure is the answer for a second');
  }
});

const tokenExchange = (more = ''): string => `token_exchange = { ${CLIENT}${more} }`;
const bearer = (token: string) => ({ headers: [['authorization', `Bearer ${token}`]] as const });

test('token exchange: one token for each subject, with the parameters of RFC 8693', async () => {
  const b = server(
    tokenExchange(', audience = "orders", requested_token_type = "urn:ietf:params:oauth:token-type:jwt"'),
  );
  assert.is(sent(await run(b, bearer('ann'))), 'Bearer t1');
  assert.is(sent(await run(b, bearer('bob'))), 'Bearer t2');
  assert.is(sent(await run(b, bearer('ann'))), 'Bearer t1');
  assert.is(b.asked.length, 2);
  assert.equal(form(b.asked[0]!), {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: 'ann',
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: 'orders',
    requested_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
});

test('token exchange: no subject and a refused one give 401, an outage 503', async () => {
  const b = server(tokenExchange());
  const missing = await run(b);
  assert.equal([missing.reply?.status, missing.reply?.code], [401, 'auth/missing']);
  b.answer = json({ error: 'invalid_grant' }, 400);
  const refused = await run(b, bearer('old'));
  assert.equal([refused.reply?.status, refused.reply?.code], [401, 'auth/invalid']);
  assert.is(refused.reply?.headers.get('www-authenticate'), 'Bearer realm="api", error="invalid_token"');
  b.answer = json({}, 503);
  assert.is((await run(b, bearer('ann'))).reply?.status, 503);
  assert.is((await run(b, bearer('x'.repeat(20_000)))).reply?.status, 401);
});

test('token exchange: the subject can come from elsewhere', async () => {
  const b = server(tokenExchange(', subject_token = "{claims.upstream}", subject_token_type = "urn:x:y"'));
  await run(b, { claims: { upstream: 'inner' } });
  assert.equal([form(b.asked[0]!)['subject_token'], form(b.asked[0]!)['subject_token_type']], ['inner', 'urn:x:y']);
  assert.is((await run(b, bearer('ann'))).reply?.status, 401);
});

test('two workers share a token: the second finds it in the shared cache', async () => {
  const b = server(oauth2());
  await run(b);
  const other = bed(oauth2(), SECRETS, b.around);
  assert.is(sent(await run(other)), 'Bearer t1');
  assert.is(b.asked.length, 1);
  assert.is(b.around.wall, NOW * 1000);
});

test('token exchange: errors of gw and of the endpoint are no fault of the caller', async () => {
  const b = server(tokenExchange());
  const errors = ['invalid_client', 'unauthorized_client', 'unsupported_grant_type'].map((error) =>
    json({ error }, error === 'invalid_client' ? 401 : 400),
  );
  for (const answer of [
    ...errors,
    { status: 404, body: 'not found' },
    { status: 403, body: '<html>' },
    json({}, 400),
  ]) {
    b.answer = answer;
    b.pass(2);
    assert.equal([(await run(b, bearer('ann'))).reply?.status, answer.body], [503, answer.body]);
  }
});

/** The policy sees the reply of the target. */
const replied = (b: Bed, { on }: Ran, status: number) => b.policy.after!(on, { status } as Reply);

test('a 401 to a request that cannot be repeated also ends a token that was revoked', async () => {
  const b = server(oauth2());
  const first = await run(b);
  await replied(b, first, 401);
  assert.is(sent(await run(b)), 'Bearer t1', 'it was new');
  b.pass(10);
  const streaming = await run(b, { hasBody: true });
  await replied(b, streaming, 403);
  assert.is(sent(await run(b)), 'Bearer t1');
  await replied(b, streaming, 401);
  assert.is(sent(await run(b)), 'Bearer t2');
  assert.is(b.asked.length, 2);
});

test('a 401 during an outage of the token server does not refuse the requests of others', async () => {
  const b = server(oauth2());
  await run(b);
  b.pass(10);
  b.answer = json({}, 500);
  const on = Object.assign(exchange(), { attached: new Set() });
  await b.policy.onAttempt!(on, attemptOf(on));
  const again = attemptOf(on, { number: 2, unauthorized: true });
  assert.is(((await b.policy.onAttempt!(on, again)) as Reply).status, 503);
  await replied(b, { ...(await run(b)) }, 401);
  for (let i = 0; i < 5; i++) assert.is(sent(await run(b)), 'Bearer t1');
  assert.is(b.asked.length, 2, 'at most once a second');
  b.pass(2);
  b.answer = json({ access_token: 't9', token_type: 'Bearer' });
  assert.is(sent(await run(b)), 'Bearer t9');
});

test('a token of a short life, and one whose end the server writes as 0, is used more than once', async () => {
  for (const expires_in of [4, 0, 1e300]) {
    const b = server(oauth2());
    b.answer = json({ access_token: 't', token_type: 'Bearer', expires_in });
    for (let i = 0; i < 3; i++) assert.is(sent(await run(b)), 'Bearer t');
    assert.is(b.asked.length, 1, String(expires_in));
    b.pass(4);
    await run(b);
    assert.is(b.asked.length, expires_in === 4 ? 2 : 1);
  }
});

test('a clock that was set back does not make an old token a new one', async () => {
  const b = server(oauth2());
  await run(b);
  b.pass(300);
  b.around.wall! -= 600_000;
  const attempt = (await run(b)).attempt;
  assert.is(attempt.repeats, true);
  const on = Object.assign(exchange(), { attached: new Set() });
  await b.policy.onAttempt!(on, attemptOf(on));
  const again = attemptOf(on, { number: 2, unauthorized: true });
  await b.policy.onAttempt!(on, again);
  assert.is(again.fields.get('authorization'), 'Bearer t2');
});

test('a token of another client id is not used after a reload', async () => {
  const keys = oauth2().replace('client_id = "gw"', 'client_id = "${env:ID}"');
  const b = server(keys, { '${env:ID}': 'tenant-a' });
  assert.is(sent(await run(b)), 'Bearer t1');
  const other = bed(keys, { ...SECRETS, '${env:ID}': 'tenant-b' }, b.around);
  assert.is(sent(await run(other)), 'Bearer t2');
  const same = bed(keys, { '${env:S}': 'rotated', '${env:ID}': 'tenant-a' }, b.around);
  assert.is(sent(await run(same)), 'Bearer t1', 'a rotated secret is one of the same client');
});

test('the token endpoint can be a service of the spec, at the path of its URL', async () => {
  const b = server(oauth2(', service = "id"'));
  b.around.mocks = {
    id: (call) => {
      b.asked.push(call);
      return json({ access_token: 'of-service', token_type: 'Bearer' });
    },
  };
  assert.is(sent(await run(b)), 'Bearer of-service');
  assert.is(b.asked[0]!.path, '/token');
});

test('a parameter that gw sets is none of the further ones', () => {
  const errorsOf = (name: string): readonly string[] =>
    decode('upstream-auth', oauth2(`, params = { ${name} = "x" }`)).errors;
  for (const name of ['grant_type', 'scope', 'client_secret', 'client_assertion', 'subject_token'])
    assert.match(errorsOf(name).join(), `\`${name}\` cannot be a further parameter`);
  for (const name of ['acr', 'actor_token', 'resource', 'audience', 'client_id']) assert.equal(errorsOf(name), []);
});

test('lint: the client and plain http', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [oauth2(), []],
    ['oauth2 = { token_url = "https://id.example/token" }', ['upstream-auth/client oauth2']],
    [
      'oauth2 = { token_url = "https://id.example/token", client_id = "gw", client_auth = "client_secret_post" }',
      ['upstream-auth/client oauth2.client_auth'],
    ],
    [oauth2(', service = "id"'), []],
    [
      'oauth2 = { token_url = "https://id.example/token", client_id = "gw", client_auth = "tls_client_auth" }',
      ['upstream-auth/client oauth2.client_auth'],
    ],
    [
      'oauth2 = { token_url = "https://id.example/token", service = "id", client_id = "gw", client_auth = "tls_client_auth" }',
      [],
    ],
    [oauth2().replace('https', 'http'), ['upstream-auth/plain-http oauth2.token_url']],
    [oauth2().replace('https://id.example', 'http://127.0.0.1:99'), []],
    [tokenExchange(', subject_token = "{claim.x}"'), ['template/unknown-variable token_exchange.subject_token']],
  ];
  for (const [text, found] of cases) assert.equal(lint('upstream-auth', text), found, text);
});

test.run();
