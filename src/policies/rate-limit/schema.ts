/** Config of the rate-limit policy. */
import { type Infer, limitBy, s } from '../compile-kit.js';
import type { LimitRate } from '../contract.js';

export const schema = s.object({
  limit: s.rate().describe('Number of requests per time window.', '100/min'),
  burst: s
    .integer({ min: 1 })
    .describe('Number of requests accepted at once after a pause. Default: the number in `limit`.')
    .optional(),
  by: limitBy()
    .describe(
      'What requests are counted by. `ip`: the client address, for IPv6 its /64 network. `consumer` and `header:NAME` count a request that has none by its address.',
      'consumer',
    )
    .default('ip'),
  at: s
    .enum('limit', 'guard')
    .describe(
      'Where it counts. `guard`: before authentication, so that guesses of credentials count too; not for `by = "consumer"`.',
    )
    .default('limit'),
  cost: s.integer({ min: 1 }).describe('How much of the limit one request uses.').default(1),
  mode: s
    .enum('enforce', 'observe')
    .describe('`observe` counts but never refuses, and sends no `RateLimit` fields; use it to try out a limit.')
    .default('enforce'),
  fields: s.boolean().describe('Send `RateLimit` and `RateLimit-Policy` fields to clients.').default(true),
});

export type RateLimitConfig = Infer<typeof schema>;

export type RateLimitSettings = {
  readonly rate: { readonly capacity: number; readonly periodMs: number };
  readonly by: 'ip' | 'consumer' | 'route' | 'header';
  /** Lower case; with by = header. */
  readonly header?: string;
  readonly cost: number;
  readonly observe: boolean;
  readonly fields: boolean;
};

/** The limit with its burst as capacity; the refill rate stays the same. */
export function effectiveRate(limit: LimitRate, burst: number | undefined): LimitRate {
  if (burst === undefined || limit.capacity === 0) return limit;
  return { capacity: burst, periodMs: (limit.periodMs * burst) / limit.capacity };
}
