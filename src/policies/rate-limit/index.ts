/** Compile part of rate-limit. */
import { declarePolicy, formatRate, limitKeyOf } from '../compile-kit.js';
import { PROBLEMS } from './problems.js';
import { effectiveRate, type RateLimitConfig, type RateLimitSettings, schema } from './schema.js';

/** A limit above this protects no service; it is almost certainly a typing error. */
const ABSURD_PER_SECOND = 1e6;

export default declarePolicy<RateLimitConfig, RateLimitSettings>({
  use: 'rate-limit',
  summary: 'Limits requests per time window; excess requests get 429',
  phase: 'limit',
  phaseOf: ({ at }) => at,
  stateful: true,
  schema,
  // Not the limit: a raised one keeps its counts.
  stateKey: ({ by }) => (by.startsWith('header:') ? by.toLowerCase() : by),
  traits: (config) => ({ limitsBy: config.by.toLowerCase(), rate: true }),
  problems: Object.values(PROBLEMS),
  codes: [
    { code: 'limit/zero', severity: 'error', summary: 'A limit of zero refuses every request' },
    { code: 'limit/absurd', severity: 'warning', summary: 'A limit is too high to have any effect' },
    {
      code: 'limit/guard-consumer',
      severity: 'error',
      summary: 'A limit counts by consumer before authentication',
    },
    { code: 'limit/cost', severity: 'error', summary: 'A request costs more than the limit can hold' },
  ],
  lint(config, _context, report) {
    if (config.at === 'guard' && config.by === 'consumer') {
      report({
        code: 'limit/guard-consumer',
        severity: 'error',
        at: ['at'],
        message: 'This limit counts by consumer, but in the phase `guard` the consumer is not known yet.',
        help: 'Remove `at`, or set `by = "ip"`.',
      });
    }
    const { capacity, periodMs } = config.limit;
    if (capacity === 0) {
      report({
        code: 'limit/zero',
        severity: 'error',
        at: ['limit'],
        message: `The limit \`${formatRate(config.limit)}\` refuses every request.`,
        help: 'Set a limit above zero. To refuse all requests, remove the route.',
      });
      return;
    }
    if ((capacity * 1000) / periodMs > ABSURD_PER_SECOND) {
      report({
        code: 'limit/absurd',
        severity: 'warning',
        at: ['limit'],
        message: `The limit \`${formatRate(config.limit)}\` allows more than a million requests per second, so it has no effect.`,
        help: 'Set a rate that the service can handle, or remove the policy.',
      });
    }
    const holds = config.burst ?? capacity;
    if (config.cost > holds) {
      report({
        code: 'limit/cost',
        severity: 'error',
        at: ['cost'],
        message: `One request costs ${config.cost}, but the limit holds at most ${holds}: every request is refused.`,
        help: 'Lower `cost`, or raise `limit` or `burst`.',
      });
    }
  },
  compile(config) {
    const rate = effectiveRate(config.limit, config.burst);
    return {
      rate: { capacity: rate.capacity, periodMs: rate.periodMs },
      ...limitKeyOf(config.by),
      cost: config.cost,
      observe: config.mode === 'observe',
      fields: config.fields,
    };
  },
});
