import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Json, PolicyFile } from '../../../src/policies/contract.js';
import { SchemaDocuments } from '../../../src/policies/kits/schema-documents.js';
import { type Failure, SchemaCompiler, type Validator } from '../../../src/policies/kits/schema-validator.js';

type Files = { readonly [path: string]: unknown };

const reader =
  (files: Files) =>
  (path: string): PolicyFile => {
    const value = files[path];
    if (value === undefined) return { cause: 'no such file' };
    return { text: typeof value === 'string' ? value : JSON.stringify(value) };
  };

function documents(files: Files, reference: string, skip = false): { documents: SchemaDocuments; uri: string } {
  const all = new SchemaDocuments(reader(files), skip);
  return { documents: all, uri: all.schema(reference) ?? '' };
}

function validatorOf(files: Files, reference = 'a.json', skip = false): Validator {
  const { documents: all, uri } = documents(files, reference, skip);
  assert.equal(
    all.faults.filter(({ kind }) => !skip || kind !== 'pattern'),
    [],
  );
  // What a bundle keeps.
  const set = JSON.parse(JSON.stringify(all.finish()));
  new SchemaCompiler(set, { strict: true }).compile(uri);
  return new SchemaCompiler(set).compile(uri);
}

const faults = (files: Files, reference = 'a.json'): string[] => {
  const { documents: all } = documents(files, reference);
  return all.faults.map(({ kind, message }) => `${kind}: ${message}`);
};

const failures = (schema: Json, value: Json): readonly string[] | undefined =>
  validatorOf({ 'a.json': schema })
    .failures(value)
    ?.map(({ pointer, detail }: Failure) => `${pointer} ${detail}`);

test('every failing field is listed with its pointer', () => {
  const schema = {
    type: 'object',
    required: ['id', 'a/b'],
    additionalProperties: false,
    properties: { id: {}, 'a/b': {}, items: { type: 'array', items: { type: 'integer' } }, kind: { enum: ['x', 'y'] } },
  };
  assert.equal(failures(schema, { items: [1, 'two', 3.5], kind: 'z', more: 1 }), [
    '/id is required',
    '/a~1b is required',
    '/more is not allowed',
    '/items/1 must be integer',
    '/items/2 must be integer',
    '/kind must be one of "x", "y"',
  ]);
  assert.is(failures(schema, { id: 1, 'a/b': 2, items: [1], kind: 'x' }), undefined);
});

test('references lead to files, into files, and within a file', () => {
  const files = {
    'schemas/order.json': {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      properties: { item: { $ref: 'parts/item.json' }, total: { $ref: '../common.json#/$defs/money' } },
    },
    'schemas/parts/item.json': { $ref: '#/$defs/it', $defs: { it: { type: 'object', required: ['sku'] } } },
    'common.json': { $defs: { money: { type: 'number', minimum: 0 } } },
  };
  const validator = validatorOf(files, 'schemas/order.json');
  assert.is(validator.failures({ item: { sku: 1 }, total: 3 }), undefined);
  assert.equal(validator.failures({ item: {}, total: -1 }), [
    { pointer: '/item/sku', detail: 'is required' },
    { pointer: '/total', detail: 'must be >= 0' },
  ]);
});

test('files may refer to each other in a circle, and have ids and anchors', () => {
  const files = {
    'tree.json': {
      $id: 'https://example.com/tree',
      type: 'object',
      properties: { next: { $ref: 'leaf.json' }, same: { $ref: '#me' }, other: { $ref: 'inner' } },
      $defs: {
        me: { $anchor: 'me', type: 'object' },
        x: { $id: 'inner', type: 'string' },
      },
    },
    'leaf.json': { type: 'object', properties: { back: { $ref: 'tree.json' } } },
  };
  const validator = validatorOf(files, 'tree.json');
  assert.is(validator.failures({ next: { back: { other: 'a' } }, same: {} }), undefined);
  assert.equal(
    validator.failures({ next: { back: { other: 1 } }, same: 1 })?.map(({ pointer }) => pointer),
    ['/next/back/other', '/same'],
  );
});

test('draft-07 and 2020-12 differ', () => {
  const tuple = (keyword: string, dialect: string): Json => ({
    $schema: dialect,
    [keyword]: [{ type: 'string' }],
  });
  const draft07 = tuple('items', 'http://json-schema.org/draft-07/schema#');
  assert.equal(failures(draft07, [1]), ['/0 must be string']);
  const draft2020 = tuple('prefixItems', 'https://json-schema.org/draft/2020-12/schema');
  assert.equal(failures(draft2020, [1]), ['/0 must be string']);
});

test('YAML files are read', () => {
  const validator = validatorOf({ 'a.yaml': 'type: object\nrequired: [id]\n' }, 'a.yaml');
  assert.equal(validator.failures({}), [{ pointer: '/id', detail: 'is required' }]);
});

test('what is wrong with files is reported', () => {
  assert.equal(faults({}), ['file: `a.json` cannot be read: no such file.']);
  assert.match(faults({ 'a.json': '{' })[0] ?? '', /file: a.json is not valid JSON/);
  assert.match(faults({ 'a.json': '[1]' })[0] ?? '', /schema: `a.json` is not a schema/);
  assert.equal(faults({ 'a.json': { $ref: 'b.json' } }), [
    'file: `a.json` refers to `b.json`: `b.json` cannot be read: no such file.',
  ]);
  for (const remote of ['https://example.com/b', '//example.com/b', 'file:///etc/passwd']) {
    assert.match(faults({ 'a.json': { $ref: remote } })[0] ?? '', /file: .* gw downloads no documents/);
  }
  assert.match(faults({ 'a.json': { $ref: '/b.json' }, 'b.json': {} })[0] ?? '', /relative to the file/);
  assert.equal(faults({ 'a.json': { $ref: 'b.json#/$defs/x' }, 'b.json': { $defs: {} } }), [
    'schema: `a.json` refers to `b.json#/$defs/x`, which is not in `b.json`.',
  ]);
  assert.match(faults({ 'a.json': { $ref: '#/$defs/x' } })[0] ?? '', /schema: .* is not in the file/);
  assert.match(faults({ 'a.json': { $schema: 'http://json-schema.org/draft-04/schema#' } })[0] ?? '', /2020-12 and/);
  assert.match(faults({ 'a.json': { pattern: '(a)\\1' } })[0] ?? '', /pattern: .*backreference/);
  assert.equal(faults({ 'a.json': { enum: [{ pattern: '(a)\\1', $ref: 'x.json' }] } }), []);
});

test('an invalid schema, and a reference to nothing, do not compile', () => {
  for (const schema of [{ type: 'strin' }, { $ref: '#/$defs/none' }, { minLength: -1 }]) {
    const { documents: all, uri } = documents({ 'a.json': schema }, 'a.json');
    assert.throws(() => new SchemaCompiler(all.finish(), { strict: true }).compile(uri));
  }
});

test('a skipped pattern is not checked', () => {
  const validator = validatorOf({ 'a.json': { pattern: '(a)\\1', minLength: 2 } }, 'a.json', true);
  assert.is(validator.failures('bb'), undefined);
  assert.ok(validator.failures('b'));
});

const FORMATS: readonly [format: string, valid: string[], invalid: string[]][] = [
  ['email', ['a@example.com', "o'neil+x@a-b.co"], ['a', 'a@', '@b', 'a@b..c', 'a b@c.de', 'a@-b.c']],
  ['hostname', ['example.com', 'a', 'a.b.c.'], ['-a', 'a-', 'a..b', 'a_b', 'a'.repeat(64)]],
  ['uri', ['https://example.com/a?b#c', 'urn:a:b', 'http://[::1]:80/'], ['/a', 'a', 'http://a b', 'http://a/%zz']],
  ['uri-reference', ['/a?b', '#x', '../a', 'http://a'], ['a b', '\\a', '%1']],
  ['date-time', ['2024-02-29T10:00:00Z'], ['2023-02-29T10:00:00Z', '2024-01-01', 'x']],
  ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['123']],
  ['ipv4', ['192.0.2.1'], ['256.0.0.1', '1.2.3']],
  ['ipv6', ['2001:db8::1'], ['1::2::3', 'g::']],
  ['no-such-format', ['anything'], []],
];

for (const [format, valid, invalid] of FORMATS) {
  test(`format ${format}`, () => {
    const validator = validatorOf({ 'a.json': { type: 'string', format } });
    for (const text of valid) assert.is(validator.failures(text), undefined, text);
    for (const text of invalid) assert.ok(validator.failures(text), text);
  });
}

// Hostile values: bounded work and memory.

const quick = (work: () => void, ms = 10_000): void => {
  const start = performance.now();
  work();
  assert.ok(performance.now() - start < ms, `${performance.now() - start} ms`);
};

test('a pattern that backtracks elsewhere takes linear time', () => {
  const validator = validatorOf({ 'a.json': { pattern: '^(a+)+$' } });
  quick(() => assert.ok(validator.failures(`${'a'.repeat(100_000)}!`)));
});

test('a pattern outside of the keywords of JSON Schema takes linear time, too', () => {
  const hostile = { type: 'string', pattern: '^(a+)+$' };
  const files = {
    'a.json': { components: { A: hostile, B: { $ref: '#/x/0/A' }, C: { $ref: 'b.json#/x/A' } }, x: [{ A: hostile }] },
    'b.json': { x: { A: { properties: { a: { $ref: '#/x/B' } } }, B: hostile } },
  };
  const text = `${'a'.repeat(100)}!`;
  quick(() => assert.ok(validatorOf(files, 'a.json#/components/A').failures(text)), 1000);
  quick(() => assert.ok(validatorOf(files, 'a.json#/components/B').failures(text)), 1000);
  quick(() => assert.ok(validatorOf(files, 'a.json#/components/C').failures({ a: text })), 1000);
  assert.match(
    faults({ 'a.json': { x: { A: { $ref: 'none.json' } } } }, 'a.json#/x/A')[0] ?? '',
    /`none.json` cannot be read/,
  );
  const unknown = { documents: { 'gw://a': JSON.stringify({ pattern: 'a+' }) }, patterns: {}, formats: {} };
  const set = { dialect: '2020-12', ...unknown } as const;
  assert.throws(() => new SchemaCompiler(set).compile('gw://a'), /place that gw does not know/);
  assert.throws(() => new SchemaCompiler(set, { strict: true }).compile('gw://a'), /place that gw does not know/);
});

test('multipleOf of a decimal fraction accepts its multiples', () => {
  for (const good of [19.99, 4.35, 0.07, 1.1, 1e300, 0]) assert.is(failures({ multipleOf: 0.01 }, good), undefined);
  for (const bad of [1.005, 0.001, 19.999]) assert.ok(failures({ multipleOf: 0.01 }, bad), String(bad));
});

test('id and nullable are no keywords of JSON Schema', () => {
  assert.is(failures({ id: 'x', nullable: true, minLength: 1 }, 'a'), undefined);
  assert.ok(failures({ id: 'x', nullable: true, anyOf: [{ type: 'string' }] }, null));
});

test('a number beyond the range of doubles is no number', () => {
  const huge = JSON.parse('1e999') as Json;
  for (const type of ['integer', 'number']) assert.ok(failures({ type }, huge), type);
  assert.is(failures({ type: 'integer' }, 1e300), undefined);
});

test('discriminator is no keyword of JSON Schema', () => {
  const schema = { oneOf: [{ const: 1 }, { const: 2 }], discriminator: { propertyName: 'k', mapping: { a: 'x' } } };
  assert.is(failures(schema, 1), undefined);
  assert.ok(failures(schema, 3));
});

test('formats take linear time', () => {
  for (const format of ['email', 'hostname', 'uri', 'uri-reference', 'ipv6', 'date-time', 'duration', 'byte', 'uuid']) {
    const validator = validatorOf({ 'a.json': { format } });
    for (const text of ['a', 'a.', '0', ':', 'a@a.', '%41', '::', 'P1', '/']) {
      quick(() => void validator.failures(text.repeat(20_000)));
    }
  }
});

test('many wrong items give a short list', () => {
  const validator = validatorOf({
    'a.json': { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'null' }] } },
  });
  quick(() => {
    const found = validator.failures(new Array<number>(200_000).fill(1));
    assert.ok(found!.length > 10 && found!.length <= 20);
  });
});

test('many wrong items behind a reference give a short list', () => {
  const schema = {
    type: 'array',
    items: { $ref: '#/$defs/i' },
    $defs: { i: { type: 'object', required: ['a', 'b'] } },
  };
  const validator = validatorOf({ 'a.json': schema });
  quick(() => assert.ok(validator.failures(new Array<Json>(100_000).fill({}))!.length <= 20));
});

test('uniqueItems takes linear time', () => {
  const validator = validatorOf({ 'a.json': { uniqueItems: true } });
  quick(() => assert.is(validator.failures(Array.from({ length: 50_000 }, (_, n) => ({ n }))), undefined));
  assert.equal(
    validator.failures([
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ]),
    [{ pointer: '', detail: 'must NOT have duplicate items' }],
  );
});

test('recursion that multiplies ends', () => {
  const schema = {
    $ref: '#/$defs/t',
    $defs: { t: { anyOf: [1, 2, 3].map((n) => ({ properties: { x: { $ref: '#/$defs/t' }, [`y${n}`]: false } })) } },
  };
  let value: Json = { y1: 1, y2: 1, y3: 1 };
  for (let depth = 0; depth < 40; depth++) value = { x: value, y1: 1, y2: 1, y3: 1 };
  const validator = validatorOf({ 'a.json': schema });
  quick(() => assert.ok(validator.failures(value)));
});

test('members of Object.prototype count for nothing', () => {
  const schema = { required: ['toString'], properties: { constructor: { type: 'string' } } };
  assert.equal(failures(schema, {}), ['/toString is required']);
});

test.run();
