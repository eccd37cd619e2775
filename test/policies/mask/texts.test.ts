/** What is found in texts, and how it is masked. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compilePattern } from '../../../src/policies/compile-kit.js';
import { type FormSettings, formOf } from '../../../src/policies/mask/forms.js';
import { findKind, type Kind, type Spans } from '../../../src/policies/mask/kinds.js';
import { type PatternEntry, PatternFinder } from '../../../src/policies/mask/pattern.js';
import { TextMask, textRule } from '../../../src/policies/mask/texts.js';

function found(kind: Kind, text: string): string[] {
  const spans: Spans = [];
  findKind[kind](text, spans);
  return spans.map(([start, end]) => text.slice(start, end));
}

const KINDS: readonly (readonly [kind: Kind, text: string, found: readonly string[]])[] = [
  ['email', 'Write to jo.doe+x@mail.example.com.', ['jo.doe+x@mail.example.com']],
  ['email', 'a@b.co,c@d.co <e@f.co>', ['a@b.co', 'c@d.co', 'e@f.co']],
  ['email', 'mailto:a@b.co?x', ['a@b.co']],
  ['email', 'ünï@exämple.org', ['ünï@exämple.org']],
  ['email', 'user@localhost, @b.co, a@, a@.co', []],
  ['card', '4111111111111111', ['4111111111111111']],
  ['card', 'card 4111 1111 1111 1111 of 12', ['4111 1111 1111 1111']],
  ['card', '5500-0000-0000-0004,340000000000009', ['5500-0000-0000-0004', '340000000000009']],
  ['card', '12 4111 1111 1111 1111', ['4111 1111 1111 1111']],
  ['card', 'id4111111111111111x', ['4111111111111111']],
  ['card', '4111111111111112 41111111111111111111 1111111111111117 0.4111111111111111', []],
  ['iban', 'DE89 3704 0044 0532 0130 00', ['DE89 3704 0044 0532 0130 00']],
  ['iban', 'GB82WEST12345698765432 and de89370400440532013000', ['GB82WEST12345698765432', 'de89370400440532013000']],
  ['iban', 'NO9386011117947 is an account', ['NO9386011117947']],
  ['iban', 'DE89370400440532013000 GB82WEST12345698765432', ['DE89370400440532013000', 'GB82WEST12345698765432']],
  ['iban', 'DE88370400440532013000 XDE89370400440532013000 AB12', []],
];

for (const [kind, text, expected] of KINDS)
  test(`${kind} in ${JSON.stringify(text)}`, () => assert.equal(found(kind, text), expected));

function entryOf(source: string): PatternEntry {
  const compiled = compilePattern(source);
  if (!('dfa' in compiled)) throw new Error(compiled.error);
  return compiled.dfa;
}

const PATTERNS: readonly (readonly [pattern: string, text: string, found: readonly string[]])[] = [
  ['tok_[a-z0-9]+', 'a tok_12ab, tok_ and tok_9', ['tok_12ab', 'tok_9']],
  ['ab|abcd', 'abcd abc', ['abcd', 'ab']],
  ['[0-9]{4}', '12345 678', ['12345']],
  ['aba', 'xababax', ['ababa']],
  ['a+b?', 'aaab aa', ['aaab', 'aa']],
  ['é.', 'caféx 😀é😀', ['éx', 'é😀']],
  ['(ab)+', 'ababab', ['ababab']],
];

for (const [pattern, text, expected] of PATTERNS)
  test(`${pattern} in ${text}`, () => {
    const finder = new PatternFinder(entryOf(pattern));
    // It keeps nothing from one text to the next.
    for (let round = 0; round < 2; round++) {
      const spans: Spans = [];
      finder.find(text, spans);
      assert.equal(
        spans.map(([start, end]) => text.slice(start, end)),
        expected,
      );
    }
  });

test('a pattern finds the characters that a search by each place finds', () => {
  const pattern = 'a(b|ba)*c?|bb';
  const finder = new PatternFinder(entryOf(pattern));
  const whole = new RegExp(`^(?:${pattern})$`);
  for (let number = 0; number < 3 ** 7; number++) {
    const text = number.toString(3).replace(/./g, (digit) => 'abc'[Number(digit)]!);
    const spans: Spans = [];
    finder.find(text, spans);
    const covered = Array.from(text, (_char, at) => spans.some(([start, end]) => start <= at && at < end));
    const expected = Array.from(text, () => false);
    for (let start = 0; start < text.length; start++)
      for (let end = start + 1; end <= text.length; end++)
        if (whole.test(text.slice(start, end))) expected.fill(true, start, end);
    assert.equal(covered, expected, text);
  }
});

test('a text that ends before a long match does is read once', () => {
  const finder = new PatternFinder(entryOf('a(.*z)?'));
  const spans: Spans = [];
  const began = performance.now();
  finder.find('a'.repeat(500_000), spans);
  assert.equal(spans, [[0, 500_000]]);
  assert.ok(performance.now() - began < 5000);
});

test('where rules overlap, the form of the one that begins first counts, and matches that touch are one', () => {
  const rule = (pattern: string, text: string) =>
    textRule({ kinds: [], patterns: [entryOf(pattern)] }, { kind: 'text', text });
  const mask = new TextMask([rule('bc', '1'), rule('ab', '2'), rule('x', '3')]);
  assert.is(mask.mask('abc xx bc'), '2 3 1');
  assert.is(mask.mask('nothing'), undefined);
});

const hash = (key: string | { $ref: string }): FormSettings => ({ kind: 'hash', key });

test('a hash depends on the key, and a short key refuses the load', () => {
  const [a, b] = [formOf(hash('0123456789abcdef')), formOf(hash('fedcba9876543210'))];
  assert.match(a.mask('x@y.zz'), /^[0-9a-f]{32}$/);
  assert.is(a.mask('x@y.zz'), a.mask('x@y.zz'));
  assert.is.not(a.mask('x@y.zz'), b.mask('x@y.zz'));
  assert.throws(() => formOf(hash('short')), /at least 16 bytes/);
  assert.throws(() => formOf(hash({ $ref: 'x' })), /at least 16 bytes/);
});

test('kept ends count characters and not units', () => {
  const form = formOf({ kind: 'keep', last: 2 });
  assert.is(form.mask('😀😀😀😀'), '**😀😀');
  assert.is(form.mask('abc'), '***');
  assert.is(form.mask(''), '');
  assert.is(form.mask('x'.repeat(10_000)), `${'*'.repeat(256)}xx`);
});

test.run();
