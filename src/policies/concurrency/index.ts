/** Compile part of concurrency. */
import { declarePolicy, limitKeyOf } from '../compile-kit.js';
import { PROBLEMS } from './problems.js';
import { type ConcurrencyConfig, type ConcurrencySettings, schema } from './schema.js';

export default declarePolicy<ConcurrencyConfig, ConcurrencySettings>({
  use: 'concurrency',
  summary: 'Limits requests in progress at the same time; excess requests get 429 or 503',
  phase: 'limit',
  phaseOf: ({ at }) => at,
  stateful: true,
  schema,
  // Not the maximum: after a reload, requests in progress still count.
  stateKey: ({ by }) => (by.startsWith('header:') ? by.toLowerCase() : by),
  traits: ({ by }) => ({ limitsBy: by.toLowerCase(), holds: true }),
  problems: Object.values(PROBLEMS),
  codes: [
    { code: 'concurrency/zero', severity: 'error', summary: 'A maximum of zero refuses every request' },
    {
      code: 'concurrency/guard-consumer',
      severity: 'error',
      summary: 'A policy counts requests by consumer before authentication',
    },
  ],
  lint({ at, by, max }, _context, report) {
    if (max === 0) {
      report({
        code: 'concurrency/zero',
        severity: 'error',
        at: ['max'],
        message: 'With `max = 0`, every request is refused.',
        help: 'Set a maximum above zero. To refuse all requests, remove the route.',
      });
    }
    if (at === 'guard' && by === 'consumer') {
      report({
        code: 'concurrency/guard-consumer',
        severity: 'error',
        at: ['at'],
        message: 'This policy counts by consumer, but in the phase `guard` the consumer is not known yet.',
        help: 'Remove `at`, or set `by = "ip"`.',
      });
    }
  },
  compile: ({ by, max, mode, retry_after }) => ({
    max,
    ...limitKeyOf(by),
    observe: mode === 'observe',
    retryAfter: Math.ceil(retry_after / 1000),
  }),
});
