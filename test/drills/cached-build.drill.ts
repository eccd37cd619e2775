/** See differential/cached-builds.ts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compareEdits } from '../differential/cached-builds.js';

const test = suite('cached-build');

test('random edits of random specs with an include and an overlay', () => {
  const valid = compareEdits(30);
  assert.ok(valid > 75, `${valid} valid specs`);
});

test.run();
