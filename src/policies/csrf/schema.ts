/** Config of the csrf policy. */
import { type Infer, isFieldName, s, secretReference } from '../compile-kit.js';
import { originProblem } from '../kits/origins.js';

const ORIGIN = /^https?:\/\/(\*\.)?([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(:\d{1,5})?$/;

const tokenName = (what: string) => (name: string) =>
  isFieldName(name) ? undefined : `\`${name}\` is not a valid ${what} name.`;

export const schema = s.object({
  trusted_origins: s
    .array(
      s
        .string({ pattern: ORIGIN, expected: 'an origin such as `"https://app.example.com"`' })
        .check('schema/format', originProblem),
    )
    .describe(
      'Origins whose pages may send requests, besides that of the request itself: exact, or with a wildcard for the leftmost labels (`https://*.example.com`).',
      ['https://app.example.com'],
    )
    .default([]),
  same_site: s
    .boolean()
    .describe('Accept pages of the same site too: other subdomains of the same registered domain.')
    .default(false),
  require_source: s
    .boolean()
    .describe('Refuse requests with none of `Origin`, `Sec-Fetch-Site` and `Referer`, as programs send them.')
    .default(false),
  token: s
    .object({
      secrets: s
        .array(secretReference(), { min: 1 })
        .describe('Secrets of at least 32 bytes: references. The first one signs, all of them verify.', [
          '${env:CSRF_SECRET}',
        ]),
      cookie: s
        .string({ nonEmpty: true })
        .check('schema/format', tokenName('cookie'))
        .describe('Cookie with the token. Names with `__Host-` are only accepted from this host over HTTPS.')
        .default('__Host-csrf'),
      header: s
        .string({ nonEmpty: true })
        .check('schema/format', tokenName('header field'))
        .describe('Request field in which pages repeat the token.')
        .default('x-csrf-token'),
      session: s
        .string({ nonEmpty: true })
        .check('schema/format', tokenName('cookie'))
        .describe('Cookie with the session: a token is valid only for the session that it was issued for.', 'sid')
        .optional(),
    })
    .describe('Require a signed token too: a cookie whose value pages repeat in a field (signed double submit).')
    .optional(),
});

export type CsrfConfig = Infer<typeof schema>;

export type TokenSettings = {
  readonly secrets: readonly (string | { readonly $ref: string })[];
  readonly cookie: string;
  /** Lower case. */
  readonly header: string;
  readonly session?: string;
};

export type CsrfSettings = {
  readonly origins: readonly string[];
  /** `https://*.example.com:8443` split around the star. */
  readonly wildcards: readonly { readonly before: string; readonly after: string }[];
  readonly sameSite: boolean;
  readonly requireSource: boolean;
  readonly token?: TokenSettings;
};
