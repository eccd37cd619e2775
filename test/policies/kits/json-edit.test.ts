import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileJsonEdit, type JsonEditSpec, parsePath } from '../../../src/policies/kits/json-edit/index.js';
import { type JsonValue, readJsonText, writeJsonText } from '../../../src/policies/kits/json-text/index.js';

function parsed(text: string): JsonValue {
  const { value, fault } = readJsonText(Buffer.from(text));
  if (fault !== undefined) throw new Error(fault.detail);
  return value;
}

function apply(spec: JsonEditSpec<JsonValue>, value: JsonValue): JsonValue {
  const { edit, errors } = compileJsonEdit(spec);
  assert.equal(errors, []);
  return edit!.apply(value, (source) => source);
}

/** Objects and arrays within are frozen, so that a change to them throws. */
function frozen(value: JsonValue): JsonValue {
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) frozen(item as JsonValue);
    Object.freeze(value);
  }
  return value;
}

const VALUE = `{"id":12345678901234567890,"user":{"name":"Ada","address":{"city":"Turin","zip":"10121"},"password":"x"},
  "items":[{"sku":"a","price":1,"cost":5},{"sku":"b","price":2},"odd"],"tags":["x","y","z"],"none":null,
  "__proto__":{"admin":true}}`;

const CASES: readonly [spec: JsonEditSpec<JsonValue>, part: string, result: string | undefined][] = [
  [{ pick: ['id', 'user.address.city'] }, '', '{"id":12345678901234567890,"user":{"address":{"city":"Turin"}}}'],
  [{ pick: ['items[*].price'] }, '', '{"items":[{"price":1},{"price":2}]}'],
  [{ pick: ['items[*].price', 'items[*].sku'] }, 'items', '[{"price":1,"sku":"a"},{"price":2,"sku":"b"}]'],
  [{ pick: ['items[-1]', 'items[0].sku'] }, 'items', '[{"sku":"a"},"odd"]'],
  [{ pick: ['items', 'items[*].sku'] }, 'items[1]', '{"sku":"b","price":2}'],
  [{ pick: ['items[*].sku', 'items'] }, 'items[1]', '{"sku":"b","price":2}'],
  [{ pick: ['tags[1]', 'tags[9]', 'tags.x', 'id.x', 'nothing'] }, '', '{"tags":["y"]}'],
  [{ pick: ['user.*'] }, 'user.password', '"x"'],
  [{ pick: ['user.*.city'] }, 'user', '{"address":{"city":"Turin"}}'],
  [{ pick: ['__proto__'] }, '', '{"__proto__":{"admin":true}}'],
  [{ pick: [] }, '', '{}'],
  [
    { omit: ['user.password', 'items[*].cost', 'nothing.x', 'id.x'] },
    'user',
    '{"name":"Ada","address":{"city":"Turin","zip":"10121"}}',
  ],
  [{ omit: ['items[*].cost'] }, 'items', '[{"sku":"a","price":1},{"sku":"b","price":2},"odd"]'],
  [{ omit: ['tags[0]', 'tags[1]'] }, 'tags', '["z"]'],
  [{ omit: ['tags[0]', 'tags[-1]', 'tags[7]'] }, 'tags', '["y"]'],
  [{ omit: ['items[0]', 'items[*].price'] }, 'items', '[{"sku":"b"},"odd"]'],
  [{ omit: ['tags[*]'] }, 'tags', '[]'],
  [{ omit: ['user.*'] }, 'user', '{}'],
  [{ omit: ['__proto__'] }, '__proto__', undefined],
  [
    { rename: { 'user.name': 'fullName' } },
    'user',
    '{"fullName":"Ada","address":{"city":"Turin","zip":"10121"},"password":"x"}',
  ],
  [{ rename: { 'items[*].sku': 'price' } }, 'items', '[{"price":"a","cost":5},{"price":"b"},"odd"]'],
  [{ rename: { id: '__proto__' } }, '__proto__', '12345678901234567890'],
  [{ rename: { id: 'id', nothing: 'x' } }, 'id', '12345678901234567890'],
  [{ set: { 'meta.source.name': 'gw', 'user.name': null } }, 'meta', '{"source":{"name":"gw"}}'],
  [{ set: { 'items[*].price': 9 } }, 'items', '[{"sku":"a","price":9,"cost":5},{"sku":"b","price":9},"odd"]'],
  [{ set: { 'tags[1]': 'Y', 'tags[3]': 'W', 'tags[-1]': 'Z' } }, 'tags', '["x","Y","Z"]'],
  [{ set: { 'none.x': 1 } }, 'none', '{"x":1}'],
  [{ set: { 'user.name.first': 'A', 'new[0]': 1, 'id.x': 1 } }, '', VALUE.replace(/\n\s*/g, '')],
  [{ set: { '__proto__.admin': false } }, '__proto__', '{"admin":false}'],
  [{ set: { 'user.*': '***' } }, 'user', '{"name":"***","address":"***","password":"***"}'],
  [{ set: { '"a.b"."c\\"d"': 1 } }, '"a.b"', '{"c\\"d":1}'],
  [
    { pick: ['user.name', 'tags'], omit: ['tags[0]'], rename: { 'user.name': 'n' }, set: { 'user.n': 'B' } },
    '',
    '{"user":{"n":"B"},"tags":["y","z"]}',
  ],
];

/** The part at a path of names and numbers. */
function partOf(value: JsonValue, path: string): JsonValue | undefined {
  if (path === '') return value;
  let at: JsonValue | undefined = value;
  const steps = parsePath(path);
  if ('error' in steps) throw new Error(steps.error);
  for (const step of steps) {
    const table = at as { [key: string]: JsonValue };
    at = Object.hasOwn(table, step as string) ? table[step as string] : undefined;
  }
  return at;
}

for (const [spec, path, result] of CASES) {
  test(`${JSON.stringify(spec)} ${path}`, () => {
    const value = frozen(parsed(VALUE));
    const part = partOf(apply(spec, value), path);
    assert.is(part === undefined ? undefined : writeJsonText(part), result);
    assert.is(writeJsonText(value), VALUE.replace(/\n\s*/g, ''));
  });
}

test('what no path touches is shared, and a value without changes is returned itself', () => {
  const value = parsed(VALUE) as { [key: string]: JsonValue };
  const changed = apply({ omit: ['user.password'] }, value) as { [key: string]: JsonValue };
  assert.is(changed.items, value.items);
  assert.not(changed.user === value.user);
  assert.is(apply({ omit: ['x'], rename: { y: 'z' }, set: { 'id.x': 1 } }, value), value);
});

test('one object in two places is picked for each place alone', () => {
  const shared = { a: 1, b: 2 };
  assert.equal(apply({ pick: ['x.a', 'y.b'] }, { x: shared, y: shared }), { x: { a: 1 }, y: { b: 2 } });
});

test('a value that is neither object nor array', () => {
  assert.is(apply({ pick: ['a'] }, 'secret'), null);
  assert.is(apply({ omit: ['a'] }, 'text'), 'text');
  assert.equal(apply({ set: { a: 1 } }, null), { a: 1 });
  assert.is(apply({ set: { a: 1 } }, 5), 5);
  assert.equal(apply({ pick: ['[*].id'] }, [{ id: 1, x: 2 }, 3]), [{ id: 1 }]);
});

test('values of set are resolved for each value; undefined sets nothing', () => {
  const { edit } = compileJsonEdit<string>({ set: { a: 'one', b: 'two' } });
  assert.equal(
    edit!.apply({}, (source) => (source === 'one' ? 1 : undefined)),
    { a: 1 },
  );
});

const WRONG: readonly [path: string, at: string][] = [
  ['', ''],
  ['.a', '.a'],
  ['a.', '.'],
  ['a..b', '..b'],
  ['a b', ' b'],
  ['a[', '['],
  ['a[x]', '[x]'],
  ['a.[0]', '.[0]'],
  ['a[0]b', 'b'],
  ['a"b"', '"b"'],
  ['"a\\x"', '"a\\x"'],
  ['a[12345678901]', '[12345678901]'],
];

for (const [path, at] of WRONG) {
  test(`wrong path: ${path}`, () => {
    const { edit, errors } = compileJsonEdit({ pick: ['fine'], omit: ['fine', path] });
    assert.is(edit, undefined);
    const [error] = errors;
    assert.is(errors.length, 1);
    assert.equal([error!.form, error!.index, error!.path], ['omit', 1, path]);
    assert.is(path.slice(error!.start, error!.end), at);
  });
}

test('a renamed path ends in a name, and paths are bounded', () => {
  for (const path of ['a[0]', 'a.*', '[*]'])
    assert.is(compileJsonEdit({ rename: { [path]: 'x' } }).errors.length, 1, path);
  assert.match(compileJsonEdit({ omit: [`a${'.a'.repeat(64)}`] }).errors[0]!.error, /64 steps/);
});

test('members of one object are renamed at once, so that swapped names keep their values', () => {
  const { edit } = compileJsonEdit({ rename: { 'x.a': 'b', 'x.b': 'c', 'x.c': 'a', x: 'y' } });
  const changed = edit!.apply({ x: { a: 1, b: 2, c: 3, d: 4 } }, () => undefined);
  assert.is(JSON.stringify(changed), '{"y":{"b":1,"c":2,"a":3,"d":4}}');
});

test.run();
