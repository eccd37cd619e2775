import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CONNECTION_AGE } from '../../../src/bundle/types.js';
import { closeAt } from '../../../src/proxy/upstream/age.js';

const test = suite('age of connections to targets');

test('up to a fifth before the maximum; never without one', () => {
  assert.is(closeAt({ maxConnectionAge: 1000 }, 50, 0), 1050);
  assert.is(closeAt({ maxConnectionAge: 1000 }, 50, 1), 850);
  assert.is(closeAt({ maxConnectionAge: 0 }, 50, 0.5), Number.POSITIVE_INFINITY);
  assert.is(closeAt({}, 0, 0), CONNECTION_AGE);
});

test.run();
