import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { counted, nounFor } from '../src/plural.js';

test('only one takes the singular', () => {
  assert.is(counted(1, 'route'), '1 route');
  assert.is(counted(0, 'route'), '0 routes');
  assert.is(counted(2, 'route'), '2 routes');
});

test('a y after a consonant becomes ies', () => {
  assert.is(nounFor(2, 'policy'), 'policies');
  assert.is(nounFor(1, 'policy'), 'policy');
  assert.is(nounFor(2, 'key'), 'keys');
});

test.run();
