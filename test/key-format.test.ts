/** The form of API keys. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isKey, KEY_PATTERN, keyHash, newKey } from '../src/key-format.js';

test('a key has a prefix, 30 random characters and a checksum, all letters and digits', () => {
  const key = newKey();
  assert.match(key, /^gw_[0-9A-Za-z]{36}$/);
  assert.match(`Authorization: Bearer ${key}.`, KEY_PATTERN);
  assert.ok(isKey(key));
  // 62 different characters in 30 places.
  assert.ok(30 * Math.log2(62) >= 160);
});

test('a typing error is known by the checksum', () => {
  const key = newKey((count) => new Uint8Array(count).fill(7));
  assert.is(key.slice(0, 33), `gw_${'7'.repeat(30)}`);
  for (let at = 3; at < key.length; at++) {
    const wrong = `${key.slice(0, at)}${key[at] === 'x' ? 'y' : 'x'}${key.slice(at + 1)}`;
    assert.not.ok(isKey(wrong), wrong);
  }
  assert.not.ok(isKey(`${key}a`));
  assert.not.ok(isKey(key.slice(0, -1)));
  assert.not.ok(isKey(`gw-${key.slice(3)}`));
  assert.not.ok(isKey(''));
});

test('all characters are equally likely', () => {
  const counts = new Map<string, number>();
  for (let run = 0; run < 2000; run++) {
    for (const character of newKey().slice(3, 33)) counts.set(character, (counts.get(character) ?? 0) + 1);
  }
  assert.is(counts.size, 62);
  const expected = (2000 * 30) / 62;
  // Chi-square with 61 degrees of freedom: beyond 120 once in 100,000 runs.
  const chi = [...counts.values()].reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  assert.ok(chi < 120, String(chi));
});

test('bytes that would favour some characters are skipped', () => {
  let given = 0;
  const key = newKey((count) => new Uint8Array(count).fill(given++ === 0 ? 255 : 1));
  assert.is(key.slice(3, 33), '1'.repeat(30));
});

test('the hash is that of `printf %s KEY | sha256sum`', () => {
  assert.is(keyHash('test'), 'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08');
});

test.run();
