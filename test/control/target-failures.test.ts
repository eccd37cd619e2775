import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TargetFailures } from '../../src/control/target-failures.js';

const test = suite('target failures');
const HOUR = 3_600_000;
const failure = (at: number, cause: string, since: number | null = at) => ({
  service: 's',
  url: 'http://a',
  at,
  error: 'upstream/reset',
  cause,
  since,
});

/** Failures of a target with `replies.count` replies. */
function failuresOf(replies: { count: number }) {
  const failures = new TargetFailures(() => replies.count);
  const of = () => failures.of('s', 'http://a');
  return { failures, of };
}

test('of two workers that report a target, the later failure is kept', () => {
  const { failures, of } = failuresOf({ count: 0 });
  failures.note([failure(2000, 'later')]);
  failures.note([failure(1000, 'earlier')]);
  assert.is(of().lastFailure?.cause, 'later');
});

test('a system clock set back hides no failure', () => {
  const { failures, of } = failuresOf({ count: 0 });
  failures.note([failure(HOUR, 'before', null)]);
  failures.note([failure(60_000, 'after', null)]);
  assert.equal(of(), { lastFailure: { at: 60_000, error: 'upstream/reset', cause: 'after' }, failingSince: null });
});

test('the failure start of a target is its first consecutive failure in any worker', () => {
  const { failures, of } = failuresOf({ count: 7 });
  failures.note([failure(1000, 'first')]);
  failures.note([failure(2000, 'by another worker')]);
  failures.note([failure(3000, 'last', 1000)]);
  assert.is(of().failingSince, 1000);
});

test('a reply in any worker ends a series of failures, and the next failure starts a new one', () => {
  const replies = { count: 7 };
  const { failures, of } = failuresOf(replies);
  failures.note([failure(1000, 'first')]);
  replies.count++;
  assert.equal([of().failingSince, of().lastFailure?.cause], [null, 'first']);
  failures.note([failure(5000, 'again', 1000)]);
  assert.is(of().failingSince, 1000, 'the reply came after the failure at 1000, which is all that is known');
  replies.count++;
  failures.note([failure(9000, 'and again', 1000)]);
  assert.is(of().failingSince, 5000);
});

test('a reply received before the failure report ends the series', () => {
  const { failures, of } = failuresOf({ count: 8 });
  failures.note([failure(1000, 'then it replied', null)]);
  assert.equal([of().failingSince, of().lastFailure?.at], [null, 1000]);
});

test.run();
