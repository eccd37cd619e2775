/** Parameters in validate: their places, styles and types. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PolicyInstance } from '../../src/policies/contract.js';
import { ask, findings, made, query, routes, withParameters } from './validate-kit.js';

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

test('an integer is written in digits', () => {
  const policy = query({ type: 'integer' });
  for (const good of ['0', '-7', '9007199254740993']) assert.is(ask(policy, { query: `q=${good}` }), 'pass', good);
  for (const bad of ['1e3', '1.0', '01', '+1', ' 1', '0x10', '', '9'.repeat(400)])
    assert.ok(Array.isArray(ask(policy, { query: `q=${encodeURIComponent(bad)}` })), bad);
  const number = query({ type: 'number', maximum: 1e9 });
  assert.is(ask(number, { query: 'q=1.5e3' }), 'pass');
  assert.ok(Array.isArray(ask(number, { query: 'q=1e999' })));
});

test('a parameter with allowEmptyValue may be empty', () => {
  const policy = query({ type: 'boolean' }, { allowEmptyValue: true });
  for (const good of ['q', 'q=', 'q=true', '']) assert.is(ask(policy, { query: good }), 'pass', good);
  assert.ok(Array.isArray(ask(policy, { query: 'q=x' })));
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

test.run();
