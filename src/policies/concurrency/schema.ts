/** Config of the concurrency policy. */
import { type Infer, limitBy, s } from '../compile-kit.js';

export const schema = s.object({
  max: s.integer({ min: 0 }).describe('Number of requests in progress at the same time.', 10),
  by: limitBy()
    .describe(
      'What requests are counted by. `ip`: the client address, for IPv6 its /64 network. `consumer` and `header:NAME` count a request that has none by its address.',
      'consumer',
    )
    .default('ip'),
  at: s
    .enum('limit', 'guard')
    .describe('Where it counts. `guard`: before authentication; not for `by = "consumer"`.')
    .default('limit'),
  mode: s
    .enum('enforce', 'observe')
    .describe('`observe` counts but never refuses; use it to try out a limit.')
    .default('enforce'),
  retry_after: s
    .duration({ min: 1000 })
    .describe('What `Retry-After` tells refused clients, in whole seconds.', '5s')
    .default(1000),
});

export type ConcurrencyConfig = Infer<typeof schema>;

export type ConcurrencySettings = {
  readonly max: number;
  readonly by: 'ip' | 'consumer' | 'route' | 'header';
  /** Lower case; with by = header. */
  readonly header?: string;
  readonly observe: boolean;
  /** Seconds. */
  readonly retryAfter: number;
};
