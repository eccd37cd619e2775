/** The key set by URL: what the duty fetches, and what a worker does with it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile as compileSpec } from '../../src/compiler/index.js';
import { explain } from '../../src/control/explain.js';
import { checkSpec } from '../../src/lint/index.js';
import type { DutyHost, DutyInstance, DutyReply, Json, Unavailable } from '../../src/policies/contract.js';
import { createDuty } from '../../src/policies/jwt/duty.js';
import { idOfUrl } from '../../src/policies/kits/jose/keys.js';
import { jwt, NOW, said, sign, signer, withToken } from './jwt-kit.js';
import { compile, noBody } from './support.js';

const [one, two] = [await signer('ES256', 'one'), await signer('ES256', 'two')];
const TEXT = 'jwks = "https://id.example.com/keys"\ncooldown = "30s"\nstale_for = "1h"';

type Value = { readonly [name: string]: Json };

interface TestDuty {
  readonly duty: DutyInstance;
  readonly published: Value[];
  readonly requests: string[];
  now: number;
}

/** A duty whose network answers with `reply`. */
function dutyOf(reply: () => Partial<DutyReply> | Error | Promise<Partial<DutyReply>>, last?: Json): TestDuty {
  const facts = { published: [] as Value[], requests: [] as string[], now: 1_000_000 };
  const host: DutyHost = {
    name: 'p',
    clock: { now: () => facts.now, monotonic: () => facts.now },
    random: () => 0.5,
    logger: { debug() {}, info() {}, warn() {}, error() {} },
    fetch: async (url) => {
      facts.requests.push(url);
      const found = await reply();
      if (found instanceof Error) throw found;
      return { status: 200, headers: {}, body: Buffer.from(''), ...found };
    },
    publish: (value) => void facts.published.push(value as Value),
    last,
  };
  const settings = JSON.parse(JSON.stringify(compile('jwt', TEXT))) as Json;
  return Object.assign(facts, { duty: createDuty(settings, host) });
}

const setOf = (...keys: unknown[]): { body: Uint8Array } => ({ body: Buffer.from(JSON.stringify({ keys })) });
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no failure',
    (error: Error) => error.message,
  );

test('the reply says when the key set is fetched again', async () => {
  const now = new Date(1_000_000).toUTCString();
  const cases: readonly (readonly [headers: DutyReply['headers'], wait: number])[] = [
    [{}, 600_000],
    [{ 'cache-control': 'public, max-age=300' }, 300_000],
    [{ 'cache-control': 'max-age=300', age: '100' }, 200_000],
    [{ 'cache-control': 'max-age=1' }, 30_000],
    [{ 'cache-control': 'no-store' }, 30_000],
    [{ 'cache-control': 'max-age=99999999' }, 86_400_000],
    [{ expires: new Date(1_000_000 + 120_000).toUTCString(), date: now }, 120_000],
    [{ expires: '0', date: now }, 30_000],
  ];
  for (const [headers, wait] of cases) {
    const { duty, published } = dutyOf(() => ({ ...setOf(one.jwk), headers }));
    assert.is(await duty.run(), wait, JSON.stringify(headers));
    assert.equal([published[0]!['fetchedAt'], published[0]!['dueAt']], [1_000_000, 1_000_000 + wait]);
  }
});

test('private members and unusable keys are dropped; a set without a usable key fails', async () => {
  const secret = { ...one.jwk, d: 'c2VjcmV0' };
  const others = [{ kty: 'oct', k: 'AAAA' }, { ...two.jwk, use: 'enc' }, { ...two.jwk, x: 'short' }, null, 'x'];
  const { duty, published } = dutyOf(() => setOf(secret, ...others));
  await duty.run();
  const { kty, crv, x, y, kid } = one.jwk as { readonly [name: string]: string };
  assert.equal(published[0]!['keys'], [{ kty, kid, crv, x, y }]);
  for (const [reply, cause] of [
    [setOf(...others), /no usable key/],
    [{ body: Buffer.from('{"keys": 1}') }, /not a key set/],
    [{ body: Buffer.from('<html>') }, /not JSON/],
    [{ ...setOf(one.jwk), status: 302 }, /status 302/],
  ] as const) {
    const wrong = dutyOf(() => reply);
    assert.match(await failure(wrong.duty.run()), cause);
    assert.equal(wrong.published, []);
  }
});

test('keys of an earlier generation are not fetched again before they are due', async () => {
  const last = { keys: [], fetchedAt: 900_000, dueAt: 1_200_000, of: idOfUrl('https://id.example.com/keys') };
  const { duty, requests } = dutyOf(() => setOf(one.jwk), last);
  assert.is(await duty.run(), 200_000);
  assert.equal(requests, []);
});

test('the keys of another URL, which a reference had before, are fetched anew and not used', async () => {
  const other = idOfUrl('https://other.example.com/keys');
  const last = { ...(valueWith([two.jwk], 900_000, 9_000_000) as Value), of: other };
  const { duty, requests } = dutyOf(() => setOf(one.jwk), last);
  await duty.run();
  assert.equal(requests, ['https://id.example.com/keys']);
  const { policy, on } = jwt(TEXT, { ask: async () => ({ ok: false, notBefore: 0 }) });
  policy.published!(last);
  assert.is(said(await on(await sign(two))), 'unavailable');
});

test('a question fetches, but not within the cooldown, and not if newer keys are on their way', async () => {
  const test = dutyOf(() => setOf(one.jwk));
  await test.duty.run();
  assert.equal(await test.duty.ask!(1_000_000), { ok: true, notBefore: 1_030_000 });
  assert.is(test.requests.length, 1);
  test.now += 30_000;
  assert.equal(await test.duty.ask!(1_000_000), { ok: true, notBefore: 1_060_000 });
  assert.is(test.requests.length, 2);
  // This worker has not got the value of the last fetch yet.
  test.now += 40_000;
  assert.equal(await test.duty.ask!(1_000_000), { ok: true, notBefore: 1_060_000 });
  assert.is(test.requests.length, 2);
});

test('a failed fetch is part of the answer, also during the cooldown', async () => {
  let down = false;
  const test = dutyOf(() => (down ? new Error('connection refused') : setOf(one.jwk)));
  await test.duty.run();
  down = true;
  test.now += 31_000;
  assert.equal(await test.duty.ask!(1_000_000), { ok: false, notBefore: 1_061_000 });
  assert.equal(await test.duty.ask!(1_000_000), { ok: false, notBefore: 1_061_000 });
  assert.is(test.requests.length, 2);
});

test('questions and runs share one fetch', async () => {
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const test = dutyOf(async () => {
    await gate;
    return setOf(one.jwk);
  });
  const all = [test.duty.run(), test.duty.ask!(null), test.duty.ask!(null)];
  await new Promise((resolve) => setImmediate(resolve));
  release();
  await Promise.all(all);
  assert.is(test.requests.length, 1);
});

const valueWith = (keys: readonly object[], fetchedAt = 1_000_000, dueAt = 1_600_000): Json =>
  JSON.parse(JSON.stringify({ keys, fetchedAt, dueAt })) as Json;

test('without keys the answer is 503, never access', async () => {
  const { on, asked } = jwt(TEXT, { ask: async () => ({ ok: false, notBefore: 1_030_000 }) });
  const found = (await on(await sign(one))) as Unavailable;
  assert.equal(found, { outcome: 'unavailable', why: 'no key set: it cannot be fetched' });
  await on(await sign(one));
  // The second time within the cooldown.
  assert.equal(asked, [null]);
});

test('an unknown kid asks for the key set again; a rotated key is then accepted', async () => {
  const around = jwt(TEXT, {
    ask: async () => {
      around.policy.published!(valueWith([one.jwk, two.jwk], 1_000_500));
      return { ok: true, notBefore: 1_030_000 };
    },
  });
  around.policy.published!(valueWith([one.jwk]));
  assert.is(said(await around.on(await sign(one))), 'identity');
  assert.is(said(await around.on(await sign(two))), 'identity');
  assert.equal(around.asked, [1_000_000]);
});

test('many tokens with unknown keys cause one question within the cooldown', async () => {
  const { policy, on, asked, around } = jwt(TEXT, { ask: async () => ({ ok: true, notBefore: 1_030_000 }) });
  policy.published!(valueWith([one.jwk]));
  for (let at = 0; at < 20; at++)
    assert.is(said(await on(await sign({ ...two, kid: `evil-${at}` }))), 'No known key verifies the token.');
  assert.is(asked.length, 1);
  around.now += 30_000;
  await on(await sign({ ...two, kid: 'evil' }));
  assert.is(asked.length, 2);
});

test('an unknown kid while the issuer is down is 503: the key may be a new one', async () => {
  const { policy, on } = jwt(TEXT, { ask: () => Promise.reject(new Error('no answer of the duty')) });
  policy.published!(valueWith([one.jwk]));
  assert.equal(await on(await sign(two)), { outcome: 'unavailable', why: 'no key set: no answer of the duty' });
  assert.is(said(await on(await sign(one))), 'identity');
});

test('stale keys serve through an outage for the stated time, then 503, also for remembered tokens', async () => {
  const { policy, on, around } = jwt(TEXT, { ask: async () => ({ ok: false, notBefore: 0 }) });
  policy.published!(valueWith([one.jwk]));
  const token = await sign(one);
  assert.is(said(await on(token)), 'identity');
  around.now = 1_600_000 + 3_600_000 - 1;
  assert.is(said(await on(token)), 'identity');
  around.now++;
  assert.is(said(await on(token)), 'unavailable');
  policy.published!(valueWith([one.jwk], around.now, around.now + 1000));
  assert.is(said(await on(token)), 'identity');
});

test('a key that is withdrawn is withdrawn for remembered tokens too; the same keys change nothing', async () => {
  const { policy, on } = jwt(TEXT, { ask: async () => ({ ok: true, notBefore: 0 }) });
  policy.published!(valueWith([one.jwk, two.jwk]));
  const token = await sign(one);
  await on(token);
  policy.published!(valueWith([one.jwk, two.jwk], 1_000_100));
  assert.not.instance(policy.authenticate!(withToken(token), noBody), Promise);
  policy.published!(valueWith([two.jwk], 1_000_200));
  assert.is(said(await on(token)), 'No known key verifies the token.');
});

test('a plain key set, as explain is given it, has no end, and no other one is asked for', async () => {
  const { policy, on, around, asked } = jwt(TEXT);
  policy.published!(JSON.parse(JSON.stringify({ keys: [one.jwk] })));
  around.now += 1e9;
  assert.is(said(await on(await sign(one))), 'identity');
  assert.is(said(await on(await sign(two))), 'No known key verifies the token.');
  assert.equal(asked, []);
  assert.throws(() => policy.published!([1]), /not a key set/);
  assert.throws(() => policy.published!({ keys: [{ kty: 'oct', k: 'AAAA' }] }), /no usable key/);
});

test('explain: with a given key set it decides; without one the outcome is unknown', async () => {
  const text = `spec = 1
[listener.main]
address = "127.0.0.1:8080"
[service.orders]
targets = ["http://127.0.0.1:4003"]
[policy.tokens]
use = "jwt"
jwks = "https://id.example.com/keys"
audience = "orders"
[[route]]
name = "orders"
match = "GET /orders"
to = "orders"
policies = ["tokens"]
`;
  const { bundle } = compileSpec(checkSpec({ path: 'gateway.toml', text }).value!, { shared: true });
  const headers = { authorization: `Bearer ${await sign(one)}` };
  const clock = { now: () => NOW * 1000, monotonic: () => 0 };
  const request = { method: 'GET', url: '/orders', headers };
  const published = { tokens: JSON.parse(JSON.stringify({ keys: [one.jwk] })) as Json };
  const known = await explain(bundle, request, { clock, published });
  assert.is(known.outcome, 'target');
  assert.ok(known.decisions.some(({ step, why }) => step === 'tokens' && why === 'valid token'));
  const unknown = await explain(bundle, request, { clock });
  assert.is(unknown.service?.chosen ?? null, null);
  assert.match(JSON.stringify(unknown), /policy tokens would use what its duty fetches, which is not given/);
});

test('a token without kid tries the keys that fit; keys that are no keys are passed over', async () => {
  const { policy, on } = jwt(TEXT, { ask: async () => ({ ok: true, notBefore: 9e9 }) });
  const broken = { ...one.jwk, kid: 'broken', x: one.jwk.y, y: one.jwk.x };
  policy.published!(valueWith([broken, one.jwk, two.jwk]));
  assert.is(said(await on(await sign({ ...two, kid: undefined! }))), 'identity');
  assert.is(said(await on(await sign({ ...two, kid: 'broken' }))), 'The signature of the token is not valid.');
});

test.run();
