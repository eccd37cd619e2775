/** rate-limit, the half that the compiler reads. */
import { declarePolicy, formatRate } from '../compile-kit.js';
import { effectiveRate, type RateLimitConfig, type RateLimitSettings, schema } from './schema.js';

/** Above this no counter is what protects a service; the number is a slip of the finger. */
const ABSURD_PER_SECOND = 1e6;

export default declarePolicy<RateLimitConfig, RateLimitSettings>({
  use: 'rate-limit',
  summary: 'Lets so many requests pass in a time and answers further ones with 429.',
  phase: 'limit',
  stateful: true,
  schema,
  traits: (config) => ({ limitsBy: config.by.toLowerCase() }),
  codes: [
    { code: 'limit/zero', severity: 'error', summary: 'A limit of zero refuses every request.' },
    { code: 'limit/absurd', severity: 'warning', summary: 'A limit so high that it can never act.' },
    { code: 'limit/cost', severity: 'error', summary: 'A request costs more than the limit ever holds.' },
  ],
  lint(config, _context, report) {
    const { capacity, periodMs } = config.limit;
    if (capacity === 0) {
      report({
        code: 'limit/zero',
        severity: 'error',
        at: ['limit'],
        message: `The limit \`${formatRate(config.limit)}\` refuses every request.`,
        help: 'Write the number of requests that may pass, or take the route out of the spec.',
      });
      return;
    }
    if ((capacity * 1000) / periodMs > ABSURD_PER_SECOND) {
      report({
        code: 'limit/absurd',
        severity: 'warning',
        at: ['limit'],
        message: `The limit \`${formatRate(config.limit)}\` is more than a million requests a second: it never acts.`,
        help: 'Write the rate that the service can bear, or leave the policy out.',
      });
    }
    const holds = config.burst ?? capacity;
    if (config.cost > holds) {
      report({
        code: 'limit/cost',
        severity: 'error',
        at: ['cost'],
        message: `One request costs ${config.cost}, but the limit never holds more than ${holds}: every request is refused.`,
        help: 'Lower `cost`, or raise `limit` or `burst`.',
      });
    }
  },
  compile(config) {
    const rate = effectiveRate(config.limit, config.burst);
    const header = config.by.startsWith('header:') ? config.by.slice('header:'.length).toLowerCase() : undefined;
    return {
      rate: { capacity: rate.capacity, periodMs: rate.periodMs },
      by: header === undefined ? (config.by as 'ip' | 'consumer' | 'route') : 'header',
      ...(header === undefined ? {} : { header }),
      cost: config.cost,
      observe: config.mode === 'observe',
      fields: config.fields,
    };
  },
});
