import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ConsumerEntry, Decision } from '../../src/policies/contract.js';
import { consumerWith } from '../support/consumers.js';
import { before, bodyOf, compile, create, decode, exchange, lint, world } from './support.js';

const consumer = (name: string, ...keys: string[]): ConsumerEntry => consumerWith(name, keys);

const withKeys = () => {
  const around = world();
  around.consumers.push(consumer('acme', 'key-of-acme', 'second'), consumer('umbrella', 'schlüssel'));
  return around;
};

test('a known key sets the consumer and is removed', () => {
  const policy = create('api-key', '', withKeys());
  const on = exchange({
    headers: [
      ['X-Api-Key', 'key-of-acme'],
      ['accept', '*/*'],
    ],
  });
  assert.is(before(policy, on), undefined);
  assert.is(on.consumer?.name, 'acme');
  assert.is(on.headers.get('x-api-key'), undefined);
  assert.is(on.headers.get('accept'), '*/*');
});

test('every key of a consumer works', () => {
  const on = exchange({ headers: [['x-api-key', 'second']] });
  before(create('api-key', '', withKeys()), on);
  assert.is(on.consumer?.name, 'acme');
});

test('no key gets 401 with a challenge', () => {
  const reply = before(create('api-key', 'realm = "shop"', withKeys()), exchange());
  assert.is(reply?.status, 401);
  assert.is(reply?.code, 'auth/missing');
  assert.is(reply?.headers.get('www-authenticate'), 'ApiKey realm="shop"');
  assert.is(reply?.headers.get('content-type'), 'application/problem+json');
  const body = bodyOf(reply!);
  assert.is(body['type'], 'urn:gw:problem:auth/missing');
  assert.is(body['request_id'], 'req-1');
});

test('wrong, empty and overlong keys get 401 and are never shown', () => {
  const policy = create('api-key', '', withKeys());
  for (const key of ['wrong', '', 'x'.repeat(513)]) {
    const decisions: Decision[] = [];
    const on = exchange({ headers: [['x-api-key', key]], decisions });
    const reply = before(policy, on);
    assert.is(reply?.status, 401);
    assert.is(reply?.code, 'auth/invalid');
    assert.is(on.consumer, undefined);
    assert.is(on.headers.get('x-api-key'), undefined);
    const output = JSON.stringify([bodyOf(reply!), decisions, [...reply!.headers.entries()]]);
    if (key) assert.not.match(output, key);
  }
});

test('a key of exactly 512 bytes is accepted', () => {
  const around = world();
  around.consumers.push(consumer('long', 'k'.repeat(512)));
  const on = exchange({ headers: [['x-api-key', 'k'.repeat(512)]] });
  before(create('api-key', '', around), on);
  assert.is(on.consumer?.name, 'long');
});

test('a repeated field is ambiguous, even with equal keys', () => {
  const on = exchange({
    headers: [
      ['x-api-key', 'key-of-acme'],
      ['X-API-Key', 'key-of-acme'],
    ],
  });
  const reply = before(create('api-key', '', withKeys()), on);
  assert.is(reply?.status, 400);
  assert.is(reply?.code, 'auth/ambiguous');
  assert.is(on.headers.get('x-api-key'), undefined);
});

test('a key may contain a comma', () => {
  const around = world();
  around.consumers.push(consumer('comma', 'a, b'));
  const on = exchange({ headers: [['x-api-key', 'a, b']] });
  assert.is(before(create('api-key', '', around), on), undefined);
  assert.is(on.consumer?.name, 'comma');
});

test('a scheme is case-insensitive, and other schemes are not changed', () => {
  const policy = create('api-key', 'scheme = "Bearer"', withKeys());
  const on = exchange({ headers: [['authorization', 'bEARER  key-of-acme']] });
  assert.is(before(policy, on), undefined);
  assert.is(on.consumer?.name, 'acme');
  assert.is(on.headers.get('authorization'), undefined);

  const basic = exchange({ headers: [['authorization', 'Basic eDp5']] });
  const reply = before(policy, basic);
  assert.is(reply?.code, 'auth/missing');
  assert.is(reply?.headers.get('www-authenticate'), 'Bearer realm="api"');
  assert.match(String(bodyOf(reply!)['detail']), 'after the word Bearer');
  assert.is(basic.headers.get('authorization'), 'Basic eDp5');
});

test('a query parameter is removed in any encoding', () => {
  const policy = create('api-key', 'query = "api_key"', withKeys());
  const on = exchange({ query: 'a=1&api%5Fkey=key%2Dof-acme&b=2' });
  assert.is(before(policy, on), undefined);
  assert.is(on.consumer?.name, 'acme');
  assert.is(on.query, 'a=1&b=2');
});

test('with only query, a header is not a credential', () => {
  const reply = before(
    create('api-key', 'query = "k"', withKeys()),
    exchange({ headers: [['x-api-key', 'key-of-acme']] }),
  );
  assert.is(reply?.code, 'auth/missing');
});

test('header and query both: each works alone, together they are ambiguous, and both are stripped', () => {
  const policy = create('api-key', 'header = "x-api-key"\nquery = "k"', withKeys());
  const byQuery = exchange({ query: 'k=key-of-acme' });
  assert.is(before(policy, byQuery), undefined);
  assert.is(byQuery.query, '');
  assert.is(before(policy, exchange({ headers: [['x-api-key', 'second']] })), undefined);
  const both = exchange({ query: 'k=key-of-acme&z', headers: [['x-api-key', 'key-of-acme']] });
  assert.is(before(policy, both)?.code, 'auth/ambiguous');
  assert.is(both.query, 'z');
  assert.is(both.headers.get('x-api-key'), undefined);
});

test('a repeated parameter is ambiguous', () => {
  const on = exchange({ query: 'k=key-of-acme&k=second' });
  assert.is(before(create('api-key', 'query = "k"', withKeys()), on)?.code, 'auth/ambiguous');
  assert.is(on.query, '');
});

test('non-ASCII keys are hashed as sent', () => {
  const policy = create('api-key', 'header = "x-api-key"\nquery = "k"', withKeys());
  const inHeader = exchange({ headers: [['x-api-key', Buffer.from('schlüssel').toString('latin1')]] });
  before(policy, inHeader);
  assert.is(inHeader.consumer?.name, 'umbrella');
  const inQuery = exchange({ query: 'k=schl%C3%BCssel' });
  before(policy, inQuery);
  assert.is(inQuery.consumer?.name, 'umbrella');
});

test('a repeated key is removed again, and a wrong one refused again', () => {
  const policy = create('api-key', '', withKeys());
  for (let round = 0; round < 3; round++) {
    const good = exchange({ headers: [['x-api-key', 'key-of-acme']] });
    assert.is(before(policy, good), undefined);
    assert.is(good.consumer?.name, 'acme');
    assert.is(good.headers.get('x-api-key'), undefined);
    assert.is(before(policy, exchange({ headers: [['x-api-key', 'key-of-acm']] }))?.status, 401);
  }
});

test('every one of many keys of a consumer works', () => {
  const around = world();
  const keys = Array.from({ length: 1100 }, (_, at) => `key ${at}`);
  around.consumers.push(consumer('many', ...keys));
  const policy = create('api-key', '', around);
  for (const key of [...keys, ...keys]) {
    const on = exchange({ headers: [['x-api-key', key]] });
    before(policy, on);
    assert.is(on.consumer?.name, 'many');
  }
});

test('a non-ASCII key in a query does not match other bytes in a field', () => {
  const policy = create('api-key', 'header = "x-api-key"\nquery = "k"', withKeys());
  assert.is(before(policy, exchange({ query: 'k=schl%C3%BCssel' })), undefined);
  assert.is(before(policy, exchange({ headers: [['x-api-key', 'schlüssel']] }))?.status, 401);
});

test('optional passes requests without a key and refuses wrong keys', () => {
  const policy = create('api-key', 'optional = true', withKeys());
  const decisions: Decision[] = [];
  const on = exchange({ decisions });
  assert.is(before(policy, on), undefined);
  assert.is(on.consumer, undefined);
  assert.is(decisions[0]?.outcome, 'pass');
  assert.is(before(policy, exchange({ headers: [['x-api-key', 'wrong']] }))?.status, 401);
});

test('decisions name the consumer', () => {
  const decisions: Decision[] = [];
  before(create('api-key', '', withKeys()), exchange({ headers: [['x-api-key', 'second']], decisions }));
  assert.equal(decisions, [{ step: 'p', use: 'p', outcome: 'pass', why: 'API key of acme' }]);
});

test('a shared key or an invalid hash rejects the generation without showing it', () => {
  const twice = world();
  twice.consumers.push(consumer('a', 'same'), consumer('b', 'same'));
  assert.throws(() => create('api-key', '', twice), /Consumers a and b have the same API key/);
  const malformed = world();
  malformed.consumers.push(consumerWith('a', [], { credentials: [{ kind: 'key', name: 'k', id: 'hunter2' }] }));
  assert.throws(
    () => create('api-key', '', malformed),
    (error: Error) => /consumer a/.test(error.message) && !/hunter2/.test(error.message),
  );
  const unresolved = world();
  unresolved.consumers.push(
    consumerWith('a', [], { credentials: [{ kind: 'key', name: 'k', id: { $ref: '${env:KEY}' } }] }),
  );
  assert.throws(() => create('api-key', '', unresolved), /consumer a/);
});

test('a repeated hash of one consumer is harmless', () => {
  const around = world();
  around.consumers.push(consumer('a', 'same', 'same'));
  assert.not.throws(() => create('api-key', '', around));
});

test('defaults and names are checked when the spec is read', () => {
  assert.equal(compile('api-key', ''), { header: 'x-api-key', optional: false, realm: 'api' });
  assert.equal(compile('api-key', 'header = "X-Key"'), { header: 'x-key', optional: false, realm: 'api' });
  assert.match(decode('api-key', 'header = "x key"').errors[0]!, 'not a valid header field name');
  assert.is(decode('api-key', 'realm = "a\\"b"').errors.length, 1);
  assert.is(decode('api-key', 'scheme = "two words"').errors.length, 1);
});

test('lint: a policy without any key', () => {
  const withoutKeys = { consumers: [{ name: 'acme', groups: [], credentials: ['password' as const] }] };
  assert.equal(lint('api-key', '', withoutKeys), ['api-key/no-keys']);
  assert.equal(lint('api-key', '', {}), []);
  assert.equal(lint('api-key', 'optional = true', withoutKeys), []);
  assert.equal(lint('api-key', '', { ...withoutKeys, routes: [] }), []);
});

test('the key memory of a connection applies only to the same key, place and policy', () => {
  const connection = new Map();
  const policy = create('api-key', 'header = "x-api-key"\nquery = "k"', withKeys());
  const ask = (on: typeof policy, key: string, query = ''): string | undefined => {
    const asked = exchange({ connection, query, headers: key === '' ? [] : [['x-api-key', key]] });
    const reply = before(on, asked);
    return reply === undefined ? asked.consumer?.name : String(reply.status);
  };
  for (const [key, expected] of [
    ['key-of-acme', 'acme'],
    ['key-of-acme', 'acme'],
    ['key-of-acmf', '401'],
    ['', '401'],
    ['key-of-acme', 'acme'],
    ['second', 'acme'],
    [Buffer.from('schlüssel').toString('latin1'), 'umbrella'],
    [Buffer.from('schlüssel').toString('latin1'), 'umbrella'],
    ['schlüssel', '401'],
  ] as const)
    assert.is(ask(policy, key), expected, key);
  assert.is(ask(policy, '', 'k=key-of-acme'), 'acme');
  assert.is(ask(policy, '', `k=${encodeURIComponent('schlüssel')}`), 'umbrella');
  assert.is(ask(policy, Buffer.from('schlüssel').toString('latin1')), 'umbrella');
  assert.is(ask(policy, 'key-of-acme'), 'acme');
  const around = world();
  around.consumers.push(consumer('acme', 'another key'));
  assert.is(
    ask(create('api-key', 'header = "x-api-key"\nquery = "k"', around), 'key-of-acme'),
    '401',
    'a policy of a later generation',
  );
});

test('a scheme followed by a tab is a key that targets do not get; a scheme alone is a wrong key', () => {
  const policy = create('api-key', 'scheme = "Bearer"\noptional = true', withKeys());
  const tab = exchange({ headers: [['authorization', 'Bearer\tkey-of-acme']] });
  assert.is(before(policy, tab), undefined);
  assert.equal([tab.consumer?.name, tab.headers.get('authorization')], ['acme', undefined]);
  const alone = exchange({ headers: [['authorization', 'Bearer']] });
  assert.is(before(policy, alone)?.code, 'auth/invalid');
  const longer = exchange({ headers: [['authorization', 'BearerX key-of-acme']] });
  assert.is(before(policy, longer), undefined);
  assert.is(longer.headers.get('authorization'), 'BearerX key-of-acme');
});

test.run();
