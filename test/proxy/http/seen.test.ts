import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Seen } from '../../../src/proxy/http/seen.js';

test('every fact has a bit of its own', () => {
  const bits = Object.values(Seen);
  assert.is(new Set(bits).size, bits.length);
  for (const bit of bits) assert.is(bit & (bit - 1), 0);
});

test.run();
