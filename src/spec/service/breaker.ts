/** The circuit breaker of a service. */
import { s } from '../../schema/declare.js';

export const breaker = () =>
  s.object({
    errors: s
      .integer({ max: 100 })
      .describe(
        'Percentage of failed requests within `window` from which the breaker opens; 0: it does not open for this.',
      )
      .default(50),
    requests: s
      .integer({ min: 1 })
      .describe('Number of requests within `window` from which the percentage counts.')
      .default(20),
    consecutive: s
      .integer()
      .describe('Number of failed requests in a row from which the breaker opens; 0: it does not open for this.')
      .default(0),
    window: s.duration({ min: 100 }).describe('Time that counts for the percentage.').default(10_000),
    open_for: s
      .duration({ min: 1 })
      .describe('How long every request gets 503 before some are sent to the service again.')
      .default(5000),
    probes: s
      .integer({ min: 1, max: 1000 })
      .describe(
        'Number of requests that are sent then. If all succeed the breaker closes, if one fails it opens again.',
      )
      .default(3),
  });
