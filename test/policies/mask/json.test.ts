/** Masks JSON in its text. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type FormSettings, formOf } from '../../../src/policies/mask/forms.js';
import { JsonMask } from '../../../src/policies/mask/json.js';
import type { Kind } from '../../../src/policies/mask/kinds.js';
import { readPath } from '../../../src/policies/mask/paths.js';
import { textRule } from '../../../src/policies/mask/texts.js';

interface RuleText {
  readonly form?: FormSettings;
  readonly find?: readonly Kind[];
}

const STARS: FormSettings = { kind: 'text', text: '***' };
const REMOVE: FormSettings = { kind: 'remove' };

function maskOf(paths: { readonly [path: string]: RuleText }, everywhere: readonly RuleText[] = []): JsonMask {
  const text = ({ find, form = STARS }: RuleText) =>
    find === undefined ? undefined : textRule({ kinds: find, patterns: [] }, form);
  return new JsonMask(
    Object.entries(paths).map(([path, rule]) => ({
      path: readPath(path)!,
      form: formOf(rule.form ?? STARS),
      text: text(rule),
    })),
    everywhere.flatMap((rule) => text(rule) ?? []),
  );
}

const all = (...paths: string[]) => maskOf(Object.fromEntries(paths.map((path) => [path, {}])));
const without = (...paths: string[]) => maskOf(Object.fromEntries(paths.map((path) => [path, { form: REMOVE }])));

const CASES: readonly (readonly [what: string, mask: JsonMask, before: string, after: string])[] = [
  ['a member', all('user.email'), '{"user":{"email":"a@b.c","id":1}}', '{"user":{"email":"***","id":1}}'],
  ['items', all('cards[*].number'), '[0,{"cards":1}]', '[0,{"cards":1}]'],
  [
    'each item',
    all('cards[*].number'),
    '{"cards":[{"number":1},{"number":"2"}]}',
    '{"cards":[{"number":"***"},{"number":"***"}]}',
  ],
  ['one item', all('a[1]'), '{"a":[1,2,3]}', '{"a":[1,"***",3]}'],
  ['a root array', all('[*].x'), '[{"x":1},{"y":{"x":1}}]', '[{"x":"***"},{"y":{"x":1}}]'],
  ['any member', all('*.t'), '{"a":{"t":1},"b":[{"t":1}]}', '{"a":{"t":"***"},"b":[{"t":1}]}'],
  ['any depth', all('**.p'), '{"p":1,"a":[{"p":2,"q":{"p":[3]}}]}', '{"p":"***","a":[{"p":"***","q":{"p":"***"}}]}'],
  [
    'in the middle',
    all('a.**.p'),
    '{"p":1,"a":{"p":2,"b":{"c":{"p":3}}}}',
    '{"p":1,"a":{"p":"***","b":{"c":{"p":"***"}}}}',
  ],
  ['a quoted name', all('["e.mail"]'), '{"e.mail":"x","e":{"mail":"x"}}', '{"e.mail":"***","e":{"mail":"x"}}'],
  ['an escaped name', all('email'), '{"e\\u006dail":"x"}', '{"e\\u006dail":"***"}'],
  ['a name that occurs twice', all('a'), '{"a":1,"a":2}', '{"a":"***","a":"***"}'],
  ['__proto__', all('__proto__.x'), '{"__proto__":{"x":1}}', '{"__proto__":{"x":"***"}}'],
  [
    'digits and space stay',
    all('x'),
    '{ "id" : 12345678901234567890.10 ,\n"x" : true }',
    '{ "id" : 12345678901234567890.10 ,\n"x" : "***" }',
  ],
  ['an object', all('a'), '{"a":{"b":[1,"}"]},"c":1}', '{"a":"***","c":1}'],
  ['null stays', all('a'), '{"a":null}', '{"a":null}'],
  ['nothing to mask', all('a'), '{"b":"a"}', '{"b":"a"}'],
  ['a byte order mark', all('a'), '\ufeff{"a":1}', '\ufeff{"a":"***"}'],
  ['the only member removed', without('a'), '{"a":1}', '{}'],
  ['the first removed', without('a'), '{"a":1, "b":2}', '{ "b":2}'],
  ['the last removed', without('b'), '{"a":1,"b":2}', '{"a":1}'],
  ['the middle removed', without('b'), '{"a":1,"b":2,"c":3}', '{"a":1,"c":3}'],
  ['the first two removed', without('a', 'b'), '{"a":1,"b":2,"c":3}', '{"c":3}'],
  ['the last two removed', without('b', 'c'), '{"a":1,"b":2,"c":3}', '{"a":1}'],
  ['every other removed', without('a', 'c'), '{"a":1,"b":2,"c":3,"d":4}', '{"b":2,"d":4}'],
  ['all removed', without('*'), '{"a":1,"b":{"c":1}}', '{}'],
  ['items removed', without('[1]', '[2]'), '[0,1,2,3]', '[0,3]'],
  ['removed and masked', maskOf({ a: { form: REMOVE }, b: {} }), '{"a":1,"b":2}', '{"b":"***"}'],
  [
    'the end is kept',
    maskOf({ n: { form: { kind: 'keep', last: 4 } } }),
    '{"n":"4111111111111111"}',
    '{"n":"************1111"}',
  ],
  ['a short text is masked', maskOf({ n: { form: { kind: 'keep', last: 4 } } }), '{"n":"1234567"}', '{"n":"*******"}'],
  ['a number keeps its end', maskOf({ n: { form: { kind: 'keep', last: 2 } } }), '{"n":123456}', '{"n":"****56"}'],
  [
    'found in a member',
    maskOf({ 'a.b': { find: ['email'] } }),
    '{"a":{"b":"to x@y.zz now"},"c":"x@y.zz"}',
    '{"a":{"b":"to *** now"},"c":"x@y.zz"}',
  ],
  [
    'found below a member',
    maskOf({ a: { find: ['email'] } }),
    '{"a":[{"b":"x@y.zz"}],"c":"x@y.zz"}',
    '{"a":[{"b":"***"}],"c":"x@y.zz"}',
  ],
  [
    'found everywhere',
    maskOf({}, [{ find: ['email', 'card'] }]),
    '{"x@y.zz":["\\u0078@y.zz",4111111111111111,1]}',
    '{"***":["***","***",1]}',
  ],
  [
    'a member and everywhere',
    maskOf({ a: {} }, [{ find: ['email'] }]),
    '{"a":"x@y.zz","b":"x@y.zz"}',
    '{"a":"***","b":"***"}',
  ],
  ['a text with quotes', maskOf({ a: { form: { kind: 'text', text: '"\\' } } }), '{"a":1}', '{"a":"\\"\\\\"}'],
];

for (const [what, mask, before, after] of CASES)
  test(`masks: ${what}`, () => {
    const masked = mask.maskText(before) ?? before;
    assert.is(masked, after);
    if (typeof masked === 'string') JSON.parse(masked.replace('\ufeff', ''));
  });

test('what cannot be read is a fault', () => {
  const mask = all('a');
  const faults: readonly (readonly [text: string | Uint8Array, fault: string])[] = [
    ['{"a":1', 'it is not valid JSON'],
    ["{'a':1}", 'it is not valid JSON'],
    ['{"a":1}{"a":2}', 'it is not valid JSON'],
    ['{"a":NaN}', 'it is not valid JSON'],
    ['', 'it is not valid JSON'],
    ['['.repeat(65) + ']'.repeat(65), 'it is nested more than 64 levels deep'],
    ['['.repeat(1_000_000), 'it is nested more than 64 levels deep'],
    [Buffer.from([0x22, 0xff, 0x22]), 'it is not UTF-8'],
    [Buffer.from('{"a":1}', 'utf16le'), 'it is not valid JSON'],
  ];
  for (const [text, fault] of faults) assert.equal(mask.mask(Buffer.from(text as string)), { fault });
});

/** A value with members `a`, `b` and `c` at several depths; seeded. */
function randomValue(random: () => number, depth: number): unknown {
  const kind = Math.floor(random() * (depth > 3 ? 3 : 5));
  if (kind === 0) return Math.floor(random() * 100);
  if (kind === 1) return 'a"\\b{,]'.slice(0, Math.floor(random() * 8));
  if (kind === 2) return random() < 0.5;
  const count = Math.floor(random() * 4);
  if (kind === 3) return Array.from({ length: count }, () => randomValue(random, depth + 1));
  return Object.fromEntries(['a', 'b', 'c'].slice(0, count).map((name) => [name, randomValue(random, depth + 1)]));
}

/** The law: what remains is what a walk over the parsed value gives. */
function walked(value: unknown, remove: boolean): unknown {
  if (Array.isArray(value)) return value.map((item) => walked(item, remove));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) =>
      name === 'b' ? (remove ? [] : [[name, '***']]) : [[name, walked(item, remove)]],
    ),
  );
}

test('random documents are masked like their values', () => {
  let seed = 7;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  for (let round = 0; round < 2000; round++) {
    const value = randomValue(random, 0);
    const text = JSON.stringify(value, undefined, round % 3);
    for (const remove of [true, false]) {
      const masked = (remove ? without('**.b') : all('**.b')).maskText(text) ?? text;
      assert.equal(JSON.parse(masked as string), walked(value, remove), text);
    }
  }
});

test('names that were met keep no document in memory', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const mask = all('a.b');
  const grown = (documents: number): number => {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let round = 0; round < documents; round++)
      mask.maskText(
        `{"name number ${round} of ${documents}":"${'1'.repeat(500_000)}","a":{"${'x'.repeat(500_000)}${round}":1}}`,
      );
    collect();
    collect();
    return process.memoryUsage().heapUsed - before;
  };
  grown(20);
  // 200 documents have 200 MB.
  const growth = grown(200);
  assert.ok(growth < 100_000_000, `${growth} bytes`);
});

test('the work is bounded by the size of a document', () => {
  const mask = maskOf({ '**.a.**.b': {}, '**.b.**.a': {} }, [{ find: ['email', 'card', 'iban'] }]);
  const texts = ['@', '1', 'DE89 ', 'a.', '4111-'].map((part) => part.repeat(200_000));
  const began = performance.now();
  for (const text of texts) mask.maskText(JSON.stringify([text, { a: text }]));
  assert.ok(performance.now() - began < 10_000);
});

test.run();
