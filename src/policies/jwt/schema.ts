/** Config of the jwt policy. */
import { type Infer, isFieldName, s } from '../compile-kit.js';
import type { ClaimRules, StepUp } from '../kits/bearer/claims.js';
import { DPOP_ALGORITHMS, type DpopSettings } from '../kits/bearer/dpop.js';
import type { PlaceSettings } from '../kits/bearer/places.js';
import type { RevokedEntry } from '../kits/bearer/revocations.js';
import type { KeySourceSettings } from '../kits/jose/key-source.js';
import { ALGORITHMS, type Algorithm } from '../kits/jose/keys.js';

const plainUrl = (text: string): string | undefined => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) return 'Expected an http or https URL.';
  return parsed.username === '' && parsed.password === '' ? undefined : 'The URL must not contain credentials.';
};

const originProblem = (text: string): string | undefined =>
  plainUrl(text) ??
  (new URL(text).origin === text ? undefined : 'Expected scheme, host and port alone, without a path.');

const url = s.reference('an http or https URL', plainUrl);

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

const scopes = () =>
  s.string({
    pattern: /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
    expected: 'scopes separated by spaces',
  });

/** The keys and the rules of one issuer. */
const issuerFields = {
  jwks: url
    .describe('URL of the key set (JWKS). One of `jwks`, `discovery`, `metadata`, `keys` and `secret` is required.')
    .optional(),
  discovery: s
    .boolean()
    .describe('Find the key set by the metadata of `issuer`: OpenID Connect Discovery, or else RFC 8414.')
    .optional(),
  metadata: s
    .string({ nonEmpty: true })
    .check('schema/format', plainUrl)
    .describe(
      'URL of the metadata of the issuer, which names the key set.',
      'https://id.example.com/.well-known/openid-configuration',
    )
    .optional(),
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
  profile: s
    .enum('at+jwt')
    .describe('Accept only access tokens of this profile: `at+jwt` (RFC 9068). It needs `issuer` and `audience`.')
    .optional(),
  types: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Accepted values of `typ`. Default: `JWT`, `at+jwt`, or none at all; with `profile`: only that.')
    .optional(),
  scope: scopes()
    .describe('Scopes that a token must have, in `scope` or `scp`. Without them: 403.', 'orders:read')
    .optional(),
  claims: s
    .map(requirement)
    .describe('Claims that a token must have: `true` for any value, a text, or a list of accepted texts.')
    .optional(),
  consumer_claim: s
    .string({ nonEmpty: true })
    .describe('Claim whose value is the name of the consumer. A token that names no consumer gets 403.', 'sub')
    .optional(),
};

const dpopMode = () => s.enum('required', 'optional');

const dpopOptions = s.object({
  mode: dpopMode().describe('`required`: only tokens with proofs. `optional`: bearer tokens too.').default('required'),
  algorithms: s
    .array(s.enum(...DPOP_ALGORITHMS), { min: 1 })
    .describe('Accepted algorithms of proofs.')
    .default(['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA']),
  window: s
    .duration({ min: 1000 })
    .describe('How old a proof may be, and how far its time may lie in the future.')
    .default(60_000),
  nonce: s
    .either<number | false>(
      { kinds: ['boolean'], schema: s.mapped(s.boolean(), (on): number | false => (on ? 300_000 : false)) },
      { kinds: ['string'], schema: s.duration({ min: 10_000 }) },
    )
    .describe('Require nonces of gw in proofs: `true` for 5 minutes, or how long one is accepted.')
    .default(false),
  origin: s
    .string({ nonEmpty: true })
    .check('schema/format', (text) => originProblem(text))
    .describe(
      'Scheme, host and port of the URLs in proofs. Default: those of `resource`, or else of the request.',
      'https://api.example.com',
    )
    .optional(),
});

export const schema = s.object({
  ...issuerFields,
  issuers: s
    .array(s.object(issuerFields), { min: 1 })
    .describe(
      'Several issuers, each with `issuer`, a source of keys and its own rules. The `iss` of a token chooses; what an issuer leaves out is that of the policy.',
    )
    .optional(),
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
  dpop: s
    .either<Infer<typeof dpopOptions>>(
      { kinds: ['string'], schema: s.mapped(dpopMode(), (mode) => ({ ...DPOP_DEFAULTS, mode })) },
      { kinds: ['table'], schema: dpopOptions },
    )
    .describe('Tokens that are bound to a key (DPoP, RFC 9449): `"required"`, `"optional"`, or a table.', 'required')
    .optional(),
  bindings: s
    .enum('check', 'ignore')
    .describe(
      'Whether tokens with `cnf` are refused if the client does not prove that it has the key or the certificate. `ignore`: every bearer may use them.',
    )
    .default('check'),
  acr_values: texts().describe('Accepted values of `acr`. Otherwise the client is asked to sign in anew.').optional(),
  max_age: s.duration({ min: 1000 }).describe('Longest time since the person signed in (`auth_time`).').optional(),
  revocations: s
    .object({
      file: s.string({ nonEmpty: true }).describe('File with the list, relative to the spec.').optional(),
      url: url.describe('URL of the list, which gw fetches in the background.').optional(),
      refresh: s
        .duration({ min: 1000 })
        .describe('Time until the list is fetched again if its reply does not say.')
        .default(60_000),
      stale_for: s
        .duration()
        .describe('How long the list is used after its time while it cannot be fetched; then 503.')
        .default(600_000),
    })
    .describe('Revoked tokens: `{"revoked": [{"jti": "..."}, {"sub": "ann", "issued_before": 1800000000}]}`.')
    .optional(),
});

const DPOP_DEFAULTS: Omit<Infer<typeof dpopOptions>, 'mode'> = {
  algorithms: ['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA'],
  window: 60_000,
  nonce: false,
  origin: undefined,
};

export type JwtConfig = Infer<typeof schema>;

/** An issuer whose tokens are accepted, and the rules for them. */
export type TrustedIssuer = ClaimRules & {
  readonly source: KeySourceSettings;
  readonly algorithms: readonly Algorithm[];
  /** Lower case, without `application/`; absent: the default. */
  readonly types?: readonly string[];
  readonly scope: readonly string[];
  readonly consumerClaim?: string;
};

export type RevocationSettings =
  | { readonly from: 'file'; readonly entries: readonly RevokedEntry[] }
  | {
      readonly from: 'url';
      readonly url: string | { readonly $ref: string };
      /** Milliseconds. */
      readonly refresh: number;
      readonly staleFor: number;
    };

export type JwtSettings = PlaceSettings & {
  /** One of them may have no names: then it takes every token. */
  readonly trusted: readonly TrustedIssuer[];
  readonly forward: boolean;
  readonly optional: boolean;
  readonly realm: string;
  /** Bytes. */
  readonly maxToken: number;
  readonly dpop?: DpopSettings;
  /** Whether `cnf` counts. */
  readonly bound: boolean;
  readonly stepUp?: StepUp;
  readonly revocations?: RevocationSettings;
};
