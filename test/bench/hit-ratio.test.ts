import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type HitRatio, hitRatios, readTrace, traceRatios } from '../../bench/content/hit-ratio.js';

const points = (at: HitRatio, than: HitRatio): number => (at.requests - than.requests) * 100;

test('the memory of contents has more hits than LRU, and with admission more than without', () => {
  const ratios = hitRatios({ bytes: 2 * 1024 ** 2, contents: 20_000, requests: 30_000, seed: 3 });
  assert.is(ratios.size, 5);
  for (const [name, { lru, tinyLfu, gw, admission }] of ratios) {
    assert.ok(points(gw, lru) > 1, `${name}: ${points(gw, lru)} points more than LRU`);
    assert.ok(points(admission, lru) > 4, `${name}: ${points(admission, lru)} points more with admission`);
    assert.ok(admission.bytes > lru.bytes, `${name}: bytes`);
    // The model works: else its figures would say nothing.
    assert.ok(points(tinyLfu, lru) > 1, `${name}: W-TinyLFU ${points(tinyLfu, lru)} points more than LRU`);
    assert.ok(points(admission, tinyLfu) > -5, `${name}: ${points(admission, tinyLfu)} points more than W-TinyLFU`);
  }
});

test('a trace: lines of time, id and size', () => {
  const trace = readTrace('time,id,size\n1,a,100\n2,b,200\n\n3 a 100\n4\tc\t0\n5,b,999\n');
  assert.equal(trace, { ids: [0, 1, 0, 1], sizes: [100, 200] });
  // Everything fits: each further request is a hit; the first one of the four does not count.
  const { lru, tinyLfu, gw, admission } = traceRatios(trace, 1024 ** 2);
  for (const ratio of [lru, tinyLfu, gw, admission]) assert.is(ratio.requests, 2 / 3);
});

test.run();
