import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { TextMatcher } from '../../../src/policies/kits/text-pattern.js';
import { compileEcma } from '../../../src/schema/regex/ecma.js';

const PATTERNS = [
  '',
  'abc',
  '^abc$',
  '^a|b$',
  '(^a|b)c',
  '^(a|b$)',
  '^[a-z0-9_-]{1,6}$',
  '^[\\w\\-.]+$',
  '^\\d{3}-\\d{4}$',
  '^(?:\\+1)?[2-9]\\d{2}$',
  '^.{1,255}$',
  '^[^/]*/[^/]+$',
  '\\s',
  '^\\S+$',
  '^(?=.*[A-Z])(?=.*\\d)[A-Za-z\\d]{4,}$',
  '^(?!.*--)[a-z-]+$',
  '^(?!admin$)[a-z]+$',
  '^\\p{Lu}\\p{L}*$',
  '^[\\p{L}\\p{N} ]{1,20}$',
  '^\\u00e9|\\u{1F600}$',
  '^\\ud83d\\ude00$',
  '^(?<year>\\d{4})-(?<month>\\d{2})$',
  '^a+?b*?$',
  '^(a+)+$',
  '^x-',
  '\\.json$',
  '^\\/api\\/v\\d+$',
  '^[\\s\\S]*$',
  '^[^\\n]+$',
  '^(([a-z]+)(,|$))+',
];
const ALPHABET = [
  'a',
  'b',
  'c',
  'A',
  'Z',
  '0',
  '7',
  '-',
  '.',
  '/',
  ' ',
  '\n',
  '_',
  'é',
  'É',
  '😀',
  '\u2028',
  '+',
  'x',
  ',',
];

for (const source of PATTERNS) {
  test(`agrees with the engine of the language: ${source}`, () => {
    const result = compileEcma(source);
    if ('error' in result) {
      assert.is(source, '^(([a-z]+)(,|$))+', result.error);
      return;
    }
    const matcher = new TextMatcher(JSON.parse(JSON.stringify(result.pattern)));
    const expected = new RegExp(source, 'u');
    let seed = 7;
    const next = (below: number): number => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return (seed >> 8) % below;
    };
    const texts = [
      '',
      'abc',
      'xabcx',
      'a',
      '123-4567',
      '2024-01',
      'Ab12',
      'admin',
      'admins',
      'x.json',
      '/api/v12',
      '+1234',
    ];
    for (let count = 0; count < 3000; count++) {
      texts.push(Array.from({ length: next(9) }, () => ALPHABET[next(ALPHABET.length)]).join(''));
    }
    for (const text of texts) assert.is(matcher.test(text), expected.test(text), JSON.stringify(text));
  });
}

const REFUSED: readonly [source: string, why: RegExp][] = [
  ['(a)\\1', /backreference/],
  ['(?<n>a)\\k<n>', /backreference/],
  ['\\bword\\b', /word boundary/],
  ['(?<=a)b', /lookbehind/],
  ['a(?=b)', /lookahead/],
  ['(?i)abc', /kind of group/],
  ['a{2000}', /maxLength/],
  ['((((a{9}){9}){9}){9}){9}', /states|large/],
  ['(', /unmatched/],
  ['[a', /unmatched/],
  ['*a', /nothing to repeat/],
  ['a^b', /anchor/],
  ['\\p{Nonsense}', /unknown property/],
];

for (const [source, why] of REFUSED) {
  test(`refused: ${source}`, () => {
    const result = compileEcma(source);
    assert.match('error' in result ? result.error : 'accepted', why);
  });
}

test('a pattern that takes exponential time elsewhere takes linear time', () => {
  const result = compileEcma('^(a+)+$');
  assert.ok('pattern' in result);
  const matcher = new TextMatcher(result.pattern);
  const start = performance.now();
  assert.not.ok(matcher.test(`${'a'.repeat(1_000_000)}!`));
  assert.ok(performance.now() - start < 1000);
});

test.run();
