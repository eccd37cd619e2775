import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { EMPTY_HISTORY, extendHistory, HISTORY_SECONDS, type History, targetId } from '../../src/dashboard/history.js';
import type { Snapshot } from '../../src/telemetry/snapshot.js';
import { route, snapshot, targets } from './sample.js';

const START = 1_790_000_000_000;

/** A snapshot `seconds` after the start, with `requests` on route `a`. */
function at(seconds: number, requests: number, more: Partial<Snapshot> = {}): Snapshot {
  const latency = { p50: 1, p95: seconds, p99: 9 };
  return snapshot({ routes: [route('a', { requests, latency })], ...more }, { now: START + seconds * 1000 });
}

const seriesOf = (history: History, name = 'requests'): readonly number[] | undefined =>
  history.routes.get('a')?.series[name];

test('counters become rates, other values are unchanged', () => {
  let history = extendHistory(EMPTY_HISTORY, at(0, 100));
  assert.is(seriesOf(history), undefined, 'one snapshot says nothing about a rate');
  history = extendHistory(history, at(1, 110));
  history = extendHistory(history, at(2, 150));
  assert.equal(seriesOf(history), [10, 40]);
  assert.equal(seriesOf(history, 'p95'), [1, 2]);
});

test('seconds without a snapshot share the count of the gap', () => {
  let history = extendHistory(EMPTY_HISTORY, at(0, 0));
  history = extendHistory(history, at(4, 40));
  assert.equal(seriesOf(history), [10, 10, 10, 10]);
  const soon = extendHistory(history, at(4.2, 44));
  assert.is(soon, history, 'two snapshots at once are one');
  assert.equal(seriesOf(extendHistory(soon, at(5, 50))), [10, 10, 10, 10, 10]);
});

test('a counter reset does not give a negative rate', () => {
  let history = extendHistory(EMPTY_HISTORY, at(0, 500));
  history = extendHistory(history, at(1, 3));
  assert.equal(seriesOf(history), [0]);
});

test('the history keeps two minutes, only for entities of the last snapshot', () => {
  let history = EMPTY_HISTORY;
  for (let second = 0; second <= 200; second++) history = extendHistory(history, at(second, second * second));
  assert.is(seriesOf(history)?.length, HISTORY_SECONDS);
  assert.is(seriesOf(history)?.at(-1), 399);
  history = extendHistory(history, snapshot({ routes: [] }, { now: START + 201_000 }));
  assert.is(history.routes.size, 0);
});

test('targets, limits and keys have histories, at most 2,000 entities of each kind', () => {
  const many = Array.from({ length: 3_000 }, (_, index) => route(`r${index}`, {}));
  const history = extendHistory(EMPTY_HISTORY, snapshot({ routes: many }));
  assert.is(history.routes.size, 2_000);
  const [first] = targets();
  assert.ok(first && history.targets.has(targetId(first)));
  assert.ok(history.limits.has('polite') && history.keys.has('polite acme'));
});

test.run();
