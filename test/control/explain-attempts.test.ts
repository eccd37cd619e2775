/** What explain says about attempts. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { explainedAttempts } from '../../src/control/explain-attempts.js';

const RETRY = { on: ['connect'], backoff: 25, backoffMax: 250, budget: 20, budgetMin: 3, retryAfterMax: 0 } as const;

test('a service without a table has no lines', () => {
  assert.equal(explainedAttempts({ retries: 1 }), []);
});

test('attempts, their causes and methods', () => {
  assert.equal(explainedAttempts({ retries: 0, retry: RETRY }), ['one attempt']);
  assert.equal(
    explainedAttempts({ retries: 2, retry: { ...RETRY, statuses: [503], grpc: [14], attemptTimeout: 500 } }),
    [
      'up to 3 attempts, each within 500ms: again after connect, status 503, grpc-status 14 (idempotent methods; connect: every method)',
    ],
  );
  assert.match(explainedAttempts({ retries: 1, retry: { ...RETRY, methods: ['GET', 'POST'] } })[0]!, /\(GET, POST;/);
});

test('attempts beside slow ones', () => {
  const lines = (hedge: { percentile?: number; after: number; attempts: number }): string[] =>
    explainedAttempts({ retries: 0, retry: { ...RETRY, hedge } });
  assert.equal(lines({ percentile: 95, after: 10, attempts: 1 }).slice(1), [
    'another attempt beside one without a reply after p95 of the time until replies, at least 10ms',
  ]);
  assert.equal(lines({ after: 50, attempts: 1 }).slice(1), ['another attempt beside one without a reply after 50ms']);
});

test.run();
