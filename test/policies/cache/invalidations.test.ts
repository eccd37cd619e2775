import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Invalidations } from '../../../src/policies/cache/invalidations.js';

const test = suite('invalidations');

test('a name concerns what was asked for before it', () => {
  const all = new Invalidations();
  const before = all.count;
  all.note('u');
  assert.ok(all.concerns(before, 'u', []));
  assert.ok(all.concerns(before, 'other', ['t', 'u']));
  assert.not(all.concerns(before, 'other', []));
  assert.not(all.concerns(all.count, 'u', []));
});

test('of what was asked for before the oldest known name, nothing is kept', () => {
  const all = new Invalidations();
  const before = all.count;
  all.note('first');
  const after = all.count;
  for (let at = 0; at < 1000; at++) all.note(`u${at}`);
  assert.ok(all.concerns(before, 'other', []));
  assert.not(all.concerns(after, 'other', []));
});

test.run();
