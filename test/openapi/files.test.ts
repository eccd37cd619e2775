import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Data, field, type OpenApiDocument, openOpenApi } from '../../src/openapi/document.js';
import type { FileText } from '../../src/openapi/files.js';
import { operationsAt, operationsOf } from '../../src/openapi/operations.js';
import { DocumentError } from '../../src/openapi/text.js';

type Files = { readonly [path: string]: unknown };

const read =
  (files: Files, seen: string[] = []) =>
  (path: string): FileText => {
    seen.push(path);
    const content = files[path];
    if (content === undefined) return { cause: 'no such file' };
    return { text: typeof content === 'string' ? content : JSON.stringify(content) };
  };

const HEAD = { openapi: '3.1.0', info: { title: 't', version: '1' } };
const open = (files: Files): OpenApiDocument => openOpenApi(read(files), 'api/openapi.json');
const document = (more: object, files: Files = {}): OpenApiDocument =>
  open({ 'api/openapi.json': { ...HEAD, ...more }, ...files });
const found = (of: OpenApiDocument, ...keys: string[]): Data | undefined =>
  of.resolve(keys.reduce<Data | undefined>((data, key) => field(of.resolve(data), key), of.root));

test('references lead to files relative to the file that has them, and back', () => {
  const of = document(
    { a: { $ref: './parts/a.yaml#/x' }, b: { $ref: '../up.json' }, c: 7 },
    {
      'api/parts/a.yaml': 'x: { $ref: "deep/d.json#/list/1" }\nback: { $ref: "../openapi.json#/c" }',
      'api/parts/deep/d.json': { list: [0, { $ref: '../a.yaml#/back' }] },
      'up.json': '"whole"',
    },
  );
  assert.is(found(of, 'a'), 7);
  assert.is(found(of, 'b'), 'whole');
  assert.equal(of.faults, []);
});

test('a pointer leads through references to other files', () => {
  const of = document(
    { components: { schemas: { $ref: 'schemas/index.yaml' } }, a: { $ref: '#/components/schemas/Order/type' } },
    { 'api/schemas/index.yaml': 'Order: { $ref: order.yaml }', 'api/schemas/order.yaml': 'type: object' },
  );
  assert.is(found(of, 'a'), 'object');
});

test('references by $id and $anchor stay in their file', () => {
  const schema = {
    $id: 'https://example.com/order',
    $defs: { item: { $id: 'item', $anchor: 'it', const: 1, $defs: { own: 2 }, a: { $ref: '#/$defs/own' } } },
    b: { $ref: 'https://example.com/item' },
    c: { $ref: '#it' },
    d: { $ref: 'item#/$defs/own' },
  };
  const of = document({ a: { $ref: 'order.json' } }, { 'api/order.json': schema });
  assert.is(field(found(of, 'a', 'b'), 'const'), 1);
  assert.is(field(found(of, 'a', 'c'), 'const'), 1);
  assert.is(found(of, 'a', 'd'), 2);
  assert.is(found(of, 'a', 'b', 'a'), 2, 'a fragment begins in the innermost table with an id');
});

const BROKEN: readonly [reference: unknown, fault: RegExp][] = [
  ['none.yaml#/x', /^`api\/openapi.json` refers to `none.yaml#\/x`: `api\/none.yaml` cannot be read: no such file\.$/],
  ['bad.json', /`bad.json`: api\/bad.json is not valid JSON/],
  ['other.json#/nowhere', /`other.json#\/nowhere`, which is not in `api\/other.json`\.$/],
  ['#/nowhere', /`#\/nowhere`, which is not in `api\/openapi.json`\.$/],
  ['other.json#anchor', /is not in `api\/other.json`/],
  ['https://example.com/a.yaml', /gw downloads no documents/],
  ['//example.com/a.yaml', /gw downloads no documents/],
  ['/etc/passwd', /Write a path that is relative to the file\.$/],
  ['circle.json', /itself in a circle, `circle.json` -> `openapi.json#\/a` -> `circle.json`\.$/],
  [7, /something that is not a reference/],
  ['#/a/b', /itself in a circle, /],
];

for (const [reference, fault] of BROKEN) {
  test(`a reference that cannot be followed: ${reference}`, () => {
    const of = document(
      { a: { $ref: reference } },
      { 'api/bad.json': '{', 'api/other.json': {}, 'api/circle.json': { $ref: 'openapi.json#/a' } },
    );
    assert.is(found(of, 'a'), undefined);
    assert.is(of.faults.length, 1);
    assert.match(of.faults[0]!, fault);
  });
}

test('a fault names the file that has the reference', () => {
  const of = document({ a: { $ref: 'b.json' } }, { 'api/b.json': { c: { $ref: 'none.json' } } });
  assert.is(found(of, 'a', 'c'), undefined);
  assert.match(of.faults[0]!, /^`api\/b.json` refers to `none.json`/);
});

test('a fault within the path of a pointer is the one that is named', () => {
  const of = document({ a: { $ref: '#/parts/x/y' }, parts: { $ref: 'none.json' } });
  assert.is(found(of, 'a'), undefined);
  assert.equal(of.faults, ['`api/openapi.json` refers to `none.json`: `api/none.json` cannot be read: no such file.']);
});

test('an operation reads only the files that it leads to, and each once for all documents of a load', () => {
  const seen: string[] = [];
  const files = read(
    {
      'api.json': { ...HEAD, paths: { '/a': { $ref: 'a.yaml' }, '/b': { $ref: 'b.yaml' }, '/c': { $ref: 'none' } } },
      'a.yaml': 'get: { operationId: getA }\npost: { $ref: none.yaml }',
      'b.yaml': 'get: { operationId: getB }',
    },
    seen,
  );
  const first = openOpenApi(files, 'api.json');
  assert.equal(
    operationsAt(first, '/a', ['GET']).map(({ id }) => id),
    ['getA'],
  );
  assert.equal(seen, ['api.json', 'a.yaml']);
  const second = openOpenApi(files, './api.json');
  assert.equal(
    operationsOf(second).map(({ id }) => id),
    ['getA', 'getB'],
  );
  assert.equal(seen, ['api.json', 'a.yaml', 'none.yaml', 'b.yaml', 'none']);
  assert.equal([first.faults, second.faults], [[], []], 'what no one asked for is no fault');
  assert.equal(operationsAt(first, '/a', ['POST']), []);
  assert.match(first.faults[0]!, /`none.yaml` cannot be read/);
});

test('number and size of files are bounded', () => {
  const chain = Object.fromEntries(
    Array.from({ length: 1200 }, (_, at) => [`${at}.json`, { next: { $ref: `${at + 1}.json` } }]),
  );
  const of = openOpenApi(read({ ...chain, 'api.json': { ...HEAD, next: { $ref: '0.json' } } }), 'api.json');
  let current: Data | undefined = of.root;
  let steps = 0;
  for (; current !== undefined; steps++) current = of.resolve(field(current, 'next'));
  assert.is(steps, 1000);
  assert.match(of.faults[0]!, /more than 1000 files/);
  const large = JSON.stringify('x'.repeat(9 * 1024 * 1024));
  const files = { 'a.json': large, 'b.json': large, 'c.json': large };
  const big = document(Object.fromEntries('abc'.split('').map((name) => [name, { $ref: `../${name}.json` }])), files);
  assert.type(found(big, 'b'), 'string');
  assert.type(found(big, 'a'), 'string');
  assert.is(found(big, 'c'), undefined);
  assert.match(big.faults[0]!, /more than 24 MiB/);
});

test('hostile references end', () => {
  const long = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`k${at}`, { $ref: `#/k${at + 1}` }]));
  assert.is(found(document(long), 'k0'), undefined);
  const doubling = Object.fromEntries(
    Array.from({ length: 150 }, (_, at) => [`k${at}`, { x: { $ref: `#/k${at + 1}/x/x` } }]),
  );
  assert.is(found(document(doubling), 'k0', 'x'), undefined);
  const through = document({ a: { $ref: '#/b/x' }, b: { $ref: '#/a/y' } });
  assert.is(found(through, 'a'), undefined);
  assert.throws(
    () => open({ 'api/openapi.json': `${'['.repeat(2000)}${']'.repeat(2000)}` }),
    (error: unknown) => error instanceof DocumentError,
  );
  const proto = document({ a: { $ref: '#/__proto__/x' }, b: { $ref: '#/constructor' } });
  assert.equal([found(proto, 'a'), found(proto, 'b')], [undefined, undefined]);
});

test.run();
