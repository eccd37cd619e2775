import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  isLongNumber,
  type JsonTextLimits,
  type JsonValue,
  LongNumber,
  readJsonText,
  writeJsonText,
} from '../../../src/policies/kits/json-text/index.js';

const read = (text: string | Uint8Array, limits?: Partial<JsonTextLimits>) =>
  readJsonText(typeof text === 'string' ? Buffer.from(text) : text, limits);

function parsed(text: string): JsonValue {
  const { fault, value } = read(text);
  assert.is(fault, undefined);
  return value!;
}

const SAME_TEXT = [
  '9007199254740993',
  '-9007199254740993',
  '9007199254740992',
  '1000000000000000000000000',
  '18446744073709551615',
  '{"id":9223372036854775807,"list":[1,12345678901234567890,"9007199254740993"]}',
  '0.1234567890123456789',
  '123456789012345678.5',
  '1e400',
  '-1E+400',
  '1.5e-400',
  '5e-324',
  '{"a\\"b":12345678901234567890,"c":"x\\ny\\\\","d":"\\u0001"}',
  '[true,false,null,"",{},[],12345678901234567890]',
  '{"__proto__":{"n":12345678901234567890}}',
];

for (const text of SAME_TEXT) {
  test(`written as it was read: ${text}`, () => {
    assert.is(writeJsonText(parsed(text)), text);
  });
}

test('numbers that a double holds stay numbers', () => {
  for (const text of ['9007199254740991', '-9007199254740991', '1e21', '1e3', '0.1', '123456789.123456', '0', '100e-2'])
    assert.is(parsed(text), Number(text), text);
  assert.equal(read('[1e3]'), { value: [1000], long: false });
});

test('the sign of a long number and its kind', () => {
  const value = parsed('-12345678901234567890');
  assert.ok(isLongNumber(value));
  assert.is(value.isInteger, true);
  assert.is(`${value}`, '-12345678901234567890');
  assert.is(value.toNumber(), Number('-12345678901234567890'));
  assert.is((parsed('0.1234567890123456789') as LongNumber).isInteger, false);
});

test('digits in strings do not matter', () => {
  assert.equal(read('{"12345678901234567890":"12345678901234567890"}'), {
    value: { '12345678901234567890': '12345678901234567890' },
    long: false,
  });
});

test('__proto__ and constructor are names like others', () => {
  for (const more of ['', ',"n":12345678901234567890']) {
    const value = parsed(`{"__proto__":{"admin":true},"constructor":1${more}}`) as { [key: string]: JsonValue };
    assert.is(Object.getPrototypeOf(value), Object.prototype);
    assert.is(value.admin, undefined);
    assert.ok(Object.hasOwn(value, '__proto__'));
    assert.is(writeJsonText(value), `{"__proto__":{"admin":true},"constructor":1${more}}`);
  }
});

const REFUSED: readonly [text: string | Uint8Array, kind: string][] = [
  ['', 'syntax'],
  ['{"a":1', 'syntax'],
  ['[12345678901234567890', 'syntax'],
  ['[12345678901234567890,]', 'syntax'],
  ['012345678901234567890', 'syntax'],
  ['12345678901234567890.', 'syntax'],
  ['\ufeff{}', 'syntax'],
  [Uint8Array.of(0x22, 0xff, 0x22), 'encoding'],
  ['{"a":12345678901234567890,"a":2}', 'duplicate'],
  ['{"__proto__":1,"__proto__":2}', 'duplicate'],
  ['{"a":1,"\\u0061":2}', 'duplicate'],
  ['"\\ud800"', 'surrogate'],
  ['{"\\udc00":1}', 'surrogate'],
  ['['.repeat(65) + ']'.repeat(65), 'depth'],
  ['['.repeat(1_000_000), 'depth'],
];

for (const [text, kind] of REFUSED) {
  test(`refused as ${kind}: ${String(text).slice(0, 40)}`, () => {
    assert.is(read(text).fault?.kind, kind);
  });
}

test('size and number of values are bounded', () => {
  assert.is(read('[1,2,3]', { bytes: 6 }).fault?.kind, 'size');
  assert.is(read('[1,2,3]', { bytes: 7 }).fault, undefined);
  assert.is(read('[1,2,3]', { values: 2 }).fault?.kind, 'size');
  assert.is(read('{"a":[],"b":{}}', { values: 2 }).fault?.kind, 'size');
  assert.is(read('[[1]]', { depth: 1 }).fault?.kind, 'depth');
});

/** Seeded, so that a failure repeats. */
function randomValue(random: () => number, depth: number): JsonValue {
  const kind = Math.floor(random() * (depth > 4 ? 5 : 7));
  if (kind === 0) return new LongNumber(`${random() < 0.5 ? '-' : ''}9${String(random()).slice(2)}12345678901`);
  if (kind === 1) return random() < 0.5;
  if (kind === 2) return Math.floor((random() - 0.5) * 2 ** 40) / 1024;
  if (kind === 3) return null;
  if (kind === 4) return `${'\\"\n/é😀\u0001'.slice(0, Math.floor(random() * 8))}`.replace(/\p{Cs}/gu, '');
  const size = Math.floor(random() * 5);
  if (kind === 5) return Array.from({ length: size }, () => randomValue(random, depth + 1));
  return Object.fromEntries(
    Array.from({ length: size }, (_, at) => [at === 0 ? '__proto__' : `k"${at}`, randomValue(random, depth + 1)]),
  );
}

test('what is written is read back as the same value', () => {
  let state = 7;
  const random = (): number => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
  for (let round = 0; round < 500; round++) {
    const text = writeJsonText(randomValue(random, 0));
    assert.is(writeJsonText(parsed(text)), text);
    assert.is(writeJsonText(parsed(` ${text.replaceAll(',', ' ,\n')} `)).length > 0, true);
  }
});

test.run();
