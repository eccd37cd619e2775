/** Suggestions ("Did you mean"): the suggested word, whether it is clear, and the bound on the work per list. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { KnownWords, suggest } from '../../src/schema/suggest.js';

const nearest = (wrong: string, ...known: string[]) => new KnownWords(known).nearest(wrong);

test('the most similar word is suggested, of several the first', () => {
  assert.is(suggest('orderz', ['billing', 'orders', 'borders']), 'orders');
  assert.is(suggest('catx', ['caty', 'cats']), 'caty');
  assert.is(suggest('oredrs', ['orders']), 'orders', 'a swap of neighbours is one mistake');
  assert.is(suggest('orders', ['payments']), undefined);
  assert.is(suggest('ab', ['ba', 'ac']), 'ba', 'of two letters only a swap is near');
  assert.is(suggest('ab', ['ac']), undefined);
  assert.is(suggest('anything', []), undefined);
});

test('case and plural make no difference', () => {
  assert.is(suggest('POLICY', ['plan', 'policies']), 'policies');
  assert.equal(nearest('Orders', 'orders', 'borders'), { word: 'orders', isClear: true });
});

test('a suggestion is clear if no other word is as similar and more than a number differs', () => {
  assert.equal(nearest('ordrs', 'orders', 'billing'), { word: 'orders', isClear: true });
  assert.equal(nearest('catx', 'caty', 'cats'), { word: 'caty', isClear: false });
  assert.equal(nearest('orders-2', 'orders-1'), { word: 'orders-1', isClear: false });
  assert.equal(nearest('ab', 'ba', 'ac'), { word: 'ba', isClear: false });
});

test('3,000 wrong names with 40,000 known ones: the first get suggestions, and the work is bounded', () => {
  const words = new KnownWords(Array.from({ length: 40_000 }, (_, index) => `group-${index}`));
  assert.is(words.nearest('gruop-17')?.word, 'group-17');
  const before = process.cpuUsage();
  for (let index = 0; index < 3000; index++) words.nearest(`grup-${index}x`);
  const { user, system } = process.cpuUsage(before);
  assert.is(words.stepsLeft, 0);
  // Without a bound these are 120 million distances: minutes.
  assert.ok(user + system < 20_000_000, `${(user + system) / 1e6} s`);
  assert.equal(words.nearest('GROUP-39999'), { word: 'group-39999', isClear: false }, 'case is found by index');
});

test('the work is bounded: no lookup exceeds the steps', () => {
  const words = new KnownWords(['alpha', 'bravo', 'charlie'], 100);
  assert.is(words.nearest('alpah')?.word, 'alpha');
  const left = words.stepsLeft;
  assert.ok(left < 100 && left > 0, String(left));
  for (let index = 0; index < 10; index++) words.nearest('alpah');
  assert.is(words.stepsLeft, 0);
  assert.is(words.nearest('alpah'), undefined);
  assert.equal(words.nearest('ALPHA'), { word: 'alpha', isClear: false });
});

test('words of a million letters are not compared letter by letter', () => {
  const long = 'x'.repeat(1_000_000);
  assert.is(nearest(`${long}y`, `${long}z`), undefined);
  assert.equal(nearest(`${long}Y`, `${long}y`), { word: `${long}y`, isClear: true });
});

test.run();
