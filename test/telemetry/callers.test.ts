import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CallerCounts, MOST_REASONS } from '../../src/telemetry/callers.js';

test('requests and refusals are counted by consumer until they are taken', () => {
  const counts = new CallerCounts();
  assert.is(counts.take(0), undefined);
  counts.note('acme', null, 999.8);
  counts.note('acme', 'limit/exceeded', 1500.3);
  counts.note(null, 'auth/missing', 1000);
  assert.equal(counts.take(500), [
    { consumer: 'acme', requests: 2, lastSeen: 2000, refused: { 'limit/exceeded': 1 } },
    { consumer: null, requests: 1, lastSeen: 1500, refused: { 'auth/missing': 1 } },
  ]);
  assert.is(counts.take(0), undefined);
});

test('the number of consumers and of reasons in one report is bounded', () => {
  const counts = new CallerCounts();
  for (let at = 0; at < 10_000; at++) counts.note(`c${at}`, null, at);
  const taken = counts.take(0)!;
  assert.is(taken.length, 4097);
  assert.is(
    taken.reduce((sum, { requests }) => sum + requests, 0),
    10_000,
  );
  for (let at = 0; at < 100; at++) counts.note('acme', `custom/${at}`, at);
  const refused = counts.take(0)![0]!.refused;
  assert.is(Object.keys(refused).length, MOST_REASONS + 1);
  assert.is(refused['other'], 100 - MOST_REASONS);
});

test.run();
