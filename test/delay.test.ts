import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Backoff, Delay } from '../src/delay.js';

const waits = (backoff: Backoff, count: number): number[] => Array.from({ length: count }, () => backoff.next());

test('each failure in a row doubles the wait, up to the longest', () => {
  assert.equal(waits(new Backoff({ firstMs: 2, maxMs: 10 }), 5), [2, 4, 8, 10, 10]);
});

test('with `immediate` the first attempt follows at once', () => {
  assert.equal(waits(new Backoff({ firstMs: 100, maxMs: 300, immediate: true }), 4), [0, 100, 200, 300]);
});

test('the first wait follows again after a reset, and after a run of `stableMs`', () => {
  const backoff = new Backoff({ firstMs: 1, maxMs: 100, stableMs: 50 });
  assert.equal(waits(backoff, 3), [1, 2, 4]);
  assert.is(backoff.next(49), 8);
  assert.is(backoff.next(50), 1);
  backoff.reset();
  assert.is(backoff.next(), 1);
});

test('the longest wait holds after any number of failures', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 10_000 });
  for (let failure = 0; failure < 5000; failure++) backoff.next();
  assert.is(backoff.next(), 10_000);
});

test('a delay ends when it is interrupted', async () => {
  const delay = new Delay();
  const waiting = delay.wait(60_000);
  delay.interrupt();
  await waiting;
});

test.run();
