/** When and how failed attempts are repeated. */
import { quoted, s } from '../../schema/declare.js';
import { parseDuration } from '../../schema/units.js';

/** Codes of gRPC that may mean that another attempt succeeds, by their names in a spec. */
export const GRPC_CODES = {
  cancelled: 1,
  'deadline-exceeded': 4,
  'resource-exhausted': 8,
  aborted: 10,
  internal: 13,
  unavailable: 14,
} as const;

const MOST_ATTEMPTS = 10;

/** Milliseconds after which at the earliest an attempt begins beside another one, if a percentile says when. */
const LEAST_HEDGE = 10;

export interface HedgeConfig {
  /** Undefined: after a fixed time. */
  readonly percentile?: number | undefined;
  readonly after: number;
  readonly attempts: number;
}

const isPercentile = (text: string): boolean => /^p[1-9][0-9](\.[0-9])?$/.test(text);

const hedgeAfter = () =>
  s.mapped(
    s.string({ nonEmpty: true }).check('schema/format', (text) => {
      if (isPercentile(text) || (parseDuration(text) ?? 0) > 0) return undefined;
      return {
        message: `Expected a percentile such as \`"p95"\` or a duration such as \`"50ms"\`, found ${quoted(text)}.`,
        help: 'Percentiles are `p10` to `p99.9`.',
      };
    }),
    (text): Pick<HedgeConfig, 'percentile' | 'after'> =>
      isPercentile(text) ? { percentile: Number(text.slice(1)), after: 0 } : { after: parseDuration(text)! },
  );

/** When, or a table. */
const hedge = () =>
  s
    .either<HedgeConfig>(
      {
        kinds: ['string'],
        schema: s.mapped(
          hedgeAfter(),
          (when): HedgeConfig => ({ ...when, after: when.after || LEAST_HEDGE, attempts: 1 }),
        ),
      },
      {
        kinds: ['table'],
        schema: s.mapped(
          s.object({
            after: hedgeAfter().describe('Percentile or duration.', 'p95'),
            min: s.duration({ min: 1 }).describe('Shortest time for a percentile.').default(LEAST_HEDGE),
            attempts: s
              .integer({ min: 1, max: 3 })
              .describe('Most attempts of a request that begin beside others.')
              .default(1),
          }),
          ({ after, min, attempts }): HedgeConfig => ({ ...after, after: after.after || min, attempts }),
        ),
      },
    )
    .optional();

export const retry = () =>
  s.object({
    attempts: s
      .integer({ max: MOST_ATTEMPTS })
      .describe('Number of further attempts; default: `retries` of the service.')
      .optional(),
    on: s
      .array(s.enum('connect', 'reset', 'timeout'))
      .describe(
        'Failures that are repeated: no connection to the target (`connect`), a connection that ends before the reply (`reset`), no reply within `attempt_timeout` or `response_timeout` (`timeout`). Default: `connect` and `reset`, with `attempt_timeout` also `timeout`.',
        ['connect', 'reset', 'timeout'],
      )
      .optional(),
    attempt_timeout: s
      .duration({ min: 1 })
      .describe(
        'Time limit of one attempt until the head of its reply, including the connection; with a body, from its last byte. Then the attempt ends, and another one may follow.',
        '500ms',
      )
      .optional(),
    statuses: s
      .array(s.integer({ min: 400, max: 599 }))
      .describe('Statuses of replies that lead to another attempt. The last reply is passed on.', [502, 503, 504])
      .default([]),
    grpc: s
      .array(s.enum(...(Object.keys(GRPC_CODES) as (keyof typeof GRPC_CODES)[])))
      .describe(
        'Statuses of gRPC that lead to another attempt if the reply consists of them alone; `methods` must contain `POST`.',
        ['unavailable'],
      )
      .default([]),
    methods: s
      .array(s.string({ pattern: /^[A-Z][A-Z-]*$/, expected: 'a method such as `"POST"`' }), { min: 1 })
      .describe(
        'Methods of requests that are sent again although a target may have got them; default: the idempotent ones (`GET`, `HEAD`, `OPTIONS`, `PUT`, `DELETE`, `TRACE`).',
      )
      .optional(),
    max_body: s
      .size({ max: 16 * 1024 * 1024 })
      .describe('A request body up to this size is kept in memory until the reply, so that it can be sent again.')
      .default(64 * 1024),
    backoff: s
      .duration()
      .describe(
        'Longest wait before the first repeat; doubled for each further one. The wait is a random part of it (full jitter).',
      )
      .default(25),
    backoff_max: s.duration().describe('Longest wait before any repeat.').default(250),
    budget: s
      .integer({ min: 1, max: 100 })
      .describe('Repeats as a percentage of the requests of the last 10 seconds.')
      .default(20),
    budget_min: s.integer().describe('Repeats each second that are allowed in any case.').default(3),
    hedge: hedge().describe(
      'Begins another attempt at a different target while one has no reply: after a percentile of the latencies of the service such as `p95`, or after a duration. The first reply is used, and the others are cancelled. Only for idempotent methods; counts in the budget.',
      'p95',
    ),
    retry_after_max: s
      .duration()
      .describe('Longest `Retry-After` that is waited for before a repeat. A reply that asks for more is passed on.')
      .default(2000),
  });

/** Further attempts after the first one. */
export const attemptsOf = ({
  retries,
  retry: table,
}: {
  readonly retries: number;
  readonly retry?: { readonly attempts?: number | undefined } | undefined;
}): number => table?.attempts ?? retries;
