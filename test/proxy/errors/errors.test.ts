import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERRORS, type ErrorSlug } from '../../../src/proxy/errors/errors.js';

const page = readFileSync('docs/errors.md', 'utf8');
const rows = [...page.matchAll(/^\| `([a-z/-]+)` \| (\d{3}|-) \| (.+?) \|$/gm)];

test('docs/errors.md lists every error, in order, with its status', () => {
  assert.equal(
    rows.map(([, slug, status]) => `${slug} ${status}`),
    Object.entries(ERRORS).map(([slug, { status }]) => `${slug} ${status === 0 ? '-' : status}`),
  );
});

test('every row describes when the error occurs', () => {
  for (const [, slug, , text] of rows) assert.ok((text ?? '').length > 20, slug);
});

test('titles and details reveal no internal facts', () => {
  for (const slug of Object.keys(ERRORS) as ErrorSlug[]) {
    assert.not.match(`${ERRORS[slug].title} ${ERRORS[slug].detail}`, /socket|pool|ECONN|\d+\.\d+\.\d+/);
  }
});

test.run();
