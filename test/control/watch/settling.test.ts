import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CAUTION_MS, MOVED_MS, PATIENCE_MS, Settling, WRITTEN_MS } from '../../../src/control/watch/settling.js';
import type { Stamp } from '../../../src/control/watch/stamp.js';

const stamp = (version: number, size = 10): Stamp => ({
  identity: '1.1',
  version: String(version),
  size,
  moved: false,
  changedAt: version,
});

/** Returns when a file written at these times counts as complete. */
function completeAt(writes: readonly number[], moved = false, size = 10): number {
  const settling = new Settling();
  for (const at of writes) settling.look('a', stamp(at, size), moved, at);
  const last = writes.at(-1) ?? 0;
  return last + settling.dueIn('a', last);
}

test('a file moved into place is complete at once', () => {
  assert.is(completeAt([1000], true), 1000 + MOVED_MS);
});

test('a file written in place is complete when writes stop', () => {
  assert.is(completeAt([1000]), 1000 + WRITTEN_MS);
  assert.is(completeAt([1000, 1005, 1010]), 1010 + WRITTEN_MS);
});

test('the wait for a pausing writer follows its longest pause', () => {
  assert.is(completeAt([1000, 1300, 1310]), 1310 + 1200);
  assert.is(completeAt([1000, 1900]), 1900 + CAUTION_MS);
});

test('two distant saves do not count as one pausing writer', () => {
  assert.is(completeAt([1000, 4000]), 4000 + WRITTEN_MS);
});

test('an empty file gets the longest wait', () => {
  assert.is(completeAt([1000], false, 0), 1000 + CAUTION_MS);
});

test('the pauses of a writer are remembered across a build', () => {
  const settling = new Settling();
  for (const at of [0, 300]) settling.look('a', stamp(at), false, at);
  settling.built(['a'], 1500);
  settling.look('a', stamp(1), false, 1600);
  assert.is(settling.dueIn('a', 1600), WRITTEN_MS);
  settling.look('a', stamp(2), false, 1900);
  assert.is(settling.dueIn('a', 1900), 1200);
});

test('an extra wait applies only to the current save and never to a moved file', () => {
  const settling = new Settling();
  settling.look('a', stamp(0), false, 0);
  assert.not(settling.insist('a', CAUTION_MS, 500));
  assert.is(settling.dueIn('a', 500), CAUTION_MS - 500);
  assert.ok(settling.insist('a', CAUTION_MS, CAUTION_MS));
  settling.look('b', stamp(0), true, 0);
  assert.ok(settling.insist('b', CAUTION_MS, 100));
});

test('a file that keeps changing is complete after a maximum wait', () => {
  const settling = new Settling();
  for (let at = 0; at <= PATIENCE_MS; at += 100) settling.look('a', stamp(at), false, at);
  assert.is(settling.dueIn('a', PATIENCE_MS), 0);
});

test.run();
