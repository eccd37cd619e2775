/** webhook: the schemes of senders, with the examples that they publish, and what is refused. */
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { create as createAnyOf } from '../../src/policies/any-of/run.js';
import type { Authentication, Exchange, Json, PolicyInstance } from '../../src/policies/contract.js';
import { BytesReply } from '../../src/policies/run-kit.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { floodCaches, laterReplays, replaysThat } from '../support/stores.js';
import { context, declaration, decode, exchange, host, lint, type World, world } from './support.js';

/** Creates a policy; references of the config are replaced by `secrets`, in order. */
function create(config: string, secrets: readonly string[], around: World = world()): PolicyInstance {
  const list = secrets.map((_, at) => `"\${env:S${at}}"`).join(', ');
  const text = secrets.length === 0 ? config : `${config}\nsecrets = [${list}]`;
  const { config: decoded, errors } = decode('webhook', text);
  assert.equal(errors, []);
  const settings = declaration('webhook').compile(decoded, context()) as { [key: string]: Json };
  return runHalves['webhook']!({ ...settings, secrets }, host(around));
}

interface Sent {
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array;
  readonly path?: string;
}

async function ask(
  policy: PolicyInstance,
  { headers, body = '', path = '/hooks' }: Sent,
): Promise<[Authentication, Exchange]> {
  const on = exchange({ method: 'POST', path, headers });
  const found = await policy.authenticate!(on, () => Promise.resolve(Buffer.from(body)));
  return [found, on];
}

const why = async (policy: PolicyInstance, sent: Sent): Promise<string> => (await ask(policy, sent))[0].why;

const at = (seconds: number): World => {
  const around = world();
  around.wall = seconds * 1000;
  return around;
};

const hmac = (secret: string | Buffer, text: string, hash = 'sha256'): Buffer =>
  createHmac(hash, secret).update(text).digest();

test('GitHub: the example of its documentation', async () => {
  const policy = create('format = "github"', ["It's a Secret to Everybody"]);
  const headers = [
    ['x-hub-signature-256', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'],
  ] as const;
  const [found] = await ask(policy, { headers, body: 'Hello, World!' });
  assert.ok(found.outcome === 'identity');
  assert.equal([found.claims, found.consumer, found.why], [{ sub: 'p' }, undefined, 'signature of p']);
  assert.is(await why(policy, { headers, body: 'Hello, World?' }), 'no secret fits the signature');
});

test('Slack: the example of its documentation', async () => {
  const body =
    'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c';
  const headers = [
    ['x-slack-request-timestamp', '1531420618'],
    ['x-slack-signature', 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503'],
  ] as const;
  const secret = ['8f742231b10e8888abcd99yyyzzz85a5'];
  assert.is(await why(create('format = "slack"', secret, at(1531420618)), { headers, body }), 'signature of p');
  const late = create('format = "slack"', secret, at(1531420618 + 301));
  assert.is(await why(late, { headers, body }), 'the time of the signature is too far from now');
  const early = create('format = "slack"', secret, at(1531420618 - 301));
  assert.is(await why(early, { headers, body }), 'the time of the signature is too far from now');
});

const STANDARD = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const standardHeaders = (signature: string, id = 'msg_p5jXN8AQM9LWM0D4loKWxJek', time = '1614265330') =>
  [
    ['webhook-id', id],
    ['webhook-timestamp', time],
    ['webhook-signature', signature],
  ] as const;

test('Standard Webhooks: the example of the specification, and several signatures', async () => {
  const body = '{"test": 2432232314}';
  const right = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
  const other = `v1,${hmac('x', 'y').toString('base64')}`;
  for (const signature of [right, `${other} ${right}`, `v2,abc ${right} ${other}`]) {
    const policy = create('format = "standard"', [STANDARD], at(1614265330));
    assert.is(await why(policy, { headers: standardHeaders(signature), body }), 'signature of p', signature);
  }
  const policy = create('format = "standard"', [STANDARD], at(1614265330));
  for (const [headers, fault] of [
    [standardHeaders(other), 'no secret fits the signature'],
    [standardHeaders(right, 'msg_other'), 'no secret fits the signature'],
    [standardHeaders(right, undefined, '1614265331'), 'no secret fits the signature'],
    [standardHeaders('v1,short'), 'the field webhook-signature is malformed'],
    [standardHeaders(`${other} `.repeat(20)), 'the field webhook-signature has too many signatures'],
    [standardHeaders('v1,'.repeat(2000)), 'the field webhook-signature is too long'],
    [standardHeaders(right, 'x'.repeat(300)), 'the field webhook-id is too long'],
    [standardHeaders(right, 'a b'), 'the field webhook-id is malformed'],
    [standardHeaders(right, undefined, 'soon'), 'the time of the signature is malformed'],
    [standardHeaders(right, undefined, '1e9'), 'the time of the signature is malformed'],
  ] as const)
    assert.is(await why(policy, { headers, body }), fault);
});

test('Standard Webhooks: a part of the body does not pass for the end of the id and a new time', async () => {
  // What is signed is the same text; the body begins with a time, as a sender may let others choose.
  const secret = Buffer.from(STANDARD.slice('whsec_'.length), 'base64');
  const signature = `v1,${hmac(secret, 'msg.1614265330.1614270000.transfer').toString('base64')}`;
  const now = create('format = "standard"', [STANDARD], at(1614265330));
  const headers = standardHeaders(signature, 'msg', '1614265330');
  assert.is(await why(now, { headers, body: '1614270000.transfer' }), 'signature of p');
  const later = create('format = "standard"', [STANDARD], at(1614270000));
  const moved = { headers: standardHeaders(signature, 'msg.1614265330', '1614270000'), body: 'transfer' };
  assert.is(await why(later, moved), 'the field webhook-id is malformed');
  const own = 'format = "hmac"\nheader = "x-s"\nid = "x-id"\nsigned = "{id}:{body}"';
  const signed = hmac('secret of x', 'a:b:c').toString('hex');
  const send = (id: string, body: string): Promise<string> =>
    why(create(own, ['secret of x'], at(1614265330)), {
      headers: [
        ['x-s', signed],
        ['x-id', id],
      ],
      body,
    });
  assert.equal([await send('a', 'b:c'), await send('a:b', 'c')], ['signature of p', 'the field x-id is malformed']);
});

test('Standard Webhooks: Ed25519', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const raw = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('base64');
  const signature = `v1a,${sign(null, Buffer.from('id.1614265330.body'), privateKey).toString('base64')}`;
  for (const key of [raw, `whpk_${raw}`]) {
    const policy = create(`format = "standard"\npublic_keys = ["${key}"]`, [], at(1614265330));
    const headers = standardHeaders(signature, 'id');
    assert.is(await why(policy, { headers, body: 'bodY' }), 'no secret fits the signature');
    assert.is(await why(policy, { headers, body: 'body' }), 'signature of p');
  }
});

test('Stripe: time and signatures in one field', async () => {
  const secret = 'whsec_test_secret';
  const v1 = hmac(secret, '1700000000.{}').toString('hex');
  const policy = (): PolicyInstance => create('format = "stripe"', [secret], at(1700000000));
  const sent = (value: string): Sent => ({ headers: [['stripe-signature', value]], body: '{}' });
  for (const value of [
    `t=1700000000,v1=${v1}`,
    `t=1700000000,v1=${'0'.repeat(64)},v1=${v1},v0=abc`,
    `v1=${v1}, t=1700000000`,
  ])
    assert.is(await why(policy(), sent(value)), 'signature of p', value);
  for (const value of [`v1=${v1}`, `t=1700000000`, `t=1700000000,t=1700000001,v1=${v1}`, `t=1700000000,v1=xyz`, ''])
    assert.is(await why(policy(), sent(value)), 'the field stripe-signature is malformed', value);
  assert.is(await why(policy(), sent(`t=1700000001,v1=${v1}`)), 'no secret fits the signature');
});

test('other schemes: header, prefix, encoding, hash, time in milliseconds, and what is signed', async () => {
  const config = `format = "hmac"
header = "X-Sig"
prefix = "hs="
algorithm = "sha512"
encoding = "base64"
timestamp = "x-time"
id = "x-id"
signed = "{method} {path} {id} {timestamp} {body} {other}"
secret_encoding = "hex"`;
  const text = 'POST /hooks 7 1700000000123 hello {other}';
  const key = Buffer.from('00112233445566778899', 'hex');
  const headers = [
    ['x-sig', `hs=${hmac(key, text, 'sha512').toString('base64')}`],
    ['x-time', '1700000000123'],
    ['x-id', '7'],
  ] as const;
  const policy = create(config, ['00112233445566778899'], at(1700000000));
  assert.is(await why(policy, { headers, body: 'hello' }), 'signature of p');
  assert.is(await why(policy, { headers: headers.slice(0, 2), body: 'hello' }), 'no signature in x-sig, x-time, x-id');
});

test('each secret is accepted, and a secret that cannot be used refuses the load', async () => {
  const policy = create('format = "github"', ['the old secret', 'the new secret']);
  for (const secret of ['the old secret', 'the new secret']) {
    const headers = [['x-hub-signature-256', `sha256=${hmac(secret, secret).toString('hex')}`]] as const;
    assert.is(await why(policy, { headers, body: secret }), 'signature of p');
  }
  assert.throws(() => create('format = "github"', ['short']), /fewer than 8 bytes/);
  assert.throws(() => create('format = "standard"', ['whsec_!']), /not base64/);
  // A part of it would be ignored.
  assert.throws(() => create('format = "standard"', [`${STANDARD}A`]), /not base64/);
});

test('the sender is the consumer of that name', async () => {
  const around = world();
  around.consumers.push({ name: 'octo', groups: [], credentials: [], tags: {} });
  const policy = create('format = "github"\nsender = "octo"', ['a long secret'], around);
  const headers = [['x-hub-signature-256', `sha256=${hmac('a long secret', 'x').toString('hex')}`]] as const;
  const [found] = await ask(policy, { headers, body: 'x' });
  assert.is(found.outcome === 'identity' && found.consumer?.name, 'octo');
});

const signed = (body: string): Sent => ({
  headers: [['x-hub-signature-256', `sha256=${hmac('a long secret', body).toString('hex')}`]],
  body,
});

const end = (policy: PolicyInstance, on: Exchange, status: number, how: 'sent' | 'aborted' = 'sent'): void => {
  void policy.after!(on, new BytesReply(status));
  policy.finished!(on, how);
};

test('a copy of a request is refused, also with another secret and at the same time', async () => {
  const around = world();
  const policy = create('format = "github"', ['a long secret', 'another secret'], around);
  const [first, on] = await ask(policy, signed('x'));
  assert.is(first.outcome, 'identity');
  end(policy, on, 200);
  const [again, refused] = await ask(policy, signed('x'));
  assert.ok(again.outcome === 'refused');
  assert.equal([again.why, again.counts], ['the request was sent before', false]);
  end(policy, refused, 401);
  const other = {
    headers: [['x-hub-signature-256', `sha256=${hmac('another secret', 'x').toString('hex')}`]],
    body: 'x',
  } as const;
  assert.is(await why(policy, other), 'the request was sent before');
  const both = await Promise.all([why(policy, signed('y')), why(policy, signed('y'))]);
  assert.equal(both.sort(), ['signature of p', 'the request was sent before']);
  around.now += 600_001;
  assert.is(await why(policy, signed('x')), 'signature of p');
});

test('a request without success may be sent again', async () => {
  const policy = create('format = "github"', ['a long secret']);
  for (const [status, how] of [
    [500, 'sent'],
    [429, 'sent'],
    [200, 'aborted'],
    [201, 'sent'],
  ] as const) {
    const [found, on] = await ask(policy, signed('x'));
    assert.is(found.outcome, 'identity', `before ${status}`);
    end(policy, on, status, how);
  }
  assert.is(await why(policy, signed('x')), 'the request was sent before');
  const off = create('format = "github"\nremember = "0s"', ['a long secret']);
  for (let count = 0; count < 3; count++) assert.is(await why(off, signed('x')), 'signature of p');
});

test('an any-of with it knows copies and failures too', async () => {
  const around = world();
  const member = create('format = "github"', ['a long secret'], around);
  const policy = createAnyOf({ members: ['m'] }, { ...host(around), member: () => member });
  const [, on] = await ask(policy, signed('x'));
  end(policy, on, 503);
  const [found, again] = await ask(policy, signed('x'));
  assert.is(found.outcome, 'identity');
  end(policy, again, 200);
  assert.is(await why(policy, signed('x')), 'the request was sent before');
});

test('the body is not collected before the head is checked', async () => {
  const policy = create('format = "slack"', ['a long secret'], at(1700000000));
  for (const headers of [
    [],
    [['x-slack-signature', 'v0=00']],
    [
      ['x-slack-signature', `v0=${'0'.repeat(64)}`],
      ['x-slack-request-timestamp', '1'],
    ],
  ] as const) {
    const on = exchange({ method: 'POST', headers });
    const found = await policy.authenticate!(on, () => Promise.reject(new Error('collected')));
    assert.ok(found.outcome === 'absent' || found.outcome === 'refused');
  }
});

test('no secret and no signature is in what is decided', async () => {
  const policy = create('format = "github"', ['a long secret']);
  const [refused] = await ask(policy, { ...signed('x'), body: 'y' });
  const [passed] = await ask(policy, signed('x'));
  const text = JSON.stringify([refused, passed]);
  assert.not.match(text, 'a long secret');
  assert.not.match(text, hmac('a long secret', 'x').toString('hex'));
});

test('incomplete and unsafe schemes are errors', () => {
  const secrets = 'secrets = "${env:S}"';
  for (const [config, ...expected] of [
    ['format = "github"', 'webhook/keys'],
    [`format = "github"\n${secrets}\npublic_keys = ["${'A'.repeat(43)}="]`, 'webhook/keys public_keys'],
    [`format = "github"\nsecrets = [${'"${env:S}",'.repeat(9)}]`, 'webhook/keys secrets'],
    [
      `format = "github"\n${secrets}\nheader = "x"\nsigned = "{body}"`,
      'webhook/scheme header',
      'webhook/scheme signed',
    ],
    [`format = "hmac"\n${secrets}`, 'webhook/scheme format'],
    [`format = "hmac"\n${secrets}\nheader = "x"\nsigned = "{path}"`, 'webhook/scheme signed'],
    [`format = "hmac"\n${secrets}\nheader = "x"\nsigned = "{id}.{body}"`, 'webhook/scheme signed'],
    [`format = "hmac"\n${secrets}\nheader = "x"\ntimestamp = "t"`, 'webhook/scheme timestamp'],
    [`format = "stripe"\n${secrets}\nremember = "9m"`, 'webhook/remember remember'],
    [`format = "stripe"\n${secrets}\nremember = "10m"`],
    [`format = "github"\n${secrets}\nremember = "0s"`, 'webhook/remember remember'],
    [`format = "github"\n${secrets}\nremember = "1h"`],
  ] as const)
    assert.equal(lint('webhook', config), expected, config);
});

test('a body that is held back until the time of its signature has passed is refused', async () => {
  const around = at(1700000000);
  const policy = create('format = "slack"', ['a long secret'], around);
  const text = hmac('a long secret', 'v0:1700000000:x').toString('hex');
  const headers = [
    ['x-slack-signature', `v0=${text}`],
    ['x-slack-request-timestamp', '1700000000'],
  ] as const;
  const found = await policy.authenticate!(exchange({ method: 'POST', headers }), async () => {
    around.wall = 1700003600 * 1000;
    return Buffer.from('x');
  });
  assert.equal([found.outcome, found.why], ['refused', 'the time of the signature is too far from now']);
});

test('a copy is refused after a flood of the cache, and after an edit of the secrets', async () => {
  const around = world();
  const [, on] = await ask(create('format = "github"', ['a long secret'], around), signed('x'));
  end(create('format = "github"', ['a long secret'], around), on, 200);
  floodCaches(around.stores);
  const edited = create('format = "github"', ['another secret', 'a long secret'], around);
  assert.is(await why(edited, signed('x')), 'the request was sent before');
});

test('a full memory refuses with 503, and so does an outage of it', async () => {
  const full = create('format = "github"', ['a long secret'], world({ replays: replaysThat('full') }));
  const [found, on] = await ask(full, signed('x'));
  assert.ok(found.outcome === 'refused');
  assert.equal([found.problem.status, found.problem.code], [503, 'auth/replay-window']);
  end(full, on, 503);
  const down = create('format = "github"', ['a long secret'], world({ replays: replaysThat(new Error('down')) }));
  const [none] = await ask(down, signed('x'));
  assert.equal([none.outcome, none.why], ['unavailable', 'replay window: down']);
});

test('a memory over a network: one of two copies passes, and a request without success may be sent again', async () => {
  const policy = create('format = "github"', ['a long secret'], world({ replays: laterReplays() }));
  const both = await Promise.all([ask(policy, signed('x')), ask(policy, signed('x'))]);
  const outcomes = both.map(([{ outcome }]) => outcome);
  assert.equal([...outcomes].sort(), ['identity', 'refused']);
  end(policy, both[outcomes.indexOf('refused')]![1], 401);
  end(policy, both[outcomes.indexOf('identity')]![1], 500);
  for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
  assert.is(await why(policy, signed('x')), 'signature of p');
  assert.is(await why(policy, signed('x')), 'the request was sent before');
});

test.run();
