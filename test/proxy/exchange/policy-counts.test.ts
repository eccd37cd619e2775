import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { PolicyCounts } from '../../../src/proxy/exchange/policy-counts.js';

class Counting {
  hits = 0;
  misses = 0;
  counts(): { readonly [name: string]: number } {
    return { hits: this.hits, misses: this.misses };
  }
}

test('a report has what has grown since the last one', () => {
  const counts = new PolicyCounts();
  const one = new Counting();
  counts.add('c', one);
  counts.add('none', {});
  assert.is(counts.take(), undefined);
  one.hits = 2;
  assert.equal(counts.take(), [{ policy: 'c', name: 'hits', count: 2 }]);
  assert.is(counts.take(), undefined);
  one.hits = 3;
  one.misses = 1;
  assert.equal(counts.take(), [
    { policy: 'c', name: 'hits', count: 1 },
    { policy: 'c', name: 'misses', count: 1 },
  ]);
});

test('what an instance counted before its end is reported once, beside its successor', () => {
  const counts = new PolicyCounts();
  const [before, after] = [new Counting(), new Counting()];
  counts.add('c', before);
  counts.add('c', after);
  before.hits = 4;
  after.hits = 1;
  counts.remove(before);
  counts.remove(before);
  before.hits = 9;
  assert.equal(counts.take(), [
    { policy: 'c', name: 'hits', count: 4 },
    { policy: 'c', name: 'hits', count: 1 },
  ]);
  assert.is(counts.take(), undefined);
});

test.run();
