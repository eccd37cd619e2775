import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERRORS } from '../../src/proxy/errors.js';

test('docs/errors.md has a row for every error of the proxy, with its status, and no other', () => {
  const rows = [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `([a-z-]+\/[a-z-]+)` \| (\d+) \|/gm)];
  const written = rows.map(([, slug, status]) => `${slug} ${status}`);
  const real = Object.entries(ERRORS).map(([slug, { status }]) => `${slug} ${status}`);
  assert.equal(written.sort(), real.sort());
});

test.run();
