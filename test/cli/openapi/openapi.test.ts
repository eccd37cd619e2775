/** Documents with the oddities of published ones. The resulting spec always validates. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOpenApi } from '../../../src/cli/openapi/index.js';
import { get, imported, matchesOf, parameter, refused, withPaths } from './kit.js';

test('operations become routes in document order, named by operation id', () => {
  const { model, lines, notes } = imported(
    withPaths({ '/pets': { get: { operationId: 'list' }, post: { operationId: 'add' } }, '/pets/{id}': get('one') }),
  );
  assert.equal(lines, ['GET /pets -> pet-store', 'POST /pets -> pet-store', 'GET /pets/{id} -> pet-store']);
  assert.equal(
    model.routes.map(({ name }) => name),
    ['list', 'add', 'one'],
  );
  assert.equal(notes, []);
});

test('integer, uuid, boolean, enum and const types are kept', () => {
  assert.equal(matchesOf('/a/{x}', parameter('x', { type: 'integer', format: 'int64' })), ['GET /a/{x:-?[0-9]+}']);
  assert.equal(matchesOf('/a/{x}', parameter('x', { type: 'integer', minimum: -5 })), ['GET /a/{x:-?[0-9]+}']);
  assert.equal(matchesOf('/a/{x}', parameter('x', { type: 'string', format: 'uuid' })), ['GET /a/{x:uuid}']);
  assert.equal(matchesOf('/a/{x}', parameter('x', { type: 'boolean' })), ['GET /a/{x:bool}']);
  assert.equal(matchesOf('/a/{x}', parameter('x', { enum: ['a.b', 'c+d'] })), ['GET /a/{x:a\\.b|c\\+d}']);
  assert.equal(matchesOf('/a/{x}', parameter('x', { enum: ['alone'] })), ['GET /a/{x:(alone)}']);
  assert.equal(matchesOf('/a/{x}', parameter('x', { const: 'v1' })), ['GET /a/{x:(v1)}']);
  assert.equal(matchesOf('/a/{x}', parameter('x', { type: ['integer', 'null'] })), ['GET /a/{x:-?[0-9]+}']);
});

test('a type without a path pattern becomes a plain parameter', () => {
  for (const schema of [
    { type: 'string' },
    { enum: ['a/b', 'c'] },
    { enum: [] },
    { enum: Array.from({ length: 300 }, (_, index) => `value-${index}`) },
    { anyOf: [{ type: 'integer' }, { type: 'string' }] },
    {},
  ]) {
    assert.equal(matchesOf('/a/{x}', parameter('x', schema)), ['GET /a/{x}'], JSON.stringify(schema));
  }
  assert.equal(matchesOf('/a/{x}'), ['GET /a/{x}']);
});

test('path parameters apply to operations, which can override them', () => {
  const { lines } = imported(
    withPaths({
      '/a/{x}': {
        parameters: [parameter('x', { type: 'integer' })],
        get: {},
        put: { parameters: [parameter('x', { type: 'string', format: 'uuid' })] },
      },
    }),
  );
  assert.equal(lines, ['GET /a/{x:-?[0-9]+} -> pet-store', 'PUT /a/{x:uuid} -> pet-store']);
});

test('local references are resolved in parameters, schemas, path items and allOf', () => {
  const components = {
    parameters: { 'a/b~c': parameter('x', { $ref: '#/components/schemas/Id' }) },
    schemas: {
      Id: { allOf: [{ description: 'An id' }, { $ref: '#/components/schemas/Number' }] },
      Number: { type: 'integer' },
    },
    pathItems: { Item: get('one', { parameters: [{ $ref: '#/components/parameters/a~1b~0c' }] }) },
  };
  const { lines } = imported(withPaths({ '/a/{x}': { $ref: '#/components/pathItems/Item' } }, { components }));
  assert.equal(lines, ['GET /a/{x:-?[0-9]+} -> pet-store']);
});

test('circular, dangling and external references do not loop', () => {
  const components = {
    schemas: {
      A: { $ref: '#/components/schemas/B' },
      B: { $ref: '#/components/schemas/A' },
      C: { allOf: [{ $ref: '#/components/schemas/C' }] },
    },
  };
  const { lines, notes } = imported(
    withPaths(
      {
        '/a/{x}': get('a', { parameters: [parameter('x', { $ref: '#/components/schemas/A' })] }),
        '/c/{x}': get('c', { parameters: [parameter('x', { $ref: '#/components/schemas/C' })] }),
        '/d/{x}': get('d', { parameters: [{ $ref: '#/nowhere/%zz' }, { $ref: 'other.yaml#/x' }] }),
        '/e': { $ref: 'other.yaml#/paths/e' },
      },
      { components },
    ),
  );
  assert.equal(lines, ['GET /a/{x} -> pet-store', 'GET /c/{x} -> pet-store', 'GET /d/{x} -> pet-store']);
  assert.equal(notes, [
    'a parameter of `/d/{x}` refers to `#/nowhere/%zz`, which is not in the document; any text is taken for it.',
    'a parameter of `/d/{x}` refers to another file, `other.yaml#/x`; any text is taken for it.',
    '`/e` refers to another file, `other.yaml#/paths/e`, and is left out. Put the parts into one file first: `npx @redocly/cli bundle`.',
  ]);
});

test('a parameter in part of a segment becomes a pattern of the whole segment, with a note', () => {
  const { lines, notes } = imported(
    withPaths({
      '/files/{name}.json': get('a'),
      '/at/{lat},{lon}': get('b', { parameters: [parameter('lat', { type: 'integer' })] }),
    }),
  );
  assert.equal(lines, ['GET /files/{name:.+\\.json} -> pet-store', 'GET /at/{lat_lon:(-?[0-9]+),.+} -> pet-store']);
  assert.equal(notes.length, 2);
  assert.match(notes[0] ?? '', '`{name}.json` is one parameter, `name`, for the whole segment.');
});

test('of paths that match the same requests the first is kept; a wider path becomes a plain parameter', () => {
  const same = imported(withPaths({ '/p/{id}': get('first'), '/p/{name}': get('second') }));
  assert.equal(same.lines, ['GET /p/{id} -> pet-store']);
  assert.match(same.notes[0] ?? '', '`GET /p/{name}` matches the same requests as `GET /p/{id}` and is left out.');

  const wider = imported(withPaths({ '/f/{name}.{format}': get('any'), '/f/{name}.json': get('json') }));
  assert.equal(wider.lines, ['GET /f/{name_format} -> pet-store', 'GET /f/{name:.+\\.json} -> pet-store']);
  assert.match(wider.notes.at(-1) ?? '', 'overlaps another path and became `GET /f/{name_format}`');

  const crowded = imported(
    withPaths({ '/f/{name}.{format}': get('any'), '/f/{name}.json': get('json'), '/f/{all}': get('all') }),
  );
  assert.equal(crowded.lines.length, 2);
});

test('invalid parameter names and duplicate route names are changed', () => {
  const { lines, model } = imported(
    withPaths({
      '/a/{user id}/{user.id}/{2nd}': {
        get: { operationId: 'x' },
        put: { operationId: 'x' },
        post: { operationId: 'x' },
      },
      '/b': { post: { operationId: 'x' } },
    }),
  );
  assert.is(lines[0], 'GET /a/{user_id}/{user_id_2}/{p2nd} -> pet-store');
  assert.equal(model.routes.map(({ name }) => name).sort(), ['x', 'x-post', 'x-post-2', 'x-put']);
});

test('a multi-segment parameter becomes a tail at the end, one segment elsewhere', () => {
  const path = parameter('path', { type: 'string' }, { 'x-multi-segment': true });
  const { lines, notes } = imported(
    withPaths({
      '/c/{path}': get('a', { parameters: [path] }),
      '/d/{path}/e': get('b', { parameters: [path] }),
      '/g/{+name}': get('c'),
    }),
  );
  assert.equal(lines, [
    'GET /c/{path...} -> pet-store',
    'GET /d/{path}/e -> pet-store',
    'GET /g/{name...} -> pet-store',
  ]);
  assert.match(notes.join(), 'only the last parameter of a path can hold slashes; `path` takes one segment');
});

test('other notations of parameters, fragments and queries in paths are handled', () => {
  const { lines, model, notes } = imported(
    withPaths({
      '/w/:token': get('a'),
      '/s/*': get('b'),
      '/?Action=List': get('c'),
      '/?Action=Show&id={id}': get('d'),
      '/f#one': get('e'),
      '/f#two': get('f'),
      '//x//y': get('g'),
    }),
  );
  assert.equal(
    lines.map((line) => line.replace(' -> pet-store', '')),
    ['GET /w/{token}', 'GET /s/{rest...}', 'GET /', 'GET /', 'GET /f', 'GET /x/y'],
  );
  assert.equal(
    model.routes.flatMap(({ match }) => match.conditions.map(({ name, test: condition }) => ({ name, ...condition }))),
    [
      { name: 'Action', op: 'equals', value: 'List' },
      { name: 'Action', op: 'equals', value: 'Show' },
    ],
  );
  assert.match(notes.join('\n'), 'no server sees a fragment');
});

test('unsupported paths are omitted with a note', () => {
  const { lines, notes } = imported(
    withPaths({ '/ok': get('a'), 'no-slash': get('b'), '/a/{x': get('c'), '/a/../b': get('d'), '/%2F': get('e') }),
  );
  assert.equal(lines, ['GET /ok -> pet-store']);
  assert.is(notes.length, 4);
});

test('percent-encoded characters in paths are handled', () => {
  assert.equal(matchesOf('/caf\u00e9/a b'), ['GET /caf%C3%A9/a%20b']);
  assert.equal(matchesOf('/half \ud800'), ['GET /half%20%EF%BF%BD']);
});

test('the first server is the target, the others are noted', () => {
  const { model, spec } = imported(
    withPaths(
      { '/a': get('a') },
      { servers: [{ url: 'https://api.example.com/v2/' }, { url: 'https://staging.example.com' }] },
    ),
  );
  assert.equal(model.services[0]?.config.targets, [{ url: 'https://api.example.com/v2', weight: 1 }]);
  assert.is(model.services[0]?.config.host, 'target');
  assert.match(spec, '# The document also names https://staging.example.com');
});

test('servers of paths and operations become additional services', () => {
  const { lines } = imported(
    withPaths(
      {
        '/a': get('a'),
        '/b': { servers: [{ url: 'https://files.example.com' }], ...(get('b') as object) },
        '/c': get('c', { servers: [{ url: 'https://files.example.com/other' }] }),
      },
      { servers: [{ url: 'https://api.example.com' }] },
    ),
  );
  assert.equal(lines, ['GET /a -> pet-store', 'GET /b -> files-example-com', 'GET /c -> files-example-com-2']);
});

test('server variables use their defaults; a missing default is noted', () => {
  const url = 'https://{region}.example.com:{port}/v1';
  const variables = { region: { default: 'eu' }, port: { default: 8443 } };
  const { model } = imported(withPaths({ '/a': get('a') }, { servers: [{ url, variables }] }));
  assert.is(model.services[0]?.config.targets?.[0]?.url, 'https://eu.example.com:8443/v1');
  const without = imported(withPaths({ '/a': get('a') }, { servers: [{ url }] }));
  assert.is(without.model.services[0]?.config.targets?.[0]?.url, 'http://127.0.0.1:3000');
  assert.match(without.notes[0] ?? '', 'has a variable without a default');
});

for (const [url, target, note] of [
  ['/api/v3', 'http://127.0.0.1:3000/api/v3', 'names no host'],
  ['v3', 'http://127.0.0.1:3000/v3', 'names no host'],
  ['', 'http://127.0.0.1:3000', 'names no host'],
  ['//api.example.com/v1', 'https://api.example.com/v1', undefined],
  ['api.example.com/v1', 'https://api.example.com/v1', 'HTTPS is assumed'],
  ['https://me:secret@api.example.com', 'https://api.example.com', undefined],
  ['https://api.example.com/?x=1#y', 'https://api.example.com', undefined],
  ['wss://api.example.com', 'http://127.0.0.1:3000', 'is not an HTTP address'],
  ['http://10.0.0.8:9000', 'http://10.0.0.8:9000', undefined],
  ['http://0.0.0.0:9000/v1', 'http://127.0.0.1:9000/v1', undefined],
  ['http://[::]:9000', 'http://[::1]:9000', undefined],
  ['http://api.example.com', 'http://api.example.com', undefined],
  ['http://api.example.com:443/v1', 'https://api.example.com/v1', 'mixes HTTP and HTTPS'],
  ['https://api.example.com:80', 'https://api.example.com', 'mixes HTTP and HTTPS'],
] as const) {
  test(`the server \`${url}\` leads to ${target}`, () => {
    const { model, notes } = imported(withPaths({ '/a': get('a') }, { servers: [{ url }] }));
    assert.is(model.services[0]?.config.targets?.[0]?.url, target);
    if (note === undefined) assert.equal(notes, []);
    else assert.match(notes[0] ?? '', note);
  });
}

test('without servers the target is http://127.0.0.1:3000', () => {
  const { model } = imported(withPaths({ '/a': get('a') }, { servers: undefined }));
  assert.is(model.services[0]?.config.targets?.[0]?.url, 'http://127.0.0.1:3000');
});

test('gw listens on the next port if a server uses its default port', () => {
  assert.is(
    imported(withPaths({ '/a': get('a') }, { servers: [{ url: 'http://localhost:8080' }] })).address,
    '127.0.0.1:8081',
  );
});

test('titles with line breaks and control characters stay inside their comment', () => {
  const { spec } = imported(
    withPaths({ '/a': get('a\n"b') }, { info: { title: 'A\nspec = 2\u0007', version: '1\u007f' } }),
  );
  assert.match(spec, '# From A\n# spec = 2');
});

test('YAML is read like JSON, also in OpenAPI 3.1', () => {
  const text = `openapi: 3.1.0
info: { title: Books, version: 1.0.0 }
paths:
  /books/{id}:
    parameters: [&id { name: id, in: path, schema: { type: integer } }]
    get: { operationId: getBook, responses: { 200: { description: One } } }
    delete: { operationId: drop, parameters: [*id] }
`;
  const { spec, routes } = importOpenApi(text, 'books.yaml');
  assert.is(routes, 2);
  assert.match(spec, 'match = "GET /books/{id:-?[0-9]+}"');
});

test('a document that is not OpenAPI 3 is rejected with one sentence', () => {
  assert.match(refused('{"openapi": '), 'is not valid JSON');
  assert.match(refused('a: [', 'a.yaml'), 'is not valid YAML');
  assert.match(refused('a: *nowhere', 'a.yaml'), 'is not valid YAML');
  assert.match(refused('[]'), 'its content is not a table of keys');
  assert.match(refused(''), 'openapi.json is empty.');
  assert.match(refused('{"swagger": "2.0"}'), 'Convert it to OpenAPI 3 first');
  assert.match(refused('{"info": {}}'), 'the key `openapi` is missing');
  assert.match(refused('{"openapi": "4.0.0"}'), 'is OpenAPI 4.0.0; gw reads OpenAPI 3.0 and 3.1');
  assert.match(refused('{"openapi": "3.1.0", "info": {"title": "x"}}'), 'describes no operation');
  const laughs = Array.from(
    { length: 30 },
    (_, index) => `a${index}: &a${index} [${index === 0 ? 'x' : `*a${index - 1}, *a${index - 1}`}]`,
  );
  assert.match(refused(laughs.join('\n'), 'a.yaml'), 'is not valid YAML');
});

test.run();
