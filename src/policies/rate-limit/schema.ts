/** Config of the rate-limit policy. */

import { type Infer, s } from '../compile-kit.js';
import type { LimitRate } from '../contract.js';

export const schema = s.object({
  limit: s.rate().describe('How many requests in how much time.', '100/min'),
  burst: s
    .integer({ min: 1 })
    .describe('How many at once after a pause. Left out: as many as the limit names.')
    .optional(),
  by: s
    .string({
      pattern: /^(ip|consumer|route|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+)$/,
      expected: '`"ip"`, `"consumer"`, `"route"` or `"header:NAME"`',
    })
    .describe(
      'Who shares one count. `ip`: the address of the client, of IPv6 its /64 network. `consumer` and `header:NAME` count a request that has none by its address.',
      'consumer',
    )
    .default('ip'),
  cost: s.integer({ min: 1 }).describe('How much one request takes of the limit.').default(1),
  mode: s
    .enum('enforce', 'observe')
    .describe('`observe` counts, never refuses, and sends no `RateLimit` fields: to learn what a limit would do.')
    .default('enforce'),
  fields: s.boolean().describe('Tell clients by `RateLimit` and `RateLimit-Policy` fields.').default(true),
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

/** The limit with its burst: refills as fast, holds as much as the burst. */
export function effectiveRate(limit: LimitRate, burst: number | undefined): LimitRate {
  if (burst === undefined || limit.capacity === 0) return limit;
  return { capacity: burst, periodMs: (limit.periodMs * burst) / limit.capacity };
}
