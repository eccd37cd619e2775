/** Keys of configs that policies with tokens have in common. For compile parts. */
import { type Infer, isFieldName, plainText, s } from '../../compile-kit.js';
import type { StepUp } from './claims.js';
import { DPOP_ALGORITHMS, type DpopSettings } from './dpop.js';
import type { PlaceSettings } from './places.js';

/** Why a text is not a URL that gw can fetch; undefined if it is. */
export const plainUrl = (text: string): string | undefined => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) return 'Expected an http or https URL.';
  return parsed.username === '' && parsed.password === '' ? undefined : 'The URL must not contain credentials.';
};

const originProblem = (text: string): string | undefined =>
  plainUrl(text) ??
  (new URL(text).origin === text ? undefined : 'Expected scheme, host and port alone, without a path.');

/** One text, or several. */
export const texts = () =>
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

/** What a token must say. */
export const claimFields = {
  issuer: texts().describe('Accepted values of `iss`: a text or a list.', 'https://id.example.com').optional(),
  audience: texts()
    .describe('Accepted values of `aud`: a text or a list. One of them must be in the token.', 'orders')
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
    .optional(),
  consumer_claim: s
    .string({ nonEmpty: true })
    .describe('Claim whose value is the name of the consumer. A token that names no consumer gets 403.', 'sub')
    .optional(),
};

/** Where the token is, and what becomes of it. */
export const placeFields = {
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
  realm: plainText().describe('Realm in the `WWW-Authenticate` field.').default('api'),
  max_token: s
    .size({ min: 64, max: 64 * 1024 })
    .describe('Longer tokens are refused unread.')
    .default(8 * 1024),
};

export interface PlaceConfig {
  readonly header?: string | undefined;
  readonly scheme?: string | undefined;
  readonly cookie?: string | undefined;
  readonly query?: string | undefined;
}

/** The places, with the defaults for header field and scheme. */
export function placesOf({ header, scheme, cookie, query }: PlaceConfig): PlaceSettings {
  const name =
    header?.toLowerCase() ?? (scheme !== undefined || (cookie ?? query) === undefined ? 'authorization' : undefined);
  const prefix = scheme ?? (name === 'authorization' ? 'Bearer' : undefined);
  return {
    ...(name === undefined ? {} : { header: name }),
    ...(name === undefined || prefix === undefined ? {} : { scheme: prefix }),
    ...(cookie === undefined ? {} : { cookie }),
    ...(query === undefined ? {} : { query }),
  };
}

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

const DPOP_DEFAULTS: Omit<Infer<typeof dpopOptions>, 'mode'> = {
  algorithms: ['ES256', 'ES384', 'ES512', 'PS256', 'RS256', 'EdDSA'],
  window: 60_000,
  nonce: false,
  origin: undefined,
};

/** What the sender of a token must prove, and how the person must have signed in. */
export const senderFields = {
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
};

export interface SenderConfig {
  readonly dpop?: Infer<typeof dpopOptions> | undefined;
  readonly bindings: 'check' | 'ignore';
  readonly acr_values?: readonly string[] | undefined;
  readonly max_age?: number | undefined;
}

/** `resource`: the URL of the API, if the spec names it: then proofs are for its origin. */
export function senderOf(
  { dpop, bindings, acr_values: acr = [], max_age }: SenderConfig,
  resource: string | undefined,
): { readonly dpop?: DpopSettings; readonly bound: boolean; readonly stepUp?: StepUp } {
  const stepUp = { acr, ...(max_age === undefined ? {} : { maxAge: max_age }) };
  return {
    ...(dpop === undefined ? {} : { dpop: dpopOf(dpop, resource) }),
    bound: bindings === 'check',
    ...(acr.length === 0 && max_age === undefined ? {} : { stepUp }),
  };
}

function dpopOf(
  { mode, algorithms, window, nonce, origin }: Infer<typeof dpopOptions>,
  resource: string | undefined,
): DpopSettings {
  const seen = origin ?? (resource === undefined ? undefined : new URL(resource).origin);
  return {
    mode,
    algorithms,
    window,
    ...(nonce === false ? {} : { nonce }),
    ...(seen === undefined ? {} : { origin: seen }),
  };
}
