import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { errorsPage } from '../../src/control/errors-page.js';
import { ERRORS } from '../../src/proxy/errors/errors.js';
import { actionDeclarations, policyDeclarations } from '../../src/spec/index.js';

const page = readFileSync('docs/errors.md', 'utf8');

test('docs/errors.md is current: npm run reference', () => {
  assert.is(errorsPage(page), page);
});

test('docs/errors.md lists every error of gw and every problem of policies and actions', () => {
  const listed = [...page.matchAll(/^\| `([a-z0-9/-]+)` \| (?:\d{3}|-) \|/gm)].map(([, code]) => code!);
  const declared = [...policyDeclarations, ...actionDeclarations].flatMap(({ problems = [] }) => problems);
  const codes = new Set([...Object.keys(ERRORS), ...declared.map(({ code }) => code)]);
  assert.equal([...new Set(listed)].sort(), [...codes].sort());
});

test.run();
