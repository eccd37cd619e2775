import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readJson } from '../../../src/policies/kits/json.js';

const read = (text: string | Uint8Array, maxDepth?: number) =>
  readJson(typeof text === 'string' ? Buffer.from(text) : text, maxDepth);

const VALID = [
  'null',
  ' 1.5e3 ',
  '"a\\"b:{}[]\\\\"',
  '[]',
  '{"a":{"b":[1,2,{"c":"}"}]},"d":"x:y","":1}',
  '{"a":1,"A":2,"constructor":3,"toString":4}',
  '"\\ud83d\\ude00"',
  '{"\\"":1,"\\\\":2}',
];

for (const text of VALID) {
  test(`valid: ${text}`, () => {
    assert.equal(read(text), { value: JSON.parse(text) });
  });
}

const REFUSED: readonly [what: string, text: string | Uint8Array, kind: string, detail: RegExp][] = [
  ['an empty text', '', 'syntax', /empty/],
  ['a cut object', '{"a":', 'syntax', /too early/],
  ['a trailing comma', '{"a":1,\n}', 'syntax', /not valid/],
  ['single quotes', "{'a':1}", 'syntax', /not valid/],
  ['two values', '1 2', 'syntax', /not valid/],
  ['NaN', '[NaN]', 'syntax', /not valid/],
  ['a byte order mark', '\ufeff{}', 'syntax', /byte order mark/],
  ['a control byte in a string', '"a\u0001"', 'syntax', /not valid/],
  ['bytes that are not UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'encoding', /UTF-8/],
  ['an overlong encoding', Uint8Array.of(0x22, 0xc0, 0xaf, 0x22), 'encoding', /UTF-8/],
  ['a surrogate in UTF-8', Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22), 'encoding', /UTF-8/],
  ['UTF-16', Buffer.from('{}', 'utf16le'), 'syntax', /not valid/],
  ['equal names', '{"a":1,"b":{},"a":2}', 'duplicate', /`a` twice/],
  ['equal names, one escaped', '{"a":1,"\\u0061":2}', 'duplicate', /`a` twice/],
  ['equal names deep inside', '[{"x":[{"k":{},"k" :[]}]}]', 'duplicate', /`k` twice/],
  ['__proto__', '{"__proto__":{"admin":true}}', 'name', /__proto__/],
  ['__proto__ with an escape', '{"a":[{"\\u005f_proto__":1}]}', 'name', /__proto__/],
  ['an unpaired surrogate', '["\\ud800"]', 'surrogate', /surrogate/],
  ['an unpaired surrogate in a name', '{"\\udc00x":1}', 'surrogate', /surrogate/],
];

for (const [what, text, kind, detail] of REFUSED) {
  test(`refused: ${what}`, () => {
    const { fault } = read(text);
    assert.is(fault?.kind, kind);
    assert.match(fault?.detail ?? '', detail);
  });
}

test('nesting is bounded', () => {
  assert.equal(read('[[[]]]', 3), { value: [[[]]] });
  assert.is(read('[[[]]]', 2).fault?.kind, 'depth');
  assert.is(read('{"a":{"b":{}}}', 2).fault?.kind, 'depth');
  assert.is(read('"[[[[["', 2).fault, undefined);
});

test('10 MB of [ are refused with bounded work', () => {
  const start = performance.now();
  assert.is(read(Buffer.alloc(10_000_000, '[')).fault?.kind, 'depth');
  assert.ok(performance.now() - start < 500);
});

test('a refused name is shortened in the message', () => {
  const name = 'x'.repeat(10_000);
  const detail = read(`{"${name}":1,"${name}":2}`).fault?.detail ?? '';
  assert.match(detail, /x\.\.\./);
  assert.ok(detail.length < 200);
});

test('a duplicate at the end of a large document is found', () => {
  const members = Array.from({ length: 50_000 }, (_, index) => `"k${index}":${index}`).join(',');
  assert.match(read(`{${members},"k7":1}`).fault?.detail ?? '', /`k7` twice/);
});

test('integers beyond 2^53 are read as the nearest double', () => {
  assert.equal(read('9007199254740993'), { value: 9007199254740992 });
});

test.run();
