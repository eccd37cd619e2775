import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { INVALID, type Schema, s } from '../../src/schema/declare.js';
import { Decoder } from '../../src/schema/decoder.js';
import { hasErrors, sortDiagnostics } from '../../src/schema/diagnostic.js';
import { suggest } from '../../src/schema/suggest.js';
import { kindName } from '../../src/schema/tree.js';
import { nextSpan, type Plain, tree } from './trees.js';

function decode<T>(schema: Schema<T>, value: Plain): { value: T | undefined; codes: string[]; decoder: Decoder } {
  const node = tree(value);
  const decoder = new Decoder(node);
  const found = schema.decode(node, decoder);
  const codes = decoder.diagnostics.map(({ code }) => code);
  return { value: found === INVALID ? undefined : found, codes, decoder };
}

test('scalars decode, and errors name the expected value', () => {
  const cases: readonly (readonly [Schema<unknown>, Plain, unknown, string])[] = [
    [s.string(), 'a', 'a', ''],
    [s.string(), 1, undefined, 'schema/type'],
    [s.string({ nonEmpty: true }), '', undefined, 'schema/empty'],
    [s.string({ pattern: /^a/ }), 'b', undefined, 'schema/format'],
    [s.string(), 'x${env:A}', undefined, 'reference/not-allowed'],
    [s.reference('text'), 'x${env:A}', { $ref: 'x${env:A}' }, ''],
    [s.reference('text'), 'x', 'x', ''],
    [s.reference('text'), 1, undefined, 'schema/type'],
    [s.reference('text'), '${env:}', undefined, 'reference/syntax'],
    [s.reference('text'), '${vault:a}', undefined, 'reference/syntax'],
    [s.reference('text', () => 'no'), 'x', undefined, 'schema/format'],
    [s.boolean(), true, true, ''],
    [s.boolean(), 'true', undefined, 'schema/type'],
    [s.integer({ min: 1, max: 3 }), 3, 3, ''],
    [s.integer({ min: 1, max: 3 }), 4, undefined, 'schema/range'],
    [s.integer(), 1.5, undefined, 'schema/type'],
    [s.duration(), '5s', 5000, ''],
    [s.duration(), 5, undefined, 'schema/type'],
    [s.duration(), '5x', undefined, 'schema/unit'],
    [s.size(), '1KiB', 1024, ''],
    [s.rate(), '5/s', { capacity: 5, periodMs: 1000 }, ''],
    [s.enum('a', 'b'), 'a', 'a', ''],
    [s.enum('a', 'b'), 1, undefined, 'schema/type'],
    [s.enum('strict', 'ignore'), 'strct', undefined, 'schema/value'],
    [s.array(s.integer()), [1, 2], [1, 2], ''],
    [s.array(s.integer()), 1, undefined, 'schema/type'],
    [s.array(s.integer(), { min: 1 }), [], undefined, 'schema/empty'],
    [s.array(s.integer()), ['a'], undefined, 'schema/type'],
    [s.map(s.integer()), 1, undefined, 'schema/type'],
    [s.map(s.integer(), () => 'bad key'), { a: 1 }, undefined, 'schema/key'],
    [s.map(s.integer()), { a: 'x' }, undefined, 'schema/type'],
    [s.object({ a: s.integer() }), 1, undefined, 'schema/type'],
    [s.object({ a: s.integer() }), {}, undefined, 'schema/missing'],
    [s.integer().check('x/odd', (n) => (n % 2 ? 'odd' : undefined)), 2, 2, ''],
    [s.integer().check('x/odd', (n) => (n % 2 ? 'odd' : undefined)), 3, undefined, 'x/odd'],
    [s.integer().check('x/odd', () => undefined), 'a', undefined, 'schema/type'],
    [s.mapped(s.integer(), (n) => n * 2), 2, 4, ''],
    [s.mapped(s.integer(), (n) => n * 2), 'a', undefined, 'schema/type'],
  ];
  for (const [schema, value, expected, code] of cases) {
    const found = decode(schema, value);
    assert.equal(found.value, expected, JSON.stringify(value));
    assert.equal(found.codes.join(), code, JSON.stringify(value));
  }
});

test('an invalid secret is marked and not repeated in the message', () => {
  const { decoder } = decode(
    s.reference('a hash', () => 'Not a hash.', { sensitive: true }),
    'hunter2',
  );
  assert.is(decoder.diagnostics[0]?.sensitive, true);
  assert.not.match(decoder.diagnostics[0]?.message ?? '', /hunter2/);
});

test('a list that is too short is told what it has', () => {
  const message = (min: number, value: number[]) =>
    decode(s.array(s.integer(), { min }), value).decoder.diagnostics[0]?.message;
  assert.is(message(1, []), 'Expected at least 1 item, found none.');
  assert.is(message(2, [1]), 'Expected at least 2 items, found 1.');
});

test('every error in a table is reported', () => {
  const shape = s.object({ a: s.integer(), b: s.string(), c: s.object({ d: s.boolean() }) });
  const { codes } = decode(shape, { a: 'x', c: { d: 1, e: 2 }, zz: 1 });
  assert.equal(codes.sort(), [
    'schema/missing',
    'schema/type',
    'schema/type',
    'schema/unknown-key',
    'schema/unknown-key',
  ]);
});

test('decodePartial keeps valid fields', () => {
  const shape = s.object({ a: s.integer(), b: s.string() });
  const node = tree({ a: 1, b: 2 });
  const decoder = new Decoder(node);
  assert.ok(node.kind === 'table');
  if (node.kind !== 'table') return;
  assert.equal(shape.decodePartial(node, decoder), { values: { a: 1 }, valid: false });
});

test('an unknown key similar to a known one has a safe fix at every place where it is written', () => {
  const node = tree({ timout: '5s' });
  if (node.kind !== 'table') return;
  const entry = node.entries.get('timout')!;
  const second = nextSpan();
  const entries = new Map([['timout', { ...entry, keySpans: [entry.keySpan, second] }]]);
  const decoder = new Decoder(node);
  s.object({ timeout: s.duration().default(1) }).decode({ ...node, entries }, decoder);
  assert.equal(decoder.diagnostics[0]?.fix?.edits, [
    { span: entry.keySpan, text: 'timeout' },
    { span: second, text: 'timeout' },
  ]);
  assert.is(decoder.diagnostics[0]?.help, 'Did you mean `timeout`?');
});

test('a key that is already set is not suggested', () => {
  const { decoder } = decode(s.object({ timeout: s.string() }), { timeout: '5s', timout: '5s' });
  assert.is(decoder.diagnostics[0]?.fix, undefined);
});

test('a key named __proto__ is an ordinary key', () => {
  const node = tree(JSON.parse('{"__proto__": 1, "a": 2}') as Plain);
  const decoder = new Decoder(node);
  const value = s.map(s.integer()).decode(node, decoder);
  assert.equal(Object.keys(value as object), ['__proto__', 'a']);
});

test('origins: written values have their own span, defaults that of their table', () => {
  const shape = s.object({
    a: s.array(s.integer()),
    b: s.integer().default(3),
    c: s.object({ d: s.integer() }).optional(),
  });
  const { decoder, value } = decode(shape, { a: [7, 8] });
  assert.equal(value, { a: [7, 8], b: 3, c: undefined });
  assert.is(decoder.originOf('a', 1).from, 'spec');
  assert.is(decoder.originOf('b').from, 'default');
  assert.equal(decoder.spanOf('b'), decoder.spanOf());
  assert.equal(decoder.spanOf('nobody', 'wrote'), decoder.spanOf());
  assert.not.equal(decoder.keySpanOf('a'), decoder.spanOf('a'));
  assert.equal(decoder.keySpanOf('a', 0), decoder.spanOf('a', 0));
  assert.equal(
    [...decoder.entries()].map(([path]) => path.join('.')),
    ['a', 'a.0', 'a.1', 'b', 'c'],
  );
  assert.equal(decoder.path, []);
});

test('origins of large values are found like those of small ones', () => {
  const { decoder } = decode(
    s.array(s.integer()),
    Array.from({ length: 100 }, (_, index) => index),
  );
  const starts = Array.from({ length: 100 }, (_, index) => decoder.spanOf(index).start.offset);
  assert.is(new Set(starts).size, 100);
  assert.equal(decoder.spanOf(5, 'below'), decoder.spanOf(5));
  assert.equal(decoder.spanOf(100), decoder.spanOf());
});

test('either chooses the form by the type of the value', () => {
  const either = s.either<number>(
    { kinds: ['integer'], schema: s.integer() },
    { kinds: ['string'], schema: s.mapped(s.string(), (text) => text.length) },
  );
  assert.is(decode(either, 4).value, 4);
  assert.is(decode(either, 'abc').value, 3);
  assert.equal(decode(either, true).codes, ['schema/type']);
  assert.match(either.expected, / or /);
});

test('the JSON Schema agrees with decoding', () => {
  const shape = s.object({
    a: s.integer({ min: 1, max: 2 }).describe('An A.', 1),
    b: s.duration().default(5000),
    c: s.enum('x', 'y').optional(),
    d: s.map(s.boolean()).default({}),
    e: s.array(s.string({ nonEmpty: true }), { min: 1 }).optional(),
    f: s.either<string>({ kinds: ['string'], schema: s.string({ pattern: /^a$/ }) }).optional(),
    g: s.mapped(s.string(), (text) => text.length).default(3),
    h: s
      .integer()
      .check('x/y', () => undefined)
      .default(1),
    i: s.reference('text').optional(),
    j: s.boolean().optional(),
  });
  assert.equal(shape.jsonSchema(), {
    type: 'object',
    properties: {
      a: { type: 'integer', minimum: 1, maximum: 2, description: 'An A.', examples: [1] },
      b: { type: 'string', pattern: '^\\d+(\\.\\d+)?(ms|s|min|m|h|d)$', default: '5s' },
      c: { enum: ['x', 'y'] },
      d: { type: 'object', additionalProperties: { type: 'boolean' }, default: {} },
      e: { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1 },
      f: { anyOf: [{ type: 'string', pattern: '^a$' }] },
      g: { type: 'string' },
      h: { type: 'integer', minimum: 0, default: 1 },
      i: { type: 'string' },
      j: { type: 'boolean' },
    },
    required: ['a'],
    additionalProperties: false,
  });
});

test('wrappers keep the documentation of the inner schema', () => {
  assert.is(s.integer({ min: 1, max: 1 }).expected, 'the integer 1');
  assert.is(s.integer({ min: 2 }).default(3).expected, 'an integer of at least 2');
  assert.is(s.integer({ min: 2, max: 4 }).check('x/y', () => undefined).expected, 'an integer from 2 to 4');
  assert.equal(
    s
      .integer()
      .default(3)
      .check('x/y', () => undefined)
      .absent(),
    { value: 3 },
  );
  assert.is(s.mapped(s.boolean(), String).expected, '`true` or `false`');
  assert.is(s.duration().default(5000).written(5000), '5s');
  assert.is(
    s
      .duration()
      .check('x/y', () => undefined)
      .written(5000),
    '5s',
  );
});

test('only similar words are suggested', () => {
  assert.is(suggest('polte', ['polite', 'keys']), 'polite');
  assert.is(suggest('rotue', ['route', 'group']), 'route');
  assert.is(suggest('ROUTE', ['route']), 'route');
  assert.is(suggest('zzz', ['route', 'group']), undefined);
  assert.is(suggest('a', []), undefined);
});

test('diagnostics are ordered by file, offset, code and message', () => {
  const at = (file: string, offset: number) => ({
    file,
    start: { offset, line: 1, column: 1 },
    end: { offset, line: 1, column: 1 },
  });
  const make = (file: string, offset: number, code: string, message = '') => ({
    code,
    severity: 'warning' as const,
    span: at(file, offset),
    message,
  });
  const sorted = [
    make('a', 1, 'x'),
    make('a', 2, 'a', 'm'),
    make('a', 2, 'a', 'n'),
    make('a', 2, 'b'),
    make('b', 0, 'a'),
  ];
  assert.equal(sortDiagnostics([...sorted].reverse()), sorted);
  assert.not(hasErrors(sorted));
  assert.ok(hasErrors([{ ...make('a', 1, 'x'), severity: 'error' }]));
});

test('kinds are named with an article', () => {
  assert.is(kindName(tree([])), 'an array');
  assert.is(kindName(tree(1)), 'an integer');
  assert.is(kindName(tree({})), 'a table');
});

test.run();
