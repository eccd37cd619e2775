/** Compares docs/running.md with the code. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MAX_EVENT_CLIENTS, MAX_WAITING_BYTES } from '../../src/control/admin/events.js';
import { CONTROL_CODES } from '../../src/control/codes.js';
import { STUCK_AFTER, STUCK_AFTER_LOADING } from '../../src/control/workers/thread.js';
import { allCodes } from '../../src/lint/index.js';
import { IDLE_GRACE } from '../../src/proxy/downstream/http1/connection-state.js';

const page = readFileSync(resolve('docs/running.md'), 'utf8');

test('the table has exactly the codes that control reports', () => {
  const listed = [...page.matchAll(/^\| `([a-z]+\/[a-z-]+)` \|/gm)].map((found) => found[1]);
  assert.equal(
    listed,
    CONTROL_CODES.map(({ code }) => code),
  );
});

test('codes of control and of the compiler differ', () => {
  const others = new Set(allCodes().map(({ code }) => code));
  assert.equal(
    CONTROL_CODES.filter(({ code }) => others.has(code)),
    [],
  );
});

test('the page states the bounds from the code', () => {
  assert.is(MAX_EVENT_CLIENTS, 32);
  assert.match(page, 'At most 32 clients can read events');
  assert.is(MAX_WAITING_BYTES, 1024 * 1024);
  assert.is(STUCK_AFTER, 10);
  assert.is(STUCK_AFTER_LOADING, 60);
  assert.match(page, 'has not answered ten times (sixty while it loads)');
  assert.is(IDLE_GRACE, 500);
  assert.match(page, 'An idle connection has half a second');
});

test.run();
