/** Config of the introspect policy. */
import { callUrl, type Infer, s } from '../compile-kit.js';
import type { ClaimRules, StepUp } from '../kits/bearer/claims.js';
import type { DpopSettings } from '../kits/bearer/dpop.js';
import type { PlaceSettings } from '../kits/bearer/places.js';
import { claimFields, placeFields, plainUrl, senderFields } from '../kits/bearer/schema.js';
import type { KeySourceSettings } from '../kits/jose/key-source.js';
import { ALGORITHMS, type Algorithm } from '../kits/jose/keys.js';
import type { ClientSettings } from '../kits/oauth-client/client.js';
import { clientFields } from '../kits/oauth-client/schema.js';
import type { ResourceSettings } from '../kits/protected-resource.js';
import { resourceFields } from '../kits/protected-resource-schema.js';

const signed = s.object({
  jwks: s.reference('an http or https URL', plainUrl).describe('URL of the key set (JWKS) of the server.').optional(),
  keys: s
    .array(s.string({ nonEmpty: true }), { min: 1 })
    .describe('Files with public keys of the server: PEM, JWK or JWKS. Relative to the spec.')
    .optional(),
  issuer: s.string({ nonEmpty: true }).describe('`iss` of the answers.', 'https://id.example.com'),
  audience: s.string({ nonEmpty: true }).describe('`aud` of the answers: gw, as the server knows it.', 'gateway'),
  algorithms: s
    .array(s.enum(...ALGORITHMS.filter((alg) => !alg.startsWith('HS'))), { min: 1 })
    .describe('Accepted algorithms.')
    .default(['RS256', 'PS256', 'ES256', 'EdDSA']),
});

export const schema = s.object({
  url: callUrl()
    .describe(
      'URL of the introspection endpoint. It becomes a service with the default settings.',
      'https://id.example.com/introspect',
    )
    .optional(),
  service: s.string({ nonEmpty: true }).describe('Name of the service with the endpoint, instead of `url`.').optional(),
  path: s
    .string({ pattern: /^\/[\x21-\x22\x24-\x7e]*$/, expected: 'a path such as `"/introspect"`' })
    .describe('Path of the endpoint of `service`. Default: `/`.', '/introspect')
    .optional(),
  ...clientFields(),
  token_type_hint: s
    .string({ pattern: /^[A-Za-z0-9_.:-]+$/, expected: 'a type such as `"access_token"`' })
    .describe('`token_type_hint` of the requests.')
    .default('access_token'),
  timeout: s.duration({ min: 1 }).describe('Time limit for an answer.').default(5000),
  max_answer: s
    .size({ min: 64, max: 1024 ** 2 })
    .describe('Largest body of an answer.')
    .default(64 * 1024),
  cache: s
    .duration()
    .describe('How long an answer about a valid token is kept, at most until the token expires. `0s`: not at all.')
    .default(60_000),
  cache_invalid: s.duration().describe('How long an answer about a token that is not valid is kept.').default(10_000),
  signed: signed.describe('Require answers that the server has signed (RFC 9701), and verify them.').optional(),
  ...claimFields,
  require_exp: s.boolean().describe('Refuse tokens of which the server does not say when they expire.').default(false),
  leeway: s.duration().describe('Tolerance for clocks that differ, for `exp`, `nbf` and `iat`.').default(30_000),
  ...placeFields,
  ...senderFields,
  ...resourceFields,
});

export type IntrospectConfig = Infer<typeof schema>;

export type SignedSettings = {
  readonly source: KeySourceSettings;
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly Algorithm[];
};

export type IntrospectSettings = PlaceSettings & {
  readonly service: string;
  /** With query. */
  readonly path: string;
  /** For assertions of the client. */
  readonly endpoint: string;
  readonly client?: ClientSettings;
  readonly hint: string;
  /** Milliseconds. */
  readonly timeout: number;
  /** Bytes. */
  readonly maxAnswer: number;
  /** Milliseconds. */
  readonly keep: number;
  readonly keepInvalid: number;
  readonly signed?: SignedSettings;
  readonly rules: ClaimRules;
  readonly scope: readonly string[];
  readonly consumerClaim?: string;
  readonly forward: boolean;
  readonly optional: boolean;
  readonly realm: string;
  /** Bytes. */
  readonly maxToken: number;
  readonly dpop?: DpopSettings;
  readonly bound: boolean;
  readonly stepUp?: StepUp;
  readonly resource?: ResourceSettings;
};
