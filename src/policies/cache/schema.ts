/** Config of the cache policy. */
import { type Infer, isFieldName, s } from '../compile-kit.js';

const names = (what: string) => s.array(s.string({ nonEmpty: true }), { min: 1 }).describe(what);

const fieldNames = (what: string, example: readonly string[]) =>
  s
    .array(
      s
        .string()
        .check('schema/format', (name) => (isFieldName(name) ? undefined : 'This is not the name of a header field.')),
      { min: 1 },
    )
    .describe(what, example);

const key = s
  .object({
    query: names(
      'The query parameters that are part of the key. The target does not get others. Default: all.',
    ).optional(),
    query_except: names('Query parameters that are not part of the key. The target does not get them.').optional(),
    fields: fieldNames('Header fields of the request that are part of the key.', ['x-tenant']).optional(),
    cookies: names('Cookies that are part of the key.').optional(),
    consumer: s
      .boolean()
      .describe('Whether each caller that an authenticator has found has replies of its own: by consumer and claims.')
      .default(true),
    claims: names(
      'Claims that tell callers apart; the other claims are not part of the key. Default: all but those of one token, such as `exp` and `jti`.',
    ).optional(),
    client: s.boolean().describe('Whether the address of the client is part of the key.').default(false),
  })
  .describe('What a stored reply is found by, besides method, scheme, host, path and route.');

const DEFAULT_KEY = {
  query: undefined,
  query_except: undefined,
  fields: undefined,
  cookies: undefined,
  consumer: true,
  claims: undefined,
  client: false,
};

export const schema = s.object({
  ttl: s
    .duration({ min: 1, forever: true })
    .describe(
      'Lifetime of replies, in place of the one that the origin gives them. `"forever"`: for data that never changes, stored on disk. Without it the origin decides.',
      '60s',
    )
    .optional(),
  negative: s
    .map(s.duration({ min: 1 }), (status) =>
      /^(3|4|5)\d\d$/.test(status) ? undefined : 'A status is a number from 300 to 599.',
    )
    .describe('Lifetimes of replies with these statuses, in place of the one that the origin gives them.', {
      404: '10s',
    })
    .optional(),
  key: key.default(DEFAULT_KEY),
  stale_while_revalidate: s
    .duration()
    .describe('How long a stale reply is sent while it is fetched anew, if the origin does not say it.', '30s')
    .optional(),
  stale_if_error: s
    .duration()
    .describe('How long a stale reply is sent if the origin fails, if the origin does not say it.', '1h')
    .optional(),
  heuristic: s
    .object({
      percent: s.integer({ min: 1, max: 100 }).describe('Share of the time since Last-Modified.').default(10),
      max: s.duration({ min: 1 }).describe('The longest lifetime.').default(86_400_000),
    })
    .describe(
      'Lifetime of replies that have none, from Last-Modified (RFC 9111 section 4.2.2). Without it they get none.',
    )
    .optional(),
  targeted: fieldNames('Fields that take precedence over Cache-Control, the first one first (RFC 9213).', [
    'cdn-cache-control',
  ]).default(['cdn-cache-control']),
  client_directives: s
    .enum('honor', 'ignore')
    .describe('Whether Cache-Control of requests counts. With `"ignore"`, clients cannot make gw ask the origin.')
    .default('honor'),
  collapse: s
    .boolean()
    .describe('Whether requests for the same reply at the same time cause one request to the origin.')
    .default(true),
  collapse_wait: s
    .duration({ min: 1 })
    .describe('How long a request waits for the one that was sent to the origin, before it is sent itself.')
    .default(5000),
  max_entry: s
    .size()
    .describe('Largest body that is stored.')
    .default(8 * 1024 * 1024),
  disk: s
    .boolean()
    .describe(
      'Whether replies are stored on disk too, so that they survive a restart. Default: with `ttl = "forever"`.',
    )
    .optional(),
  status_field: s
    .boolean()
    .describe('Whether replies say in `Cache-Status` how they came about (RFC 9211).')
    .default(true),
});

export type CacheConfig = Infer<typeof schema>;

export type KeySettings = {
  readonly query: 'all' | readonly string[];
  readonly queryExcept: readonly string[];
  /** Lower case. */
  readonly fields: readonly string[];
  readonly cookies: readonly string[];
  readonly consumer: boolean;
  readonly claims: 'all' | readonly string[];
  readonly client: boolean;
};

/** Times in milliseconds, sizes in bytes. */
export type CacheSettings = {
  /** null: the origin decides. */
  readonly ttl: number | 'forever' | null;
  readonly negative: { readonly [status: string]: number };
  readonly key: KeySettings;
  readonly staleWhileRevalidate: number;
  readonly staleIfError: number;
  readonly heuristic: { readonly fraction: number; readonly mostMs: number } | null;
  readonly targeted: readonly string[];
  readonly clientDirectives: boolean;
  readonly collapse: boolean;
  readonly collapseWait: number;
  readonly maxEntry: number;
  readonly disk: boolean;
  readonly statusField: boolean;
};
