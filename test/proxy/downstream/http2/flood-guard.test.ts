import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FloodGuard } from '../../../../src/proxy/downstream/http2/flood-guard.js';
import { Frame } from '../../../../src/proxy/http2/frame-scanner.js';

/** How many resets a client may send at once. */
function resetsAtOnce(guard: FloodGuard): number {
  let count = 0;
  while (guard.received(Frame.RstStream, 0, 4, 16_384) === undefined) count++;
  return count;
}

test('bug: a burst after a quiet time was twice as large as allowed, and reached the bound of nghttp2', () => {
  let now = 3_600_000;
  const guard = new FloodGuard(() => now);
  assert.is(resetsAtOnce(guard), 500);
  now += 3_600_000;
  assert.is(guard.received(Frame.RstStream, 0, 4, 16_384), undefined);
  now += 3_600_000;
  assert.is(resetsAtOnce(guard), 500);
});

test('an account refills with time and with answers', () => {
  let now = 0;
  const guard = new FloodGuard(() => now);
  resetsAtOnce(guard);
  now += 200;
  assert.is(resetsAtOnce(guard), 10);
  for (let at = 0; at < 7; at++) guard.answered();
  assert.is(resetsAtOnce(guard), 7);
});

test.run();
