import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lastCall } from '../../../src/proxy/downstream/last-call.js';

/** A listener whose connections come at these times, in milliseconds from now. */
const arriving = (...times: number[]): { accepted: number } => {
  const listener = { accepted: 0 };
  for (const time of times) setTimeout(() => listener.accepted++, time);
  return listener;
};

test('it waits for a connection that comes late, and for what comes after it', async () => {
  const listeners = [arriving(), arriving(30, 60, 90)];
  await lastCall(listeners);
  assert.is(listeners[1]?.accepted, 3);
});

test('it has an end although connections come all the time', async () => {
  const listener = { accepted: 0 };
  const timer = setInterval(() => listener.accepted++, 1);
  const begun = performance.now();
  await lastCall([listener]);
  clearInterval(timer);
  assert.ok(performance.now() - begun > 100);
});

test('it ends when the data plane is closed', async () => {
  let looks = 0;
  await lastCall([arriving()], () => ++looks > 2);
  assert.is(looks, 3);
});

test.run();
