import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json, Reply } from '../../src/policies/contract.js';
import { BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { before, bodyOf, context, declaration, decode, exchange } from './support.js';
import { ask, type Files, findings, JSON_TYPE, made, readFileOf, routes } from './validate-kit.js';

const ORDER = {
  type: 'object',
  required: ['sku'],
  additionalProperties: false,
  properties: { sku: { type: 'string', pattern: '^[A-Z]+$' }, quantity: { type: 'integer', minimum: 1 } },
};
const order = made('body = "order.json"', { 'order.json': ORDER });

test('a body that matches passes; one that does not gets every failing field', () => {
  assert.is(ask(order, { body: '{"sku":"AB","quantity":2}' }), 'pass');
  assert.equal(ask(order, { body: '{"quantity":0.5,"x":1}' }), [
    'body /sku is required',
    'body /x is not allowed',
    'body /quantity must be integer',
    'body /quantity must be >= 1',
  ]);
  assert.equal(ask(order, { body: '[]' }), ['body  must be object']);
});

test('a missing body is a failure, unless it is optional', () => {
  assert.equal(ask(order, {}), ['body  is required']);
  assert.equal(ask(order, { body: '' }), ['body  is required']);
  const optional = made('body = "order.json"\nbody_required = false', { 'order.json': ORDER });
  assert.is(ask(optional, {}), 'pass');
  assert.is(ask(optional, { body: '' }), 'pass');
});

test('other media types get 415 with those that are accepted', () => {
  for (const type of ['text/plain', 'application/json; charset=utf-16', 'application/jsonx']) {
    assert.match(
      String(ask(order, { headers: [['content-type', type]], body: '{}' })),
      /^415 validate\/media-type Accepted/,
    );
  }
  assert.match(String(ask(order, { headers: [], body: '{}' })), /^415/);
  for (const type of ['application/json; charset=UTF-8', 'application/vnd.shop+json', 'Application/JSON']) {
    assert.is(ask(order, { headers: [['content-type', type]], body: '{"sku":"A"}' }), 'pass', type);
  }
  const on = { ...exchange({ headers: [['content-type', 'a/b']] }), hasBody: true };
  assert.is(before(order, on)?.headers.get('accept'), 'application/json, application/*+json');
});

test('a long Content-Type takes linear time', () => {
  const start = performance.now();
  for (const part of [' ', ';', 'a= ;', '"', '\\"', 'a="" ;', 'charset= ']) {
    for (const end of ['', ',', '"', '(']) {
      const headers = [['content-type', `application/json; a=${part.repeat(50_000)}${end}`]] as const;
      ask(order, { headers, body: '{}' });
    }
  }
  assert.ok(performance.now() - start < 5000);
});

const HOSTILE: readonly [what: string, body: string | Uint8Array, detail: RegExp][] = [
  ['malformed JSON', '{"sku":', /ends too early/],
  ['duplicate keys', '{"sku":"A","sku":"B"}', /`sku` twice/],
  ['__proto__', '{"sku":"A","__proto__":{}}', /__proto__/],
  ['deep nesting', `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`, /more than 64 levels/],
  ['10 MB of [', Buffer.alloc(10_000_000, '['), /more than 64 levels/],
  ['invalid UTF-8', Uint8Array.of(0x22, 0xff, 0x22), /UTF-8/],
];

for (const [what, body, detail] of HOSTILE) {
  test(`hostile body: ${what}`, () => {
    const answer = String(ask(order, { body }));
    assert.match(answer, /^400 validate\/json/);
    assert.match(answer, detail);
  });
}

test('the request’s own text in a problem is bounded', () => {
  const on = { ...exchange({ headers: JSON_TYPE }), hasBody: true };
  const name = 'x'.repeat(5000);
  const reply = order.onRequestBody?.(on, Buffer.from(`{"sku":"A","${name}":1}`)) as Reply;
  assert.ok((reply.body as Uint8Array).length < 1000);
});

const PARAMS = {
  'query.json': {
    type: 'object',
    required: ['page'],
    additionalProperties: false,
    properties: {
      page: { type: 'integer', minimum: 1 },
      tag: { type: 'array', items: { type: 'string' }, maxItems: 2 },
      open: { $ref: '#/$defs/flag' },
    },
    $defs: { flag: { type: 'boolean' } },
  },
  'path.json': { properties: { id: { type: 'integer' } }, required: ['id'] },
  'headers.json': { properties: { 'X-Version': { enum: [1, 2] } }, required: ['X-Version'] },
};

test('parameters become values by their types', () => {
  const policy = made('query = "query.json"\npath = "path.json"\nheaders = "headers.json"', PARAMS);
  const good = { query: 'page=2&tag=a&tag=b&open=true', params: { id: '7' }, headers: [['x-version', '2']] } as const;
  assert.is(ask(policy, good), 'pass');
  assert.equal(
    ask(policy, { ...good, query: 'page=0&tag=a&tag=b&tag=c&open=yes&more=1', params: { id: 'x' }, headers: [] }),
    [
      'path /id must be integer',
      'query /more is not allowed',
      'query /page must be >= 1',
      'query /tag must NOT have more than 2 items',
      'query /open must be boolean',
      'header /X-Version is required',
    ],
  );
  assert.equal(ask(policy, { ...good, query: 'page=1&page=2' }), ['query /page must be integer']);
  assert.equal(ask(policy, { ...good, query: 'page=1&__proto__=2' }), ['query /__proto__ is not allowed']);
});

test('the list of parameters and body together is bounded', () => {
  const names = Array.from({ length: 15 }, (_, index) => `n${index}`);
  const files = { 'a.json': { required: names } };
  const policy = made('query = "a.json"\nbody = "a.json"', files);
  assert.is((ask(policy, { body: '{}' }) as string[]).length, 20);
  assert.is(String(ask(policy, { body: '{' })).split('\n').length, 17);
  const more = made('query = "a.json"\nheaders = "h.json"\nbody = "a.json"', {
    ...files,
    'h.json': { properties: Object.fromEntries(names.map((name) => [name, {}])), required: names },
  });
  const on = { ...exchange({ headers: JSON_TYPE }), hasBody: true };
  assert.is((bodyOf(before(more, on)!)['errors'] as Json[]).length, 20, 'the body is not read for a full list');
});

test('an optional body that turns out to be empty needs no media type', () => {
  const policy = made('body = "order.json"\nbody_required = false', { 'order.json': ORDER });
  assert.is(ask(policy, { headers: [], body: '' }), 'pass');
  assert.match(String(ask(policy, { headers: [], body: '{"sku":"A"}' })), /^415/);
});

test('two media types in one field are refused, and so is a charset that hides behind another parameter', () => {
  const of = (type: string): unknown => ask(order, { headers: [['content-type', type]], body: '{"sku":"A"}' });
  for (const type of [
    'application/json, text/plain',
    'application/json;a=b, text/plain',
    'application/x, text/y+json',
    'application/json; a=";charset=utf-8"; charset=utf-16',
    'application/json; charset=utf-8; charset=utf-7',
    'application/json charset=utf-8',
    'application/json; charset',
  ])
    assert.match(String(of(type)), /^415/, type);
  for (const type of [
    'application/json;',
    'application/json;profile=https://example.com/a b ; charset=utf-8 ',
    'application/json; charset="UTF-8"',
    'application/json ;a="x;y, z" ; charset=utf8',
  ])
    assert.is(of(type), 'pass', type);
});

test('observed replies are counted, and stay as they are', () => {
  const policy = made('reply = "order.json"\nreplies = "observe"', { 'order.json': ORDER });
  const on = exchange({ decisions: [] });
  const given = new BytesReply(200, { headers: new HeaderMap(JSON_TYPE), body: '{"sku":1}' });
  assert.is(policy.after?.(on, given), undefined);
  assert.match(on.decisions?.[0]?.why ?? '', /\/sku must be string \(observed\)/);
  assert.equal((policy.stats?.() as { invalidReplies: number } | undefined)?.invalidReplies, 1);
});

/** The finding of `body = "a.json"`. */
function messageOf(files: Files): string {
  const messages: string[] = [];
  const { config } = decode('validate', 'body = "a.json"');
  const given = context({ readFile: readFileOf(files), routes: routes('/a', 'POST') });
  declaration('validate').lint?.(config, given, ({ message }) => messages.push(message));
  return messages.join(' ');
}

test('schemas that refer to themselves for the same value are errors, in one file and in two', () => {
  const inOne = { $ref: '#/$defs/a', $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } } };
  for (const files of [
    { 'a.json': inOne },
    { 'a.json': { $ref: 'b.json' }, 'b.json': { allOf: [{ $ref: 'a.json' }] } },
  ])
    assert.match(messageOf(files), /leads back to itself/);
  const tree = { type: 'object', properties: { next: { $ref: '#' } } };
  assert.is(messageOf({ 'a.json': tree }), '');
});

test('a schema that is nested too deeply is an error, not a crash', () => {
  const nested = (levels: number): string => `${'{"properties":{"a":'.repeat(levels)}{}${'}}'.repeat(levels)}`;
  assert.is(messageOf({ 'a.json': nested(200) }), '');
  assert.match(messageOf({ 'a.json': nested(3000) }), /nested more than 500 levels deep/);
  const api = `{"openapi":"3.0.0","info":{"title":"x","version":"1"},"components":${nested(3000)},"paths":{"/a":{"post":{}}}}`;
  assert.equal(findings('openapi = "api.json"', { 'api.json': api }, routes('/a', 'POST')), ['validate/file openapi']);
});

test('reasons why a pattern is refused are clauses', () => {
  const message = messageOf({ 'a.json': { pattern: '^(?:(?:a{1,100}){1,100}){1,100}$' } });
  assert.match(message, /: the pattern is too large, because nested counts multiply\.$/);
});

test.run();
