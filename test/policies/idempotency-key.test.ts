import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fingerprintOf, readKey } from '../../src/policies/idempotency/key.js';
import { exchange } from './support.js';

test('the fingerprint is SHA-256 of the head and the body, of any length', () => {
  const asked = exchange({ method: 'POST', headers: [['content-type', 'text/é']] });
  const { method, host, path, query } = asked;
  const head = `${JSON.stringify([method, host, path, query, 'text/é', ''])}\n`;
  for (const length of [0, 1, 8191, 8192, 8193, 100_000]) {
    const body = Buffer.alloc(length, 'ab\xff');
    const expected = createHash('sha256').update(head).update(body).digest('hex');
    assert.is(fingerprintOf(asked, body), expected, String(length));
  }
});

test('a key in quotes, with and without what needs a parser', () => {
  const most = 'k'.repeat(255);
  for (const [field, key] of [
    ['"k 1!~#[]"', 'k 1!~#[]'],
    [' "k.0" ', 'k.0'],
    ['"a\\"b\\\\"', 'a"b\\'],
    ['"k"; a=1', 'k'],
    [`"${most}"`, most],
    [`"${most}k"`, undefined],
    ['""', undefined],
    ['"a"b"', undefined],
    ['"a', undefined],
    ['"', undefined],
    ['"\x7f"', undefined],
    ['"é"', undefined],
    ['"a", "b"', undefined],
  ] as const)
    assert.is(readKey(field), key, field);
});

test.run();
