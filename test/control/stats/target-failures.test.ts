import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TargetFailures } from '../../../src/control/stats/gateway-stats.js';

const test = suite('target failures');
const HOUR = 3_600_000;
const failure = (at: number, cause: string) => ({ service: 's', url: 'http://a', at, error: 'upstream/reset', cause });

test('of two workers that report a target, the later failure counts', () => {
  const failures = new TargetFailures();
  failures.note([failure(2000, 'later')]);
  failures.note([failure(1000, 'earlier')]);
  assert.is(failures.of('s', 'http://a')?.cause, 'later');
});

test('a system time that is set back hides no failure', () => {
  const failures = new TargetFailures();
  failures.note([failure(HOUR, 'before')]);
  failures.note([failure(60_000, 'after')]);
  assert.equal(failures.of('s', 'http://a'), { at: 60_000, error: 'upstream/reset', cause: 'after' });
});

test.run();
