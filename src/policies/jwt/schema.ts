/** Config of the jwt policy. */
import { type Infer, s, secretReference } from '../compile-kit.js';
import type { ClaimRules, StepUp } from '../kits/bearer/claims.js';
import type { DpopSettings } from '../kits/bearer/dpop.js';
import type { PlaceSettings } from '../kits/bearer/places.js';
import type { RevokedEntry } from '../kits/bearer/revocations.js';
import { claimFields, placeFields, plainUrl, senderFields } from '../kits/bearer/schema.js';
import type { KeySourceSettings } from '../kits/jose/key-source.js';
import { ALGORITHMS, type Algorithm } from '../kits/jose/keys.js';
import type { ResourceSettings } from '../kits/protected-resource.js';
import { resourceFields } from '../kits/protected-resource-schema.js';

const url = s.reference('an http or https URL', plainUrl);

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
  secret: secretReference()
    .describe('Shared secret for `HS256`, `HS384` and `HS512`: a reference.', '${env:JWT_SECRET}')
    .optional(),
  algorithms: s
    .array(s.enum(...ALGORITHMS), { min: 1 })
    .describe('Accepted algorithms. Default: `RS256`, `PS256`, `ES256` and `EdDSA`; with `secret`: `HS256`.')
    .optional(),
  ...claimFields,
  profile: s
    .enum('at+jwt')
    .describe('Accept only access tokens of this profile: `at+jwt` (RFC 9068). It needs `issuer` and `audience`.')
    .optional(),
  types: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Accepted values of `typ`. Default: `JWT`, `at+jwt`, or none at all; with `profile`: only that.')
    .optional(),
};

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
  ...placeFields,
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
  ...senderFields,
  ...resourceFields,
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
  /** What the document about the API says; absent: there is none. */
  readonly resource?: ResourceSettings;
  readonly revocations?: RevocationSettings;
};
