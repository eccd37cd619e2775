/** Forms of paths, parameters and text beyond plain OpenAPI: each is imported, widened or noted. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importOpenApi } from '../../../src/cli/openapi/index.js';
import { decodeDocument } from '../../../src/openapi/document.js';
import { get, imported, type Json, matchesOf, parameter, refused, withPaths } from './kit.js';

const conditionsOf = (paths: Json): string[] =>
  imported(withPaths(paths)).model.routes.map(
    ({ name, match }) =>
      `${name} ${match.text}: ${match.conditions
        .map(
          ({ on, name: field, test: { op, ...rest } }) =>
            `${on} ${field} ${op}${'value' in rest ? ` ${rest.value}` : ''}`,
        )
        .join(', ')}`,
  );

test('parameters are never narrower than their schema', () => {
  const type = (schema: Json, more: object = {}): string | undefined =>
    /\{x:?(.*)\}$/.exec(matchesOf('/a/{x}', parameter('x', schema, more))[0] ?? '')?.[1];
  assert.is(type({ type: 'integer' }), '-?[0-9]+');
  assert.is(type({ type: 'integer', minimum: 0 }), '[0-9]+');
  assert.is(type({ type: 'integer', minimum: -1 }), '-?[0-9]+');
  assert.is(type({ type: 'integer', exclusiveMinimum: 0 }), '[0-9]+');
  assert.is(type({ type: 'integer', minimum: 5, exclusiveMinimum: true }), '[0-9]+');
  for (const schema of [
    { type: 'number' },
    { type: 'string', format: 'date' },
    { type: 'string', format: 'date-time' },
    { type: 'string', pattern: '^[a-z]+$' },
    { type: 'string', format: 'uuid', pattern: '^[0-9a-f]{32}$' },
    { type: 'string', format: 'uuid', maxLength: 32 },
    { type: ['integer', 'string'] },
    { type: ['integer', 'string'], allOf: [{ type: 'integer' }] },
    { enum: [1.5, 'x'] },
    { type: 'string', enum: [1, 2] },
    { enum: [1, 2] },
    { type: 'string', enum: [true] },
    { type: 'array', items: { type: 'integer' } },
    { type: 'object' },
    { oneOf: [{ type: 'integer' }] },
    { not: { type: 'integer' } },
  ]) {
    assert.is(type(schema), '', JSON.stringify(schema));
  }
  assert.is(type({ type: 'integer', enum: [1, 2] }), '1|2');
});

test('matrix and label styles are read from `style` and from RFC 6570 operators', () => {
  const style = (value: string, schema: Json, explode = false): string[] =>
    matchesOf('/a/{x}', parameter('x', schema, { style: value, explode }));
  assert.equal(style('label', { type: 'integer' }), ['GET /a/{x:\\..+}']);
  assert.equal(style('matrix', { type: 'integer' }), ['GET /a/{x:;x(=.*)?(;.*)?}']);
  assert.equal(style('matrix', { type: 'array' }, true), ['GET /a/{x:;.+}']);
  assert.equal(style('matrix', { type: 'object' }, true), ['GET /a/{x:;.+}']);
  assert.equal(style('simple', { type: 'array' }, true), ['GET /a/{x}']);
  assert.equal(matchesOf('/a/{;x}'), ['GET /a/{x:;x(=.*)?(;.*)?}']);
  assert.equal(matchesOf('/a/{;x*}'), ['GET /a/{x:;.+}']);
  assert.equal(matchesOf('/a/{.x}'), ['GET /a/{x:\\..+}']);
  assert.equal(matchesOf('/a/file{.x}'), ['GET /a/{x:file(\\..+)}']);
});

test('other operators and modifiers in braces are handled', () => {
  assert.equal(matchesOf('/a{?page,limit}'), ['GET /a']);
  assert.equal(matchesOf('/a?x=1{&page}'), ['GET /a']);
  assert.equal(matchesOf('/a{#part}'), ['GET /a']);
  assert.equal(matchesOf('/a{/x}'), ['GET /a/{x}']);
  assert.equal(matchesOf('/a/{x:int}'), ['GET /a/{x}']);
  assert.equal(matchesOf('/a/{x:3}/b'), ['GET /a/{x}/b']);
  assert.equal(matchesOf('/v1/{name=projects/*/zones/**}'), ['GET /v1/projects/{name}/zones/{name_2...}']);
  assert.match(imported(withPaths({ '/a/{x?}': get('a') })).notes.join(), 'may be missing');
});

test('`{proxy+}` and other greedy parameters become a tail', () => {
  for (const written of ['{proxy+}', '{+proxy}', '{proxy*}', '{*proxy}', '{**proxy}']) {
    assert.equal(matchesOf(`/a/${written}`, parameter('proxy', { type: 'integer' })), ['GET /a/{proxy...}'], written);
  }
  assert.equal(matchesOf('/a/{x}', parameter('x', {}, { allowReserved: true })), ['GET /a/{x...}']);
  assert.equal(matchesOf('/a/v-{proxy+}'), ['GET /a/{proxy...}']);
});

test('an any-method operation covers every method without its own operation', () => {
  for (const key of ['x-amazon-apigateway-any-method', 'x-yc-apigateway-any-method', 'x-any-method', 'any', '*']) {
    const { model, notes } = imported(
      withPaths({ '/a': { [key]: { operationId: 'any' }, post: { operationId: 'post' } } }),
    );
    assert.equal(
      model.routes.map(({ name, match }) => [name, ...match.methods]),
      [['any'], ['post', 'POST']],
      key,
    );
    assert.equal(notes, []);
  }
});

test('upper-case methods are accepted, and a key that is not a method is noted', () => {
  const { lines, notes } = imported(withPaths({ '/a': { GET: {}, Post: {}, purge: {}, 'x-y': {}, summary: '' } }));
  assert.equal(lines, ['GET /a -> pet-store', 'POST /a -> pet-store']);
  assert.equal(notes, ['`/a` has `purge`, which is not a method of OpenAPI; it is left out.']);
});

const needs = (...parameters: [string, string][]): object => ({
  parameters: parameters.map(([place, name]) => ({ in: place, name, required: true })),
});

test('fragments that name required parameters are conditions on headers and the query', () => {
  assert.equal(
    conditionsOf({
      '/#X-Amz-Target=Db.Get': { post: { operationId: 'get', ...needs(['header', 'X-Amz-Target']) } },
      '/#X-Amz-Target=Db.Put': { post: { operationId: 'put' } },
      '/#Action=List&Version=1': { get: { operationId: 'list', ...needs(['query', 'Action'], ['query', 'Version']) } },
      '/k#a&x-b': { put: { operationId: 'both', ...needs(['query', 'a'], ['header', 'X-B']) } },
      '/k': { put: { operationId: 'plain' } },
    }),
    [
      'get POST /: header x-amz-target equals Db.Get',
      'put POST /: header x-amz-target equals Db.Put',
      'list GET /: query Action equals List, query Version equals 1',
      'both PUT /k: header x-b present, query a present',
      'plain PUT /k: ',
    ],
  );
});

test('an operation covered by another is omitted, never widened', () => {
  const { lines, notes } = imported(
    withPaths({
      '/w#X-Amz-Target=A.C': { post: { operationId: 'a' } },
      '/w#x-amz-target=A.C': { post: { operationId: 'b' } },
    }),
  );
  assert.is(lines.length, 1);
  assert.match(notes.join('\n'), 'matches the same requests');
  assert.not.match(notes.join('\n'), 'became');
});

test('other fragments are not conditions and are noted', () => {
  const { lines, notes } = imported(
    withPaths({ '/a#overload=1': get('a'), '/a#mode': get('b', { parameters: [{ in: 'query', name: 'mode' }] }) }),
  );
  assert.equal(lines, ['GET /a -> pet-store']);
  assert.match(notes[0] ?? '', 'no server sees a fragment, so `overload=1` decides nothing');
  assert.match(notes.at(-1) ?? '', 'matches the same requests');
});

test('routes with overlapping conditions are separated without losing a request', () => {
  const query = (name: string): object => needs(['query', name]);
  assert.equal(
    conditionsOf({
      '/b#acl': get('acl', query('acl')),
      '/b#tags': get('tags', query('tags')),
      '/b#size': get('size', query('size')),
    }),
    [
      'acl GET /b: query acl present',
      'tags GET /b: query tags present, query acl absent',
      'size GET /b: query size present, query acl absent, query tags absent',
    ],
  );
  const pair = needs(['query', 'x'], ['query', 'y']);
  // If both kept their conditions, `?x=1&z=1` would match no route.
  assert.equal(
    conditionsOf({ '/b#x&y': get('one', pair), '/b#y&z': get('two', needs(['query', 'y'], ['query', 'z'])) }),
    ['one GET /b: query x present, query y present', 'two GET /b: query y present'],
  );
});

test('duplicate keys in JSON or YAML are noted', () => {
  const json =
    '{"openapi":"3.0.0","paths":{"/a":{"get":{},"get":{}},"/b\\"":{"get":{}},"/a":{"put":{"tags":["/a","/a"]}}}}';
  assert.equal(importOpenApi(json, 'a.json').notes.slice(0, 2), [
    '`/a get` occurs twice in the document; only the last one is read.',
    '`/a` occurs twice in the document; only the last one is read.',
  ]);
  const yaml = 'openapi: "3.0.0"\npaths:\n  /a:\n    get: {}\n    get: {}\n  /a:\n    put: {}\n';
  assert.equal(importOpenApi(yaml, 'a.yaml').notes.slice(0, 2), [
    '`/a` occurs twice in the document; only the last one is read.',
    '`/a get` occurs twice in the document; only the last one is read.',
  ]);
});

test('YAML merge keys are resolved, and exponential aliases are rejected at once', () => {
  const yaml = `openapi: 3.0.0
x-common: &common { get: { operationId: shared } }
paths:
  /a: { <<: *common, put: { operationId: own } }
`;
  assert.is(importOpenApi(yaml, 'a.yaml').routes, 2);
  const bomb = (item: (index: number) => string): string =>
    Array.from(
      { length: 40 },
      (_, index) => `a${index}: &a${index} ${index === 0 ? '{ x: 1 }' : item(index - 1)}`,
    ).join('\n');
  const started = Date.now();
  assert.match(
    refused(
      bomb((at) => `[*a${at}, *a${at}]`),
      'a.yaml',
    ),
    'multiply',
  );
  assert.match(
    refused(
      bomb((at) => `{ <<: [*a${at}, *a${at}] }`),
      'a.yaml',
    ),
    'multiply',
  );
  assert.match(refused(`a: ${'['.repeat(5000)}`, 'a.yaml'), 'levels deep');
  assert.match(
    refused(`${Array.from({ length: 3000 }, (_, at) => `${' '.repeat(at)}a:`).join('\n')}`, 'a.yaml'),
    /not valid YAML|missing/,
  );
  assert.ok(Date.now() - started < 10_000);
});

test('endlessly nested values are rejected or skipped in any position', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const text = (more: string): string =>
    `{"openapi":"3.0.0","info":{},"paths":{"/a":{"get":{"security":[{}]}}}${more}}`;
  for (const more of [
    `,"x":${deep}`,
    `,"security":${deep}`,
    `,"servers":[{"url":"{a}","variables":{"a":{"default":${deep}}}}]`,
  ]) {
    assert.is(importOpenApi(text(more), 'a.json').routes, 1);
  }
  assert.match(refused(text('').replace('"3.0.0"', deep)), 'gw reads OpenAPI 3.0 and 3.1');
  assert.match(refused(`{"swagger":${deep}}`), 'Swagger');
  const guarded = importOpenApi(text(`,"security":[${deep}]`).replace('"security":[{}]', ''), 'a.json');
  assert.ok(guarded.apiKey);
});

test('byte order marks, UTF-16 and binary content are handled', () => {
  const text = '{"openapi":"3.0.0"}';
  assert.is(decodeDocument(Buffer.from(`\ufeff${text}`), 'a'), text);
  assert.is(decodeDocument(Buffer.from(`\ufeff${text}`, 'utf16le'), 'a'), text);
  assert.throws(() => decodeDocument(Buffer.from([0x7b, 0, 1, 2]), 'a.json'), /not a text file/);
});

test('unreadable documents are rejected with advice', () => {
  const yaml = (text: string): string => refused(text, 'a.yaml');
  assert.match(yaml('openapi: 3.1\npaths: {}'), 'a.yaml says `openapi: 3.1`, which is a number');
  assert.match(yaml('openapi: 3.1\npaths: {}'), 'write `openapi: "3.1.0"`');
  assert.match(yaml('openapi: 3.0\npaths: {}'), 'says `openapi: 3.0`');
  assert.match(yaml('openapi: 3.0\npaths: {}'), 'write `openapi: "3.0.3"`');
  assert.match(yaml('openapi: 3.2.0\npaths: {}'), 'is OpenAPI 3.2.0; gw reads OpenAPI 3.0 and 3.1');
  assert.match(yaml('swagger: "2.0"'), 'is a Swagger 2.0 document. Convert it to OpenAPI 3 first');
  assert.match(yaml('swagger: 2.0'), 'Swagger');
  assert.match(yaml('asyncapi: 3.0.0'), 'is AsyncAPI');
  assert.match(yaml('OpenAPI: 3.0.0'), 'the key is written `OpenAPI`');
  assert.match(yaml(' \n'), 'a.yaml is empty');
  assert.match(yaml('<!DOCTYPE html>'), 'contains HTML or XML');
  assert.match(refused('{\n // a comment\n "openapi": "3.0.0" }'), 'contains comments, which JSON does not allow');
  assert.match(refused('openapi: 3.0.0\n'), 'it looks like YAML');
  assert.match(yaml('openapi: 3.1.0\nwebhooks: { a: { post: {} } }'), 'describes only webhooks');
  assert.match(
    yaml('openapi: 3.1.0\npaths: { /a: { $ref: "a.yaml" } }'),
    'another file, `a.yaml`, and is left out. Put the parts',
  );
  assert.match(
    yaml('openapi: 3.1.0\npaths: { /a: { $ref: "https://x.example/a" } }'),
    'another URL, `https://x.example/a`',
  );
  assert.match(
    yaml("openapi: 3.1.0\npaths: { /a: { $ref: '#/paths/~1a' } }"),
    'itself in a circle, `#/paths/~1a` -> `#/paths/~1a`',
  );
  assert.match(yaml("openapi: 3.1.0\npaths: { /a: { $ref: '#/b' } }"), '`#/b`, which is not in the document');
});

test('operations next to a $ref are kept', () => {
  const { lines } = imported(
    withPaths(
      { '/a': { $ref: '#/components/pathItems/A', put: {} } },
      { components: { pathItems: { A: { get: {}, put: {} } } } },
    ),
  );
  assert.equal(lines, ['GET /a -> pet-store', 'PUT /a -> pet-store']);
});

test('a service gets a short name', () => {
  const nameOf = (title: string, url = 'https://api.example.com'): string | undefined =>
    imported(withPaths({ '/a': get('a') }, { info: { title }, servers: [{ url }] })).model.services[0]?.name;
  assert.is(nameOf('Swagger Petstore - OpenAPI 3.0'), 'petstore');
  assert.is(nameOf('The Orders API'), 'orders');
  assert.is(nameOf('This is a sample server for a pet store. It has more sentences, and they are long.'), 'pet-store');
  assert.is(nameOf('Interoperability of extraordinarily long words'), 'interoperability');
  assert.is(nameOf('\u4e2d\u6587'), 'api-example-com');
  assert.is(nameOf('API'), 'api');
  assert.is(nameOf(''), 'api');
});

test.run();
