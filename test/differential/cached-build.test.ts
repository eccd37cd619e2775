/** A build that keeps the trees of the build before gives the same diagnostics and the same bundle as a fresh one. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compareEdits } from './cached-builds.js';

// `npm run drills -- cached-build` makes more, also of the specs of all diagnostics.
test('random edits of random specs with an include and an overlay', () => {
  const valid = compareEdits(5);
  assert.ok(valid > 12, `${valid} valid specs`);
});

test.run();
