import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { DESCRIPTIONS } from '../../../src/proxy/errors/descriptions.js';
import { ERRORS, type ErrorSlug } from '../../../src/proxy/errors/errors.js';

test('every error has a description of when it occurs', () => {
  assert.equal(Object.keys(DESCRIPTIONS), Object.keys(ERRORS));
  for (const [slug, { when }] of Object.entries(DESCRIPTIONS)) assert.match(when, /^.{20,}\.$/, slug);
});

test('titles and details reveal no internal facts', () => {
  for (const slug of Object.keys(ERRORS) as ErrorSlug[]) {
    assert.not.match(`${ERRORS[slug].title} ${ERRORS[slug].detail}`, /socket|pool|ECONN|\d+\.\d+\.\d+/);
  }
});

test.run();
