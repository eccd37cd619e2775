/** Structured fields: what RFC 9651 allows, what it refuses, and what gw refuses besides. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bytesOf,
  canonical,
  DisplayString,
  readDictionary,
  readItem,
  readList,
  Token,
} from '../../../src/policies/kits/structured-fields.js';

test('dictionaries, lists and items are read and written in canonical form', () => {
  const written = canonical('a=1 ,  b;x;y=2,c=(a   "b" :AQI=:);q=0.5, d=?1');
  assert.is(written, 'a=1, b;x;y=2, c=(a "b" :AQI=:);q=0.5, d');
  assert.is(readList('1, (2 3);a, t')!.length, 3);
  assert.equal(readItem('"a\\"b"')![0], 'a"b');
  assert.instance(readItem('*t/x')![0], Token);
  assert.equal([...bytesOf(readItem(':AQID:')![0])!], [1, 2, 3]);
  assert.is(bytesOf(readItem('1')![0]), undefined);
});

test('dates and display strings', () => {
  assert.equal(readItem('@1659578233')![0], new Date(1_659_578_233_000));
  const [shown] = readItem('%"f%c3%bc"')!;
  assert.instance(shown, DisplayString);
  assert.is(String(shown), 'fü');
  for (const text of ['@1.5', '@1e3', '%"f%C3%BC"', '%"%ff"', "%'a'"]) assert.is(readItem(text), undefined, text);
});

test('malformed fields are refused', () => {
  for (const text of ['a=1,', 'a b', 'A=1', 'a="é"', 'a="\u0000"', 'a=:*:', 'a=(1', 'a=1\n', 'a=1000000000000000'])
    assert.is(readDictionary(text), undefined, text);
  assert.is(readDictionary(`a=${'"'.padEnd(70_000, 'x')}"`), undefined, 'too long');
  assert.is(readDictionary(Array.from({ length: 1100 }, (_, at) => `k${at}`).join()), undefined, 'too many members');
});

test('a name twice in a dictionary is refused, commas within members do not count', () => {
  assert.is(readDictionary('a=1, b=2, a=3'), undefined);
  assert.is(readDictionary('a=1, a'), undefined);
  assert.is(readDictionary('a="x,y\\",", b=(1 "2,3");c=",", d=%"%22,"')?.size, 3);
  assert.is(readDictionary('')?.size, 0);
});

test('a field of unknown kind in canonical form', () => {
  assert.is(canonical('  a=1,    b=2;x=1;y=2,   c=(a   b   c)'), 'a=1, b=2;x=1;y=2, c=(a b c)');
  assert.is(canonical('a;  q=1,b'), 'a;q=1, b');
  assert.is(canonical('?1'), '?1');
  assert.is(canonical('text/html; charset="x'), undefined);
});

test('decimals without a fraction stay decimals, and control characters of display strings have two digits', () => {
  for (const [text, written] of [
    ['a;q=1.0', 'a;q=1.0'],
    ['1.000', '1.0'],
    ['-0.0', '0.0'],
    ['a,b;q=1.0,  "c 1.0"', 'a, b;q=1.0, "c 1.0"'],
    ['a=1,b=1.00;x=1;y=2.0,c=(1 1.0 2.50);z=-3.0', 'a=1, b=1.0;x=1;y=2.0, c=(1 1.0 2.5);z=-3.0'],
    ['"\\"1.0", t/1.0, :AA==:, 4.0', '"\\"1.0", t/1.0, :AA==:, 4.0'],
    ['%"1.0\\", 2.0', '%"1.0\\", 2.0'],
    ['%"a%0a%25%c3%bc"', '%"a%0a%25%c3%bc"'],
    ['?0, 01.0, @1', '?0, 1.0, @1'],
  ] as const)
    assert.is(canonical(text), written, text);
  assert.is(canonical('a;q=1.0;q=2.0'), undefined, 'which one counts');
  assert.equal(
    [...readDictionary('a=1.5, b=2')!.values()].map(([value]) => value),
    [1.5, 2],
  );
  assert.is(canonical('a=1.0'), 'a=1.0');
});

test.run();
