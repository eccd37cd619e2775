import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clean, fit, toAscii, truncate, width, wrap } from '../../src/dashboard/text.js';

test('clean does not change plain text', () => {
  assert.is(clean('GET /orders/{id:int}?a=b'), 'GET /orders/{id:int}?a=b');
  assert.is(clean('/grüße/日本'), '/grüße/日本');
});

test('clean escapes control sequences', () => {
  assert.is(clean('/\x1b[31mred\x1b[0m'), '/\\e[31mred\\e[0m');
  assert.is(clean('a\r\nb\tc\0'), 'a\\r\\nb\\tc\\0');
  assert.is(clean('\x07\x7f\x9b2J'), '\\x07\\x7f\\x9b2J');
  assert.is(clean('/user\u202etxt.exe'), '/user\\u{202e}txt.exe');
  assert.is(clean('a\u200bb\ufeffc\u2028d'), 'a\\u{200b}b\\u{feff}c\\u{2028}d');
  assert.is(clean('\ud800x'), '\\u{d800}x');
});

test('clean leaves no control character of any code point', () => {
  for (let code = 0; code < 0x3000; code++) {
    const out = clean(`a${String.fromCodePoint(code)}b`);
    assert.not.match(out, /[\p{C}\p{Zl}\p{Zp}]/u, `U+${code.toString(16)}`);
  }
});

test('combining marks are limited', () => {
  assert.is([...clean(`e${'\u0301'.repeat(500)}`)].length, 4);
});

test('width counts columns, not characters', () => {
  assert.is(width('abc'), 3);
  assert.is(width('日本'), 4);
  assert.is(width('é'), 1);
});

test('truncate cuts at either end and marks the cut', () => {
  assert.is(truncate('abcdef', 6), 'abcdef');
  assert.is(truncate('abcdef', 4), 'abc…');
  assert.is(truncate('/srv/shop/gateway.toml', 13, '…', 'end'), '…gateway.toml');
  assert.is(truncate('abcdef', 0), '');
  assert.is(truncate('abcdef', 1), '…');
  assert.is(truncate('abcdef', 4, '~'), 'abc~');
});

test('truncate never splits a wide character', () => {
  assert.is(truncate('日本語', 4), '日…');
  assert.is(truncate('日本語', 5), '日本…');
  assert.is(truncate('日本語', 4, '…', 'end'), '…語');
});

test('truncate reads only a bounded part of a very long text', () => {
  const long = `${'\x1b'.repeat(200_000)}end`;
  assert.is(width(truncate(long, 20)), 20);
  assert.ok(truncate(long, 20, '…', 'end').endsWith('end'));
});

test('fit is exact for any text', () => {
  for (const text of ['', 'a', 'abcdefghij', '日本語日本語', 'e\u0301\u0301', '\x1b[2J\n', '👩‍👩‍👧‍👦 family', 'ﷺ']) {
    for (let columns = 0; columns <= 12; columns++) {
      assert.is(width(fit(text, columns)), columns, `${JSON.stringify(text)} in ${columns}`);
      assert.is(width(fit(text, columns, { align: 'right', keep: 'end' })), columns);
    }
  }
  assert.is(fit('7', 3, { align: 'right' }), '  7');
  assert.is(fit('7', 3), '7  ');
});

test('toAscii replaces each visible character by one mark', () => {
  assert.is(toAscii('grüße 日本 e\u0301'), 'gr??e ?? ?');
  assert.is(toAscii('plain'), 'plain');
});

test('wrap breaks between words if possible and loses no text', () => {
  assert.equal(wrap('one two three', 8), ['one two', 'three']);
  assert.equal(wrap('abcdefghij', 4), ['abcd', 'efgh', 'ij']);
  assert.equal(wrap('', 4), ['']);
  assert.equal(wrap('abc', 0), []);
  assert.equal(wrap('日本語', 1), ['日本語']);
  assert.equal(wrap('exact fit', 9), ['exact fit']);
  assert.equal(wrap('word next', 4), ['word', 'next']);
});

test.run();
