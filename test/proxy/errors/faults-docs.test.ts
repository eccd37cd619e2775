import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERRORS } from '../../../src/proxy/errors/errors.js';

const page = readFileSync('docs/faults.md', 'utf8');
/** Codes of control diagnostics, which are not errors of an exchange. */
const DIAGNOSTICS = new Set(['gateway/load']);

test('errors in docs/faults.md exist with the documented status', () => {
  const rooms = [...new Set(Object.keys(ERRORS).map((slug) => slug.split('/')[0]))].join('|');
  const named = [...page.matchAll(new RegExp(`(?:(\\d{3}) )?\`((?:${rooms})/[a-z-]+)\``, 'g'))];
  assert.ok(named.length > 20);
  for (const [, status, slug = ''] of named) {
    if (DIAGNOSTICS.has(slug)) continue;
    const kind = Object.entries(ERRORS).find(([known]) => known === slug)?.[1];
    assert.ok(kind, slug);
    if (status !== undefined) assert.is(Number(status), kind.status, slug);
  }
});

test.run();
