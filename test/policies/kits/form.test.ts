import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type FormLimits, readForm, writeForm } from '../../../src/policies/kits/form/index.js';
import { type JsonValue, LongNumber } from '../../../src/policies/kits/json-text/index.js';

const read = (text: string | Uint8Array, limits?: Partial<FormLimits>) =>
  readForm(typeof text === 'string' ? Buffer.from(text) : text, limits);

const READ: readonly [text: string, json: string][] = [
  ['', '{}'],
  ['a=1&b=two', '{"a":"1","b":"two"}'],
  ['a=1&b=2&a=3&a=', '{"a":["1","3",""],"b":"2"}'],
  ['a&=b&&c=d=e&', '{"a":"","":"b","c":"d=e"}'],
  ['a+b=%2B+%C3%A9%26%3D&%c3%a9=x', '{"a b":"+ é&=","é":"x"}'],
  ['a[]=1&a.b=2&__proto__=x', '{"a[]":"1","a.b":"2","__proto__":"x"}'],
];

for (const [text, json] of READ) {
  test(`reads ${text}`, () => {
    assert.is(JSON.stringify(read(text).value), json);
  });
}

test('what is not clear is refused', () => {
  for (const text of ['a=%', 'a=%2', 'a=%zz', '%=1', 'a=%c3', 'a=%ff', 'a=%ed%a0%80'])
    assert.is(read(text).fault?.kind, 'syntax', text);
  assert.is(read(Uint8Array.of(0x61, 0x3d, 0xff)).fault?.kind, 'encoding');
});

test('bytes and pairs are bounded', () => {
  assert.is(read('a=1', { bytes: 2 }).fault?.kind, 'size');
  assert.is(read('a=1&a=2&a=3', { pairs: 2 }).fault?.kind, 'size');
  assert.is(read('a=1&a=2', { pairs: 2 }).fault, undefined);
});

const text = (value: JsonValue): string => {
  const written = writeForm(value);
  return 'text' in written ? written.text : written.error;
};

test('writes members in their order', () => {
  assert.is(
    text({ b: 'x y', a: ['1', 2, true, null], n: new LongNumber('12345678901234567890'), 'é&': "~'()!*-._+" }),
    'b=x+y&a=1&a=2&a=true&a=&n=12345678901234567890&%C3%A9%26=%7E%27%28%29%21*-._%2B',
  );
  assert.is(text({ a: '\ud800' }), 'a=%EF%BF%BD');
  assert.is(text({ a: [] }), '');
});

test('what is no form is an error', () => {
  for (const value of [null, 'a', [], 1, new LongNumber('1')]) assert.match(text(value), /Only an object/);
  for (const value of [{ a: {} }, { a: [[]] }, { a: [{}] }]) assert.match(text(value), /The member `a`/);
});

test('what is written is read as the same value', () => {
  const values = [{}, { a: '1' }, { '': '', 'x y': ['', '%', '&=+', 'é😀\n'], __proto: 'z' }];
  for (const value of values) assert.equal(read(text(value)).value, value);
});

test('pairs without a value do not search the rest of the form', () => {
  const bytes = Buffer.from(`${'a&'.repeat(20_000)}${'x'.repeat(10 << 20)}`);
  const began = performance.now();
  assert.is(readForm(bytes, { bytes: 20 << 20, pairs: 30_000 }).fault, undefined);
  assert.ok(performance.now() - began < 5000);
});

test.run();
