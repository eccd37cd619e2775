import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Decision, Json } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { before, compile, create, decode, exchange, host, lint, targetReply, world } from './support.js';

test('request fields: remove, set, add, in this order', () => {
  const policy = create(
    'headers',
    `request.set = { X-Route = "{route.name}", x-both = "fresh" }
     request.add = { x-many = "two", x-both = "more" }
     request.remove = ["Cookie", "x-both"]`,
  );
  const on = exchange({
    headers: [
      ['cookie', 'a=b'],
      ['x-many', 'one'],
      ['x-both', 'old'],
    ],
  });
  assert.is(before(policy, on), undefined);
  assert.is(on.headers.get('cookie'), undefined);
  assert.is(on.headers.get('x-route'), 'get-order');
  assert.is(on.headers.get('x-many'), 'one, two');
  assert.is(on.headers.get('x-both'), 'fresh, more');
  assert.is(policy.after, undefined);
});

test('reply fields are set and removed', () => {
  const policy = create(
    'headers',
    'reply.set = { x-status = "{reply.status} {reply.header.server}" }\nreply.remove = ["x-powered-by"]',
  );
  assert.is(policy.before, undefined);
  const reply = targetReply([
    ['server', 'small'],
    ['x-powered-by', 'y'],
  ]);
  policy.after?.(exchange(), reply);
  assert.is(reply.headers.get('x-status'), '200 small');
  assert.is(reply.headers.get('x-powered-by'), undefined);
});

test('an empty value removes the field, so a client cannot supply it', () => {
  const policy = create(
    'headers',
    'request.set = { x-tenant = "{consumer.name}" }\nrequest.add = { x-plan = "{consumer.plan}" }',
  );
  const forged = exchange({
    headers: [
      ['x-tenant', 'admin'],
      ['x-plan', 'kept'],
    ],
  });
  before(policy, forged);
  assert.is(forged.headers.get('x-tenant'), undefined);
  assert.is(forged.headers.get('x-plan'), 'kept');
  const known = exchange({ consumer: { name: 'acme', plan: 'gold', groups: [], credentials: [], tags: {} } });
  before(policy, known);
  assert.is(known.headers.get('x-tenant'), 'acme');
  assert.is(known.headers.get('x-plan'), 'gold');
});

test('client input cannot end the field', () => {
  const policy = create('headers', 'request.set = { x-id = "id {id}" }');
  const on = exchange({ params: { id: '1\r\nx-admin: yes\0\x7f é 𝄞' } });
  before(policy, on);
  assert.is(on.headers.get('x-id'), 'id 1%0D%0Ax-admin: yes%00%7F %C3%A9 %F0%9D%84%9E');
  assert.is(on.headers.get('x-admin'), undefined);
});

test('references stay references in the settings, with variables and escapes', () => {
  const plan = compile('headers', 'request.set = { authorization = "Bearer ${env:TOKEN} for {id} {{x}}" }');
  assert.equal(plan, {
    request: {
      remove: [],
      set: [['authorization', ['Bearer ', { $ref: '${env:TOKEN}' }, ' for ', { var: 'param.id' }, ' {x}']]],
      add: [],
    },
    reply: { remove: [], set: [], add: [] },
  });
});

test('a reference with a line break rejects the generation', () => {
  const plan: Json = {
    request: { remove: [], set: [['x-token', ['abc\r\nx: y']]], add: [] },
    reply: { remove: [], set: [], add: [] },
  };
  assert.throws(() => runHalves['headers']!(plan, host(world())), /x-token/);
});

test('an unknown variable in a bundle rejects the generation', () => {
  const plan: Json = {
    request: { remove: [], set: [['x-a', [{ var: 'no.such' }]]], add: [] },
    reply: { remove: [], set: [], add: [] },
  };
  assert.throws(() => runHalves['headers']!(plan, host(world())), /no\.such/);
});

test('a reply field that names the consumer is left out where none is known', () => {
  const policy = create(
    'headers',
    'reply.set = { x-owner = "of {consumer.name}", x-plain = "1" }\nreply.add = { x-more = "{consumer.tags.a}/" }',
  );
  const consumer = { name: 'acme', groups: [], credentials: [], tags: { a: 'b' } };
  for (const [on, expected] of [
    [exchange(), [undefined, '1', undefined]],
    [exchange({ consumer }), ['of acme', '1', 'b/']],
  ] as const) {
    const reply = targetReply([['x-owner', 'theirs']]);
    policy.after?.(on, reply);
    assert.equal(
      ['x-owner', 'x-plain', 'x-more'].map((name) => reply.headers.get(name)),
      [...expected],
    );
  }
});

test('decisions list the edits', () => {
  const decisions: Decision[] = [];
  const policy = create(
    'headers',
    'request.set = { x-a = "1", x-t = "{consumer.name}" }\nrequest.remove = ["b"]\nreply.add = { x-c = "2" }',
  );
  const on = exchange({ decisions });
  before(policy, on);
  policy.after?.(on, targetReply());
  assert.equal(
    decisions.map(({ outcome, why }) => [outcome, why]),
    [
      ['edit', 'request: remove b, set x-a, remove x-t (no value)'],
      ['edit', 'reply: add x-c'],
    ],
  );
});

test('framing fields and invalid names are refused when the spec is read', () => {
  for (const name of ['Content-Length', 'transfer-encoding', 'connection', 'Host', 'te', 'upgrade', 'keep-alive']) {
    assert.is(decode('headers', `request.set = { ${name} = "x" }`).errors.length, 1, name);
    assert.is(decode('headers', `reply.remove = ["${name}"]`).errors.length, 1, name);
  }
  assert.match(decode('headers', 'request.set = { host = "x" }').errors[0]!, 'service');
  assert.match(decode('headers', 'request.set = { "a b" = "x" }').errors[0]!, 'not a valid header field name');
  assert.match(decode('headers', 'request.set = { a = "x\\r\\ny: z" }').errors[0]!, 'printable ASCII');
  assert.match(decode('headers', 'request.set = { a = "{id" }').errors[0]!, 'Unmatched `{`');
  assert.is(decode('headers', 'request.set = { a = "\\ttab" }').errors.length, 0);
});

test('a policy without edits compiles to nothing', () => {
  assert.is(compile('headers', ''), undefined);
  assert.equal(lint('headers', ''), ['headers/empty']);
});

test('lint: one field in different case', () => {
  assert.equal(lint('headers', 'request.set = { X-A = "1", x-a = "2" }'), ['headers/duplicate request.set.x-a']);
});

test('lint: unknown variables, and parameters missing on one route', () => {
  assert.equal(lint('headers', 'request.set = { a = "{consumer.nam}" }'), ['template/unknown-variable request.set.a']);
  assert.equal(lint('headers', 'request.set = { a = "{reply.status}" }'), ['template/unknown-variable request.set.a']);
  assert.equal(lint('headers', 'reply.set = { a = "{reply.status} {id}" }'), []);
  const routes = [
    { name: 'one', params: ['id'], methods: ['GET'], path: '/one/{id}', schemes: ['http' as const] },
    { name: 'two', params: [], methods: [], path: '/two', schemes: ['http' as const] },
  ];
  assert.equal(lint('headers', 'request.add = { a = "{id}" }', { routes }), [
    'template/unknown-variable request.add.a',
  ]);
  assert.equal(lint('headers', 'request.add = { a = "{id}" }', { routes: [] }), []);
  assert.equal(lint('headers', 'request.add = { a = "{nope.x}" }', { routes: [] }), [
    'template/unknown-variable request.add.a',
  ]);
});

test('lint: templates with references are checked', () => {
  assert.equal(lint('headers', 'request.set = { a = "${env:A} {id" }'), ['template/syntax request.set.a']);
  assert.equal(lint('headers', 'request.set = { a = "${env:A} \\n" }'), ['template/syntax request.set.a']);
  assert.equal(lint('headers', 'request.set = { a = "${env:A} {wrong}" }'), [
    'template/unknown-variable request.set.a',
  ]);
  assert.equal(lint('headers', 'request.set = { a = "${env:A} {id}" }'), []);
});

test('an invalid template with a reference still compiles without lint', () => {
  const plan = compile('headers', 'request.set = { a = "${env:A} {id" }') as { request: { set: Json } };
  assert.equal(plan.request.set, [['a', [{ $ref: '${env:A} {id' }]]]);
});

test.run();
