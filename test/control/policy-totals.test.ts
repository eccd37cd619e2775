import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PolicyTotals } from '../../src/control/policy-totals.js';

test('counts of all workers add up', () => {
  const totals = new PolicyTotals();
  totals.note([
    { policy: 'c', name: 'hits', count: 2 },
    { policy: 'c', name: 'misses', count: 1 },
  ]);
  totals.note([{ policy: 'c', name: 'hits', count: 3 }]);
  assert.is(totals.get('c', 'hits'), 5);
  assert.is(totals.get('c', 'misses'), 1);
  assert.is(totals.get('c', 'stale'), 0);
  assert.is(totals.get('d', 'hits'), 0);
});

test('the policy whose counts are the oldest makes room', () => {
  const totals = new PolicyTotals();
  totals.note([{ policy: 'old', name: 'n', count: 1 }]);
  totals.note([{ policy: 'used', name: 'n', count: 1 }]);
  for (let at = 0; at < 4094; at++) totals.note([{ policy: `p${at}`, name: 'n', count: 1 }]);
  totals.note([{ policy: 'used', name: 'n', count: 1 }]);
  assert.is(totals.get('old', 'n'), 1);
  totals.note([{ policy: 'new', name: 'n', count: 1 }]);
  assert.is(totals.get('old', 'n'), 0);
  assert.is(totals.get('used', 'n'), 2);
});

test.run();
