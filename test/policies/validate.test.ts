import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json, PolicyFile, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { BytesReply, HeaderMap } from '../../src/policies/run-kit.js';
import { runHalves } from '../../src/policies/run-registry.js';
import {
  before,
  bodyOf,
  compile,
  context,
  declaration,
  decode,
  exchange,
  type Given,
  host,
  lint,
  world,
} from './support.js';

type Files = { readonly [path: string]: unknown };

const readFileOf =
  (files: Files) =>
  (path: string): PolicyFile => {
    const content = files[path];
    if (content === undefined) return { cause: 'no such file' };
    return { text: typeof content === 'string' ? content : JSON.stringify(content) };
  };

const routes = (path: string, ...methods: string[]) => {
  const params = [...path.matchAll(/\{([^}:]+)/g)].map(([, name]) => name!);
  return [{ name: 'r', params, methods, path, schemes: ['http' as const] }];
};

function made(text: string, files: Files, route = routes('/orders/{id}', 'POST')): PolicyInstance {
  const settings = compile('validate', text, { readFile: readFileOf(files), routes: route });
  assert.ok(settings !== undefined, 'it compiled to nothing');
  return runHalves['validate']!(JSON.parse(JSON.stringify(settings)) as Json, host(world()));
}

const findings = (text: string, files: Files = {}, route = routes('/orders/{id}', 'POST')): string[] =>
  lint('validate', text, { readFile: readFileOf(files), routes: route });

const JSON_TYPE = [['content-type', 'application/json']] as const;

/** Runs the request hooks; the failures, or the status and code of another problem with its failures, or `pass`. */
function ask(policy: PolicyInstance, given: Given & { body?: string | Uint8Array }): unknown {
  const body = given.body;
  const on = { ...exchange({ headers: JSON_TYPE, ...given }), hasBody: body !== undefined };
  let reply = before(policy, on);
  if (reply === undefined && body !== undefined && policy.readsRequest?.(on) !== false) {
    reply = policy.onRequestBody?.(on, Buffer.from(body as string)) as Reply | undefined;
  }
  if (reply === undefined) return 'pass';
  const { errors, status, detail } = bodyOf(reply) as { errors?: { in: string; pointer: string; detail: string }[] } & {
    readonly [key: string]: Json;
  };
  const listed = (errors ?? []).map((error) => `${error.in} ${error.pointer} ${error.detail}`);
  if (reply.code !== 'validate/request') return [`${status} ${reply.code} ${detail}`, ...listed].join('\n');
  assert.is(status, 400);
  return listed;
}

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
  const text = 'openapi = "api/openapi.yaml"';
  for (const path of Object.keys(SPLIT)) {
    const { [path]: _, ...rest } = SPLIT as Files;
    assert.equal([...new Set(findings(text, rest))], ['validate/file openapi'], path);
  }
  const nowhere = 'Order: { properties: { a: { $ref: "order.json#/nowhere" } } }';
  assert.equal(findings(text, { ...SPLIT, 'api/schemas/index.yaml': nowhere }), ['validate/file openapi']);
  const remote = 'Order: { properties: { a: { $ref: "https://example.com/a.json" } } }';
  assert.equal(findings(text, { ...SPLIT, 'api/schemas/index.yaml': remote }), ['validate/file openapi']);
});

/** A policy for `GET /a` or `POST /a` of a document with these parameters. */
const withParameters = (parameters: readonly object[], more: object = {}): PolicyInstance => {
  const operation = { parameters, responses: {}, ...more };
  const files = { 'api.json': { openapi: '3.1.0', paths: { '/a': { post: operation } } } };
  return made('openapi = "api.json"', files, routes('/a', 'POST'));
};

const query = (schema: unknown, more: object = {}): PolicyInstance =>
  withParameters([{ name: 'q', in: 'query', schema, ...more }]);

test('a deep object has the members that targets read from brackets', () => {
  const schema = {
    type: 'object',
    properties: {
      n: { type: 'integer' },
      l: { type: 'array', items: { type: 'integer' } },
      o: { type: 'object', properties: { m: { type: 'integer' } } },
    },
  };
  const policy = query(schema, { style: 'deepObject' });
  for (const good of ['q[n]=1', 'q[l]=1&q[l]=2', 'q[l][]=1', 'q[o][m]=1&q[n]=2', 'q[x]=1', 'other[n]=x', '']) {
    assert.is(ask(policy, { query: good }), 'pass', good);
  }
  for (const bad of [
    'q[n]=x',
    'q[n][$ne]=1',
    'q[n][]=1',
    'q[n]=1&q[n]=2',
    'q=1',
    'q[n]=1&q=1',
    'q[l][]=x',
    'q[o][m]=x',
    'q[o]=1',
    'q[n]=1&q[n][a]=1',
  ])
    assert.ok(Array.isArray(ask(policy, { query: bad })), bad);
});

test('brackets after the name of a parameter do not hide it from its schema', () => {
  const policy = query({ type: 'integer' });
  for (const bad of ['q[$ne]=1', 'q[]=1', 'q[a][b]=1', 'q[=1', 'q=1&q[]=2', 'q%5B$ne%5D=1']) {
    assert.ok(Array.isArray(ask(policy, { query: bad })), bad);
  }
  assert.is(ask(policy, { query: 'q=1&qq[a]=1&r[]=2' }), 'pass');
  const own = withParameters([
    { name: 'q', in: 'query', schema: { type: 'integer' } },
    { name: 'q[]', in: 'query', schema: { type: 'array', items: { type: 'integer' } } },
  ]);
  assert.is(ask(own, { query: 'q=1&q[]=2&q[]=3' }), 'pass');
  assert.ok(Array.isArray(ask(own, { query: 'q[]=x' })));
});

test('a parameter with JSON that is sent twice, and a member that occurs twice, have no single value', () => {
  const json = withParameters([
    { name: 'q', in: 'query', content: { 'application/json': { schema: { type: 'object', required: ['x'] } } } },
  ]);
  assert.is(ask(json, { query: 'q={"x":1}' }), 'pass');
  assert.ok(Array.isArray(ask(json, { query: 'q={"x":1}&q=evil' })));
  const flat = query({ type: 'object', properties: { r: { type: 'integer' } } }, { explode: false });
  assert.is(ask(flat, { query: 'q=r,1' }), 'pass');
  assert.ok(Array.isArray(ask(flat, { query: 'q=r,1,r,2' })));
});

test('matrix parameters lose their name once', () => {
  const matrix = (schema: object, explode: boolean): PolicyInstance => {
    const parameters = [{ name: 'id', in: 'path', required: true, style: 'matrix', explode, schema }];
    const files = { 'api.json': { openapi: '3.1.0', paths: { '/a/{id}': { get: { parameters } } } } };
    return made('openapi = "api.json"', files, routes('/a/{id}', 'GET'));
  };
  const one = matrix({ type: 'integer' }, false);
  assert.is(ask(one, { params: { id: ';id=5' } }), 'pass');
  assert.ok(Array.isArray(ask(one, { params: { id: ';id=id=5' } })));
  const list = { type: 'array', items: { type: 'integer' } };
  assert.is(ask(matrix(list, true), { params: { id: ';id=5;id=6' } }), 'pass');
  assert.is(ask(matrix(list, false), { params: { id: ';id=5,6' } }), 'pass');
});

test('thousands of equal names take linear time', () => {
  const policy = query({ type: 'object', additionalProperties: {} }, { style: 'deepObject' });
  const start = performance.now();
  ask(policy, { query: 'q[a]=1&'.repeat(50_000) });
  assert.ok(performance.now() - start < 3000);
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
    'application/json; charset="UTF-8"',
    'application/json ;a="x;y, z" ; charset=utf8',
  ])
    assert.is(of(type), 'pass', type);
});

/** A policy for `POST /a` with this content of the body. */
const withContent = (content: object): PolicyInstance => withParameters([], { requestBody: { content } });
const typed = (type: string): { headers: [string, string][] } => ({ headers: [['content-type', type]] });

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
});

test('header parameters of the operation replace those of the path in any case', () => {
  const files = {
    'api.json': {
      openapi: '3.1.0',
      paths: {
        '/a': {
          parameters: [{ name: 'X-Trace', in: 'header', required: true, schema: { type: 'integer' } }],
          post: { parameters: [{ name: 'x-trace', in: 'header', schema: { type: 'string' } }] },
        },
      },
    },
  };
  const policy = made('openapi = "api.json"', files, routes('/a', 'POST'));
  assert.is(ask(policy, { headers: [] }), 'pass');
  assert.is(ask(policy, { headers: [['x-trace', 'abc']] }), 'pass');
});

test('a header field that is required without a schema counts when it is there', () => {
  const policy = made('headers = "h.json"', { 'h.json': { required: ['X-A'] } });
  assert.is(ask(policy, { headers: [['x-a', '1']] }), 'pass');
  assert.equal(ask(policy, { headers: [] }), ['header /X-A is required']);
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

const atPath = (path: string, names: readonly string[], route: string): PolicyInstance => {
  const parameters = names.map((name) => ({ name, in: 'path', required: true, schema: { enum: [name] } }));
  const files = {
    'api.json': { openapi: '3.1.0', servers: [{ url: '/v1' }], paths: { [path]: { get: { parameters } } } },
  };
  return made('openapi = "api.json"', files, routes(route, 'GET'));
};

const PATHS: readonly [path: string, names: string[], route: string, params: { [name: string]: string }][] = [
  ['/a/{x}/b/{y}', ['y', 'x'], '/a/{p}/b/{q}', { p: 'x', q: 'y' }],
  ['/a/{x}/b/{y}', ['y', 'x'], '/a/{y}/b/{x}', { y: 'x', x: 'y' }],
  ['/a/{x}/b/{y}', ['x', 'y'], '/v1/a/{p}/b/{q}', { p: 'x', q: 'y' }],
  ['/at/{x},{y}.json', ['x', 'y'], '/at/{place:[a-z,.]{1,20}}', { place: 'x,y.json' }],
  ['/f/{x}.json', ['x'], '/f/{name:[^/]+}', { name: 'x.json' }],
  ['/o/{x}', ['x'], '/o/{id:[0-9]{3}}', { id: 'x' }],
];

for (const [path, names, route, params] of PATHS) {
  test(`path parameters are those at their place: ${path} as ${route}`, () => {
    assert.is(ask(atPath(path, names, route), { params, headers: [] }), 'pass');
  });
}

test('a segment that does not have the form of its parameters is refused', () => {
  const policy = atPath('/at/{x},{y}.json', ['x', 'y'], '/at/{place}');
  for (const place of ['x.json', 'x,y', ',.json', 'y,x.json', 'x,y,y.json', '.json', '']) {
    assert.ok(Array.isArray(ask(policy, { params: { place }, headers: [] })), place);
  }
});

test('types of parameters come from combined schemas, and from keys beside a reference', () => {
  const list = query({ anyOf: [{ type: 'array', items: { type: 'integer' } }, { type: 'null' }] });
  assert.is(ask(list, { query: 'q=1&q=2' }), 'pass');
  assert.ok(Array.isArray(ask(list, { query: 'q=1&q=x' })));
  const bounded = query({ minimum: 5 });
  assert.is(ask(bounded, { query: 'q=7' }), 'pass');
  assert.equal(ask(bounded, { query: 'q=3' }), ['query /q must be >= 5']);
  const beside = withParameters(
    [
      {
        name: 'q',
        in: 'query',
        style: 'deepObject',
        schema: { $ref: '#/paths/~1a/post/x-base', properties: { n: { type: 'integer' } } },
      },
    ],
    { 'x-base': { type: 'object', properties: { m: { type: 'integer' } } } },
  );
  assert.is(ask(beside, { query: 'q[n]=1&q[m]=2' }), 'pass');
  assert.equal(ask(beside, { query: 'q[n]=x&q[m]=y' }), ['query /q/m must be integer', 'query /q/n must be integer']);
});

test('combined schemas that multiply are described with bounded work', () => {
  const A = { anyOf: new Array<object>(8).fill({ $ref: '#/x/A' }) };
  const files = {
    'api.json': {
      openapi: '3.1.0',
      paths: { '/a': { get: { parameters: [{ name: 'q', in: 'query', schema: { $ref: '#/x/B0' } }] } } },
      x: {
        A,
        ...Object.fromEntries(
          Array.from({ length: 20 }, (_, at) => [
            `B${at}`,
            {
              anyOf: [1, 2, 3, 4].map((n) => ({
                title: `${n}`,
                allOf: [{ $ref: at < 19 ? `#/x/B${at + 1}` : '#/x/C' }],
              })),
            },
          ]),
        ),
        C: { type: 'integer' },
      },
    },
  };
  const start = performance.now();
  assert.equal(findings('openapi = "api.json"', files, routes('/a', 'GET')), []);
  assert.ok(performance.now() - start < 5000);
});

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

test('observed replies are counted, and stay as they are', () => {
  const policy = made('reply = "order.json"\nreplies = "observe"', { 'order.json': ORDER });
  const on = exchange({ decisions: [] });
  const given = new BytesReply(200, { headers: new HeaderMap(JSON_TYPE), body: '{"sku":1}' });
  assert.is(policy.after?.(on, given), undefined);
  assert.match(on.decisions?.[0]?.why ?? '', /\/sku must be string \(observed\)/);
  assert.equal((policy.stats?.() as { invalidReplies: number } | undefined)?.invalidReplies, 1);
});

test('what is wrong with a config is reported', () => {
  const files = { 'a.json': {}, 'bad.json': { type: 'strin' }, 'p.json': { pattern: '(a)\\1' }, ...API, ...PARAMS };
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
