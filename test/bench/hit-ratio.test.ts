import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type HitRatio, hitRatios } from '../../bench/content/hit-ratio.js';

test('the memory of contents has more hits than LRU, and with admission more than without', () => {
  const ratios = hitRatios({ bytes: 2 * 1024 ** 2, contents: 20_000, requests: 30_000, seed: 3 });
  const points = (at: HitRatio, than: HitRatio): number => (at.requests - than.requests) * 100;
  assert.is(ratios.size, 5);
  for (const [name, [lru, gw, admission]] of ratios) {
    assert.ok(points(gw, lru) > 1, `${name}: ${points(gw, lru)} points more than LRU`);
    assert.ok(points(admission, lru) > 4, `${name}: ${points(admission, lru)} points more with admission`);
    assert.ok(admission.bytes > lru.bytes, `${name}: bytes`);
  }
});

test.run();
