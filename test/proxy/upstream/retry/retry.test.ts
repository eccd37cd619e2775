/** Budgets, waits and latencies of retries, on a clock that the test sets. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { RetryBudget } from '../../../../src/proxy/upstream/retry/budget.js';
import { LatencyEstimate } from '../../../../src/proxy/upstream/retry/latency.js';
import { RetryRules, retryAfterMs } from '../../../../src/proxy/upstream/retry/rules.js';
import { seeded } from '../../../support/random.js';

const test = suite('retries');

/** Takes all that a budget has. */
function takeAll(budget: RetryBudget): number {
  let taken = 0;
  while (budget.take()) taken++;
  return taken;
}

test('budget: a fifth of the requests, and three a second in any case', () => {
  const budget = new RetryBudget();
  budget.sweep(5000);
  assert.is(takeAll(budget), 30);
  budget.requests = 1000;
  assert.is(takeAll(budget), 170, '200 in all');
  budget.sweep(9000);
  assert.is(takeAll(budget), 0, 'still within ten seconds');
  budget.sweep(15_000);
  assert.is(takeAll(budget), 30);
});

test('what was repeated before the first sweep counts', () => {
  const budget = new RetryBudget();
  assert.is(takeAll(budget), 30);
  budget.sweep(5_000_000);
  assert.is(takeAll(budget), 0);
  budget.sweep(5_010_000);
  assert.is(takeAll(budget), 30);
});

test('budget: workers share the minimum, and each has the percentage of its own requests', () => {
  const budget = new RetryBudget();
  budget.configure(50, 3, 4);
  budget.sweep(1000);
  assert.is(takeAll(budget), 7);
  budget.requests = 100;
  assert.is(takeAll(budget), 43);
});

test('budget: nothing is left of a long time ago', () => {
  const budget = new RetryBudget();
  budget.sweep(3000);
  budget.requests = 1000;
  budget.sweep(4000);
  budget.sweep(28_000);
  assert.is(takeAll(budget), 30);
});

test('law: a repeat is the last one that the larger of share and minimum of ten seconds permits', () => {
  for (let seed = 1; seed <= 50; seed++) {
    const next = seeded(seed);
    const budget = new RetryBudget();
    const percent = 1 + Math.floor(next() * 100);
    const min = Math.floor(next() * 10);
    budget.configure(percent, min, 1);
    let now = 0;
    const requests: number[] = [];
    const repeats: number[] = [];
    for (let step = 0; step < 600; step++) {
      if (next() < 0.4) now += next() * 400;
      budget.sweep(now);
      if (next() < 0.6) {
        budget.requests++;
        requests.push(Math.floor(now / 1000));
      }
      if (next() >= 0.7 || !budget.take()) continue;
      repeats.push(Math.floor(now / 1000));
      const since = Math.floor(now / 1000) - 9;
      const count = (times: number[]): number => times.filter((second) => second >= since).length;
      assert.ok(count(repeats) <= Math.max((count(requests) * percent) / 100, min * 10), `seed ${seed}`);
    }
  }
});

test('waits are random, double each time, and have a maximum', () => {
  const rules = new RetryRules({
    retries: 5,
    retry: { on: ['connect'], backoff: 100, backoffMax: 500, budget: 20, budgetMin: 3, retryAfterMax: 1000 },
  });
  assert.equal(
    [1, 2, 3, 4, 9].map((attempts) => rules.delay(attempts, 0.5)),
    [50, 100, 200, 250, 250],
  );
  assert.is(rules.delay(3, 0), 0);
  assert.equal([rules.retryAfter(1000), rules.retryAfter(1001)], [1000, undefined]);
});

test('rules: causes, methods, statuses and codes of gRPC', () => {
  const plain = new RetryRules({ retries: 1 });
  assert.equal(
    (['connect', 'reset', 'timeout'] as const).map((cause) => plain.allows(cause, 1)),
    [true, true, false],
  );
  assert.is(plain.allows('connect', 2), false);
  assert.equal([plain.repeats('PUT'), plain.repeats('POST'), plain.readsReplies], [true, false, false]);
  const rules = new RetryRules({
    retries: 2,
    retry: {
      on: ['timeout'],
      statuses: [503],
      grpc: [14],
      methods: ['POST'],
      backoff: 0,
      backoffMax: 0,
      budget: 20,
      budgetMin: 3,
      retryAfterMax: 0,
    },
  });
  assert.equal([rules.repeats('POST'), rules.repeats('GET'), rules.allows('reset', 1)], [true, false, false]);
  assert.equal(
    [
      rules.isRetryable(503, ''),
      rules.isRetryable(200, '14'),
      rules.isRetryable(200, '13'),
      rules.isRetryable(500, ''),
    ],
    [true, true, false, false],
  );
});

test('Retry-After: seconds, a date, and what is neither', () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);
  for (const [value, ms] of [
    ['2', 2000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 12:00:03 GMT', 3000],
    ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
    ['2.5', 0],
    ['-1', 0],
    ['2030', 2_030_000],
    ['soon', 0],
    ['2026-01-01T13:00:00Z', 0],
    ['99999999999', 0],
    [undefined, 0],
  ] as const)
    assert.is(retryAfterMs(value, now), ms, String(value));
});

test('a percentile of the latencies is at most a fourth too high, and forgets', () => {
  const estimate = new LatencyEstimate();
  estimate.sweep(1);
  for (let at = 1; at <= 19; at++) estimate.add(at);
  assert.is(estimate.percentile(95), undefined, 'too few');
  for (let at = 20; at <= 1000; at++) estimate.add(at);
  for (const [percentile, exact] of [
    [50, 500],
    [95, 950],
    [99, 990],
  ] as const) {
    const found = estimate.percentile(percentile)!;
    assert.ok(found >= exact && found <= exact * 1.25, `p${percentile}: ${found}`);
  }
  estimate.sweep(10_001);
  for (let at = 0; at < 1000; at++) estimate.add(1);
  assert.ok(estimate.percentile(95)! > 500, 'both windows count');
  estimate.sweep(20_002);
  assert.ok(estimate.percentile(95)! < 2);
  estimate.sweep(30_003);
  assert.is(estimate.percentile(95), undefined);
});

test.run();
