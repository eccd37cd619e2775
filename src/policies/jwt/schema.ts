/** Config of the jwt policy. */
import { type Infer, isFieldName, s } from '../compile-kit.js';
import type { Json } from '../contract.js';
import { ALGORITHMS, type Algorithm, type PublicJwk } from './keys.js';

const url = s.reference('an http or https URL', (text) => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) return 'Expected an http or https URL.';
  return parsed.username === '' && parsed.password === '' ? undefined : 'The URL must not contain credentials.';
});

const secret = s.reference(
  'a reference to a secret',
  () => ({
    message: 'A secret must not be written in the spec.',
    help: 'Write a reference: `"${env:NAME}"` or `"${file:path}"`.',
  }),
  { sensitive: true },
);

/** One text, or several. */
const texts = () =>
  s.either<readonly string[]>(
    { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (text): readonly string[] => [text]) },
    { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true }), { min: 1 }) },
  );

/** `true`: the claim must be present. Texts: it must have one of them. */
const requirement = s.either<readonly string[]>(
  { kinds: ['boolean'], schema: s.mapped(s.boolean(), (): readonly string[] => []) },
  { kinds: ['string'], schema: s.mapped(s.string(), (text): readonly string[] => [text]) },
  { kinds: ['array'], schema: s.array(s.string(), { min: 1 }) },
);

const plain = { pattern: /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/, expected: 'plain text without quotes' };

export const schema = s.object({
  jwks: url.describe('URL of the key set (JWKS). One of `jwks`, `keys` and `secret` is required.').optional(),
  keys: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Files with public keys: PEM (a key or a certificate), JWK or JWKS. Relative to the spec.')
    .optional(),
  secret: secret
    .describe('Shared secret for `HS256`, `HS384` and `HS512`: a reference.', '${env:JWT_SECRET}')
    .optional(),
  algorithms: s
    .array(s.enum(...ALGORITHMS), { min: 1 })
    .describe('Accepted algorithms. Default: `RS256`, `PS256`, `ES256` and `EdDSA`; with `secret`: `HS256`.')
    .optional(),
  issuer: texts().describe('Accepted values of `iss`: a text or a list.', 'https://id.example.com').optional(),
  audience: texts()
    .describe('Accepted values of `aud`: a text or a list. One of them must be in the token.', 'orders')
    .optional(),
  types: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Accepted values of `typ`. Default: `JWT`, `at+jwt`, or none at all.')
    .optional(),
  scope: s
    .string({
      pattern: /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
      expected: 'scopes separated by spaces',
    })
    .describe('Scopes that a token must have, in `scope` or `scp`. Without them: 403.', 'orders:read')
    .optional(),
  claims: s
    .map(requirement)
    .describe('Claims that a token must have: `true` for any value, a text, or a list of accepted texts.')
    .default({}),
  leeway: s.duration().describe('Tolerance for clocks that differ, for `exp`, `nbf` and `iat`.').default(30_000),
  require_exp: s.boolean().describe('Refuse tokens without `exp`.').default(true),
  header: s
    .string({ nonEmpty: true })
    .check('schema/format', (name) => (isFieldName(name) ? undefined : `\`${name}\` is not a valid header field name.`))
    .describe('Header field with the token. Default: `authorization`; with only `cookie` or `query`: none.')
    .optional(),
  scheme: s
    .string({ pattern: /^[A-Za-z][A-Za-z0-9-]*$/, expected: 'an authentication scheme such as `"Bearer"`' })
    .describe(
      'Authentication scheme in front of the token. Default: `Bearer` for `authorization`, none for other fields.',
    )
    .optional(),
  cookie: s
    .string({ nonEmpty: true })
    .check('schema/format', (name) => (isFieldName(name) ? undefined : `\`${name}\` is not a valid cookie name.`))
    .describe('Cookie with the token.')
    .optional(),
  query: s
    .string({ nonEmpty: true })
    .describe('Query parameter with the token. Prefer a header: URLs appear in logs.')
    .optional(),
  forward: s.boolean().describe('Send the token to the target. `false` removes it from the request.').default(true),
  optional: s
    .boolean()
    .describe('Let requests without a token pass, without claims. An invalid token still gets 401.')
    .default(false),
  consumer_claim: s
    .string({ nonEmpty: true })
    .describe('Claim whose value is the name of the consumer. A token that names no consumer gets 403.', 'sub')
    .optional(),
  realm: s.string(plain).describe('Realm in the `WWW-Authenticate` field.').default('api'),
  max_token: s
    .size({ min: 64, max: 64 * 1024 })
    .describe('Longer tokens are refused unread.')
    .default(8 * 1024),
  refresh: s
    .duration({ min: 1000 })
    .describe('Time until the key set is fetched again if its reply does not say (`Cache-Control`, `Expires`).')
    .default(10 * 60_000),
  cooldown: s
    .duration({ min: 1000 })
    .describe('Least time between two fetches because of a token with an unknown `kid`.')
    .default(30_000),
  stale_for: s
    .duration()
    .describe('How long keys are used after their time while the key set cannot be fetched; then 503.')
    .default(3_600_000),
  wait: s.duration({ min: 100 }).describe('How long a load waits for the first fetch of the key set.').default(5_000),
  require_keys: s
    .boolean()
    .describe('Reject a load if the first fetch fails. Otherwise requests get 503 until a fetch succeeds.')
    .default(false),
});

export type JwtConfig = Infer<typeof schema>;

/** Where the keys come from. */
export type KeySource =
  | {
      readonly from: 'jwks';
      readonly url: string | { readonly $ref: string };
      /** Milliseconds. */
      readonly refresh: number;
      readonly cooldown: number;
      readonly staleFor: number;
    }
  | { readonly from: 'keys'; readonly keys: readonly PublicJwk[] }
  | { readonly from: 'secret'; readonly secret: string | { readonly $ref: string } };

export type JwtSettings = {
  readonly source: KeySource;
  readonly algorithms: readonly Algorithm[];
  /** Empty: any, or none. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  /** Lower case, without `application/`; absent: the default. */
  readonly types?: readonly string[];
  readonly scope: readonly string[];
  /** Accepted values by claim; none: any. */
  readonly claims: { readonly [name: string]: readonly string[] };
  /** Milliseconds. */
  readonly leeway: number;
  readonly requireExp: boolean;
  /** Lower case. */
  readonly header?: string;
  readonly scheme?: string;
  readonly cookie?: string;
  readonly query?: string;
  readonly forward: boolean;
  readonly optional: boolean;
  readonly consumerClaim?: string;
  readonly realm: string;
  /** Bytes. */
  readonly maxToken: number;
};

/** What the duty publishes. Plain key sets, as explain is given them, have only `keys`. */
export type PublishedKeys = {
  readonly keys: readonly Json[];
  /** Milliseconds of the monotonic clock: when they were fetched, and when they are fetched again. */
  readonly fetchedAt?: number;
  readonly dueAt?: number;
  /** Identifies the URL. */
  readonly of?: string;
};
