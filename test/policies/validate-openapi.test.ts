/** OpenAPI documents in validate. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PolicyInstance, Reply } from '../../src/policies/contract.js';
import { BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { exchange, type Given } from './support.js';
import { ask, type Files, findings, JSON_TYPE, made, routes, typed, withContent } from './validate-kit.js';

const DOCUMENT = {
  openapi: '3.0.3',
  info: { title: 't', version: '1' },
  paths: {
    '/orders/{orderId}': {
      parameters: [{ name: 'orderId', in: 'path', required: true, schema: { type: 'integer' } }],
      post: {
        parameters: [
          {
            name: 'ids',
            in: 'query',
            style: 'form',
            explode: false,
            schema: { type: 'array', items: { type: 'integer' } },
          },
          {
            name: 'sort',
            in: 'query',
            style: 'pipeDelimited',
            explode: false,
            schema: { type: 'array', items: { type: 'string', enum: ['a', 'b'] } },
          },
          {
            name: 'f',
            in: 'query',
            style: 'deepObject',
            schema: { type: 'object', properties: { n: { type: 'integer' } }, additionalProperties: false },
          },
          { $ref: '#/components/parameters/Trace' },
          { name: 'session', in: 'cookie', schema: { type: 'string', minLength: 3 } },
          {
            name: 'where',
            in: 'query',
            content: { 'application/json': { schema: { type: 'object', required: ['x'] } } },
          },
        ],
        requestBody: { $ref: '#/components/requestBodies/Order' },
        responses: {
          '200': {
            description: 'ok',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
          },
          '4XX': { description: 'bad' },
        },
      },
    },
  },
  components: {
    parameters: {
      Trace: { name: 'X-Trace', in: 'header', required: true, schema: { type: 'string', format: 'uuid' } },
    },
    requestBodies: {
      Order: {
        required: true,
        content: {
          'application/json': { schema: { $ref: '#/components/schemas/Order' } },
          'application/x-www-form-urlencoded': { schema: { $ref: '#/components/schemas/Order' } },
          'image/png': {},
        },
      },
    },
    schemas: {
      Order: {
        type: 'object',
        required: ['id', 'sku'],
        properties: {
          id: { type: 'integer', readOnly: true },
          sku: { type: 'string' },
          note: { type: 'string', nullable: true },
          price: { type: 'number', minimum: 0, exclusiveMinimum: true },
          children: { type: 'array', items: { $ref: '#/components/schemas/Order' } },
        },
      },
    },
  },
};
const API = { 'api.json': DOCUMENT };
const TRACE = ['x-trace', '123e4567-e89b-12d3-a456-426614174000'] as const;
const api = made('openapi = "api.json"', API, routes('/orders/{id:int}', 'POST'));
const call = (given: Given & { body?: string | Uint8Array }): unknown =>
  ask(api, { params: { id: '1' }, headers: [TRACE, ...JSON_TYPE], body: '{"sku":"a"}', ...given });

test('OpenAPI: the operation is that of the route; its parameters have the styles of the document', () => {
  assert.is(call({ query: 'ids=1,2&sort=a|b&f[n]=3&where={"x":1}' }), 'pass');
  assert.equal(
    call({
      query: 'ids=1,x&sort=a|c&f[n]=y&f[m]=1&where={}',
      params: { id: 'z' },
      headers: [['cookie', 'session=ab'], ...JSON_TYPE],
    }),
    [
      'path /orderId must be integer',
      'query /ids/1 must be integer',
      'query /sort/1 must be one of "a", "b"',
      'query /f/m is not allowed',
      'query /f/n must be integer',
      'query /where/x is required',
      'header /X-Trace is required',
      'cookie /session must NOT have fewer than 3 characters',
    ],
  );
});

test('one list has the failures of parameters and of the body', () => {
  const given = { params: { id: 'z' }, headers: JSON_TYPE, query: 'ids=x' };
  const failing = ['path /orderId must be integer', 'query /ids/0 must be integer', 'header /X-Trace is required'];
  assert.equal(call({ ...given, body: '{"price":0}' }), [
    ...failing,
    'body /sku is required',
    'body /price must be > 0',
  ]);
  assert.equal(call({ ...given, body: '{"sku":"a"}' }), failing);
  assert.equal(call({ ...given, body: '' }), [...failing, 'body  is required']);
  assert.equal(ask(api, given), [...failing, 'body  is required']);
  const all = failing.join('\n');
  assert.is(
    call({ ...given, body: '{"sku":' }),
    `400 validate/json The JSON ends too early.\n${all}\nbody  The JSON ends too early.`,
  );
  const other = { ...given, headers: [['content-type', 'text/xml']] as const, body: '<a/>' };
  assert.match(String(call(other)), `validate/media-type`);
  assert.ok(String(call(other)).endsWith(all));
  assert.equal(call({ ...given, headers: [['content-type', 'image/png']], body: 'x' }), failing);
});

test('OpenAPI: bodies by media type, readOnly, nullable and exclusive bounds of 3.0', () => {
  assert.is(call({ body: '{"sku":"a","note":null,"price":0.1,"children":[{"sku":"b"}]}' }), 'pass');
  assert.equal(call({ body: '{"note":1,"price":0,"children":[{}]}' }), [
    'body /sku is required',
    'body /note must be string,null',
    'body /price must be > 0',
    'body /children/0/sku is required',
  ]);
  const form = [TRACE, ['content-type', 'application/x-www-form-urlencoded']] as const;
  assert.is(call({ headers: form, body: 'sku=a+b&price=2.5' }), 'pass');
  assert.equal(call({ headers: form, body: 'price=x' }), ['body /sku is required', 'body /price must be number']);
  assert.is(call({ headers: [TRACE, ['content-type', 'image/png']], body: 'anything' }), 'pass');
  assert.match(String(call({ headers: [TRACE, ['content-type', 'text/xml']], body: '<a/>' })), /^415/);
});

test('OpenAPI 3.1 has the dialect of 2020-12', () => {
  const files = {
    'api.yaml': `openapi: "3.1.0"
info: { title: t, version: "1" }
paths:
  /a:
    post:
      requestBody:
        content:
          application/json:
            schema: { type: [object, "null"], properties: { t: { prefixItems: [{ type: string }] } } }
`,
  };
  const policy = made('openapi = "api.yaml"', files, routes('/a', 'POST'));
  assert.is(ask(policy, {}), 'pass');
  assert.is(ask(policy, { body: 'null' }), 'pass');
  assert.equal(ask(policy, { body: '{"t":[1]}' }), ['body /t/0 must be string']);
});

const SPLIT = {
  'api/openapi.yaml': `openapi: "3.0.3"
info: { title: t, version: "1" }
paths:
  /orders/{id}: { $ref: paths/order.yaml }
  /other: { $ref: paths/none.yaml }
components:
  schemas: { $ref: schemas/index.yaml }
  parameters: { Id: { name: id, in: path, required: true, schema: { type: integer } } }
`,
  'api/paths/order.yaml': `parameters: [{ $ref: "../openapi.yaml#/components/parameters/Id" }]
post:
  parameters: [{ $ref: "../parameters.json#/trace" }]
  requestBody: { $ref: "../bodies/order.yaml" }
  responses:
    "200": { $ref: "../replies.yaml#/ok" }
`,
  'api/parameters.json': { trace: { name: 'X-Trace', in: 'header', required: true, schema: { type: 'string' } } },
  'api/bodies/order.yaml': `required: true
content: { application/json: { schema: { $ref: "../openapi.yaml#/components/schemas/Order" } } }
`,
  'api/replies.yaml': `ok: { description: ok, content: { application/json: { schema: { $ref: "schemas/index.yaml#/Order" } } } }`,
  'api/schemas/index.yaml': 'Order: { $ref: order.json }',
  'api/schemas/order.json': {
    type: 'object',
    required: ['id', 'sku', 'parts'],
    properties: {
      id: { type: 'integer', readOnly: true },
      sku: { type: 'string', nullable: true },
      parts: { type: 'array', items: { $ref: 'order.json#/definitions/Part' } },
    },
    definitions: { Part: { type: 'object', required: ['of'], properties: { of: { $ref: '#' } } } },
  },
};

test('OpenAPI: everything may be in other files, also in a circle', () => {
  const text = 'openapi = "api/openapi.yaml"\nreplies = "enforce"';
  assert.equal(findings(text, SPLIT), []);
  const policy = made(text, SPLIT);
  const given = { params: { id: '1' }, headers: [['x-trace', 'a'], ...JSON_TYPE] as const };
  assert.is(ask(policy, { ...given, body: '{"sku":null,"parts":[{"of":{"sku":"a","parts":[]}}]}' }), 'pass');
  assert.equal(
    ask(policy, { params: { id: 'x' }, headers: JSON_TYPE, body: '{"parts":[{"of":{"sku":1,"parts":[{}]}}]}' }),
    [
      'path /id must be integer',
      'header /X-Trace is required',
      'body /sku is required',
      'body /parts/0/of/sku must be string,null',
      'body /parts/0/of/parts/0/of is required',
    ],
  );
  const reply = new BytesReply(200, { headers: new HeaderMap(JSON_TYPE), body: '{"sku":"a","parts":[]}' });
  assert.is(
    (policy.after?.(exchange(), reply) as Reply | undefined)?.status,
    502,
    'replies need their `readOnly` members',
  );
});

test('a missing file, and a reference to nothing, are found wherever the operation leads', () => {
  const text = 'openapi = "api/openapi.yaml"\nreplies = "enforce"';
  for (const path of Object.keys(SPLIT)) {
    const { [path]: _, ...rest } = SPLIT as Files;
    assert.equal([...new Set(findings(text, rest))], ['validate/file openapi'], path);
  }
  const { 'api/replies.yaml': _, ...without } = SPLIT;
  assert.equal(findings('openapi = "api/openapi.yaml"', without), [], 'replies that are not checked are not read');
  const nowhere = 'Order: { properties: { a: { $ref: "order.json#/nowhere" } } }';
  assert.equal(findings(text, { ...SPLIT, 'api/schemas/index.yaml': nowhere }), ['validate/file openapi']);
  const remote = 'Order: { properties: { a: { $ref: "https://example.com/a.json" } } }';
  assert.equal(findings(text, { ...SPLIT, 'api/schemas/index.yaml': remote }), ['validate/file openapi']);
});

test('the most specific media type counts, and ranges check what gw can read', () => {
  const policy = withContent({
    '*/*': { schema: { const: 1 } },
    'application/*': { schema: { const: 2 } },
    'application/json': { schema: { const: 3 } },
    'text/csv': {},
  });
  assert.is(ask(policy, { ...typed('application/json'), body: '3' }), 'pass');
  assert.is(ask(policy, { ...typed('application/vnd.x+json'), body: '2' }), 'pass');
  assert.is(ask(policy, { ...typed('text/csv'), body: 'x' }), 'pass');
  assert.is(ask(policy, { ...typed('image/png'), body: 'x' }), 'pass');
  for (const [type, body] of [
    ['application/json', '2'],
    ['application/json', '{'],
    ['application/vnd.x+json', '1'],
  ] as const)
    assert.is.not(ask(policy, { ...typed(type), body }), 'pass', `${type} ${body}`);
  const any = withContent({ '*/*': { schema: { type: 'object', required: ['a'] } } });
  assert.ok(Array.isArray(ask(any, { ...typed('application/json'), body: '{}' })));
  assert.ok(Array.isArray(ask(any, { ...typed('application/x-www-form-urlencoded'), body: 'b=1' })));
});

test('a type with several parameters has the schemas of all', () => {
  const policy = withContent({
    'application/json;v=1': { schema: { const: 1 } },
    'application/json;v=2': { schema: { const: 2 } },
  });
  for (const body of ['1', '2']) assert.is(ask(policy, { ...typed('application/json;v=2'), body }), 'pass');
  assert.ok(Array.isArray(ask(policy, { ...typed('application/json'), body: '3' })));
});

test('a key of content that is not a media type is a warning, and no field of a reply', () => {
  const content = { 'text/x\r\ny: z': {}, json: {}, 'application/json': { schema: { const: 1 } } };
  const files = { 'api.json': { openapi: '3.1.0', paths: { '/a': { post: { requestBody: { content } } } } } };
  assert.equal(findings('openapi = "api.json"', files, routes('/a', 'POST')), [
    'validate/unchecked openapi',
    'validate/unchecked openapi',
  ]);
  assert.match(
    String(ask(withContent(content), { ...typed('a/b'), body: '1' })),
    /^415 .* Accepted: application\/json\./,
  );
});

test('objects in forms are JSON, unless the document gives them a style', () => {
  const point = { type: 'object', required: ['x'], properties: { x: { type: 'integer' } } };
  const schema = {
    type: 'object',
    properties: { a: point, b: point, c: { type: 'array', items: { type: 'integer' } } },
  };
  const encoding = { b: { style: 'deepObject', explode: true }, c: { style: 'form', explode: false } };
  const policy = withContent({ 'application/x-www-form-urlencoded': { schema, encoding } });
  const send = (body: string): unknown => ask(policy, { ...typed('application/x-www-form-urlencoded'), body });
  assert.is(send('a={"x":1}&b[x]=2&c=1,2'), 'pass');
  for (const bad of ['a={"x":"y"}', 'a=1', 'a={}', 'b[x]=y', 'c=1,x']) assert.ok(Array.isArray(send(bad)), bad);
  assert.equal(send('a&'.repeat(10_001)), ['body  must not have more than 10000 members']);
  assert.equal(ask(policy, { ...typed('application/x-www-form-urlencoded'), body: Uint8Array.of(0x61, 0xff) }), [
    'body  must be UTF-8',
  ]);
});

for (const version of ['3.0.3', '3.1.0']) {
  const inDocument = (schemas: { readonly [name: string]: unknown }): PolicyInstance => {
    const content = { 'application/json': { schema: { $ref: '#/components/schemas/A' } } };
    const paths = { '/a': { post: { requestBody: { content }, responses: { 200: { content } } } } };
    const files = { 'api.json': { openapi: version, paths, components: { schemas } } };
    return made('openapi = "api.json"\nreplies = "enforce"', files, routes('/a', 'POST'));
  };

  test(`${version}: readOnly members are not required in requests, whichever part of a combined schema says so`, () => {
    const policy = inDocument({
      Base: {
        type: 'object',
        properties: { id: { type: 'integer', readOnly: true }, at: { $ref: '#/components/schemas/At' } },
      },
      At: { type: 'string', readOnly: true },
      A: {
        required: ['id'],
        allOf: [
          { $ref: '#/components/schemas/Base' },
          { required: ['id', 'at', 'sku'], properties: { sku: { type: 'string' } } },
        ],
      },
    });
    assert.is(ask(policy, { body: '{"sku":"a"}' }), 'pass');
    assert.equal(ask(policy, { body: '{}' }), ['body /sku is required']);
    const reply = new BytesReply(200, { headers: new HeaderMap(JSON_TYPE), body: '{"sku":"a","at":"x"}' });
    assert.is((policy.after?.(exchange(), reply) as Reply | undefined)?.status, 502);
  });

  test(`${version}: nullable beside combined schemas accepts null`, () => {
    const policy = inDocument({
      Owner: { type: 'object', required: ['name'] },
      A: {
        properties: {
          owner: { nullable: true, allOf: [{ $ref: '#/components/schemas/Owner' }] },
          kind: { type: 'string', nullable: true, enum: ['a', null] },
          size: { type: 'string', nullable: true, enum: ['s'] },
        },
      },
    });
    assert.is(ask(policy, { body: '{"owner":null,"kind":null,"size":null}' }), 'pass');
    assert.is(ask(policy, { body: '{"owner":{"name":"x"},"kind":"a","size":"s"}' }), 'pass');
    assert.ok(Array.isArray(ask(policy, { body: '{"owner":{}}' })));
    assert.ok(Array.isArray(ask(policy, { body: '{"owner":1}' })));
    assert.ok(Array.isArray(ask(policy, { body: '{"size":"x"}' })));
  });
}

test('enforced replies: status, media type and body must be described', () => {
  const policy = made('openapi = "api.json"\nreplies = "enforce"', API, routes('/orders/{id}', 'POST'));
  const on = exchange({ method: 'POST' });
  const reply = (status: number, type: string, body: string): number => {
    const given = new BytesReply(status, { headers: new HeaderMap([['content-type', type]]), body });
    return ((policy.after?.(on, given) as Reply | undefined) ?? given).status;
  };
  assert.is(reply(200, 'application/json', '{"id":1,"sku":"a"}'), 200);
  assert.is(reply(200, 'application/json', '{"sku":"a"}'), 502, 'readOnly members are required in replies');
  assert.is(reply(200, 'application/json', '{'), 502);
  assert.is(reply(200, 'text/html', '<a>'), 502);
  assert.is(reply(404, 'text/html', 'gone'), 404, 'a reply without described content');
  assert.is(reply(500, 'text/html', 'oops'), 502);
  const own = new BytesReply(504, { code: 'upstream/timeout' });
  assert.is(policy.after?.(on, own), undefined);
  assert.equal(policy.stats?.(), {
    requests: 0,
    invalidRequests: 0,
    replies: 6,
    invalidReplies: 4,
    uncheckedReplies: 0,
  });
});

test('what is wrong with a config is reported', () => {
  const files = {
    'a.json': {},
    'bad.json': { type: 'strin' },
    'p.json': { pattern: '(a)\\1' },
    ...API,
    'path.json': { properties: { id: { type: 'integer' } } },
  };
  assert.equal(findings(''), ['validate/nothing']);
  assert.equal(findings('replies = "observe"\nbody = "a.json"', files), ['validate/nothing replies']);
  assert.equal(findings('body = "a.json"\nopenapi = "api.json"', files), ['validate/conflict body']);
  assert.equal(findings('body = "a.json"\noperation = "GET /"', files), ['validate/conflict operation']);
  assert.equal(findings('body = "none.json"'), ['validate/file body']);
  assert.equal(findings('openapi = "none.json"'), ['validate/file openapi']);
  assert.equal(findings('openapi = "a.json"', files), ['validate/file openapi']);
  assert.equal(findings('body = "bad.json"', files), ['validate/schema body']);
  assert.equal(findings('body = "a.json#/$defs/no"', files), ['validate/schema body']);
  assert.equal(findings('body = "p.json"', files), ['validate/pattern body']);
  assert.equal(findings('body = "p.json"\nunsafe_patterns = "skip"', files), ['validate/skipped-pattern body']);
  assert.equal(findings('openapi = "api.json"\noperation = "GET /orders/{id}"', files), [
    'validate/operation operation',
  ]);
  assert.equal(findings('openapi = "api.json"', files, routes('/orders/{id}', 'GET', 'POST')), [
    'validate/operation openapi',
  ]);
  assert.equal(findings('openapi = "api.json"', files), []);
  assert.equal(findings('path = "path.json"', files, routes('/a', 'GET')), ['validate/parameter']);
});

test.run();
