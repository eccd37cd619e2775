/** Config of the oidc policy. */
import { fieldProblem, type Infer, isFieldName, plainText, s, secretReference } from '../compile-kit.js';
import type { RemoteKeys } from '../kits/jose/key-source.js';
import { ALGORITHMS, type Algorithm } from '../kits/jose/keys.js';
import type { ClientSettings } from '../kits/oauth-client/client.js';
import { clientFields } from '../kits/oauth-client/schema.js';
import type { ResourceSettings } from '../kits/protected-resource.js';
import { resourceFields } from '../kits/protected-resource-schema.js';

/** An absolute URL without query, fragment and credentials. */
const siteUrl = (what: string) =>
  s.string({ nonEmpty: true }).check('schema/format', (text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url === undefined || !/^https?:$/.test(url.protocol)) return `Expected the URL of ${what}.`;
    return url.search === '' && url.hash === '' && url.username === '' && url.password === ''
      ? undefined
      : `The URL of ${what} has no query, no fragment and no credentials.`;
  });

/** A path without parameters, as gw receives it. */
const path = () =>
  s.string({ pattern: /^\/[A-Za-z0-9._~/-]*[A-Za-z0-9._~-]$/, expected: 'a path such as `"/oauth2/callback"`' });

const texts = () =>
  s.either<readonly string[]>(
    { kinds: ['string'], schema: s.mapped(s.string({ nonEmpty: true }), (text): readonly string[] => [text]) },
    { kinds: ['array'], schema: s.array(s.string({ nonEmpty: true }), { min: 1 }) },
  );

const scope = () =>
  s.string({
    pattern: /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/,
    expected: 'scopes separated by spaces',
  });

export const schema = s.object({
  issuer: siteUrl('an issuer').describe(
    'Issuer: gw reads its metadata at `/.well-known/openid-configuration`, and keeps its keys current.',
    'https://id.example.com',
  ),
  ...clientFields(),
  base_url: siteUrl('this site').describe(
    'URL of this site as browsers see it. Register `base_url` + `callback` at the issuer as redirect URI.',
    'https://shop.example.com',
  ),
  callback: path().describe('Path of the replies of the issuer.').default('/oauth2/callback'),
  login: path()
    .describe('Path that begins a login. `?return=/path` says where it leads. Default: none.', '/oauth2/login')
    .optional(),
  logout: path().describe('Path that ends the session. Default: none.', '/oauth2/logout').optional(),
  back_channel_logout: path()
    .describe('Path where the issuer ends sessions; needs `session = "stored"`.', '/oauth2/back-channel-logout')
    .optional(),
  logout_at_issuer: s
    .boolean()
    .describe('Also log out at the issuer, if it has an `end_session_endpoint`. The session then holds the ID token.')
    .default(true),
  after_logout: s
    .string({ nonEmpty: true })
    .check('schema/format', (text) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      const fits = text.startsWith('/') ? !/^\/[/\\]/.test(text) : /^https?:$/.test(url?.protocol ?? '');
      return fits ? undefined : 'Expected a path of this site, or an http or https URL.';
    })
    .describe(
      'Where a logout leads: a path of this site, or a URL. Default: a line of text, or a page of the issuer.',
      '/',
    )
    .optional(),
  scope: scope().describe('Scopes of the login. `openid` is always among them.').default('openid'),
  prompt: s
    .string({ pattern: /^[a-z_]+( [a-z_]+)*$/, expected: 'a value such as `"login"`' })
    .describe('`prompt` of the login: `login`, `consent`, `select_account`, or `none`.', 'login')
    .optional(),
  max_age: s
    .duration()
    .describe('Longest time since the person has signed in at the issuer, at a login.', '12h')
    .optional(),
  extra: s
    .map(s.string())
    .describe('Further parameters of the login, such as `audience` or `ui_locales`.', { ui_locales: 'de' })
    .default({}),
  push: s
    .boolean()
    .describe('Send the parameters of logins to the issuer beforehand (RFC 9126). Always, if the issuer requires it.')
    .default(false),
  userinfo: s.boolean().describe('Add the claims of the userinfo endpoint.').default(false),
  algorithms: s
    .array(s.enum(...ALGORITHMS.filter((alg) => !alg.startsWith('HS'))), { min: 1 })
    .describe('Accepted algorithms of tokens. Default: `RS256`, `PS256`, `ES256` and `EdDSA`.')
    .optional(),
  leeway: s.duration().describe('Tolerance for clocks that differ.').default(30_000),
  session: s
    .enum('cookie', 'stored')
    .describe(
      '`cookie`: all of the session is in the cookie. `stored`: the gateway also keeps a mark of each session, so that a logout ends copies of the cookie too.',
    )
    .default('cookie'),
  session_secrets: s
    .array(secretReference(), { min: 1 })
    .describe(
      'Secrets that sessions are encrypted with, at least 32 random bytes each. The first one encrypts, all of them decrypt.',
      ['${env:SESSION_SECRET}'],
    ),
  session_lifetime: s
    .duration({ min: 60_000 })
    .describe('Longest time of a session, whatever happens.')
    .default(8 * 3_600_000),
  session_idle: s
    .duration({ min: 60_000 })
    .describe('A session ends if it is not used for this time. Default: only by `session_lifetime`.', '30min')
    .optional(),
  refresh_before: s
    .duration()
    .describe('How long before its expiry an access token is refreshed; at most a quarter of its lifetime.')
    .default(60_000),
  login_timeout: s
    .duration({ min: 10_000 })
    .describe('Longest time of a login.')
    .default(10 * 60_000),
  cookie: s
    .string({ nonEmpty: true })
    .check('schema/format', (name) =>
      isFieldName(name) && !name.startsWith('__') ? undefined : `\`${name}\` is not a valid cookie name.`,
    )
    .describe('Name of the cookies, after `__Host-`. Default: `gw-` and the name of the policy.')
    .optional(),
  insecure_cookies: s
    .boolean()
    .describe('Cookies without `__Host-` and `Secure`, for http on your own machine.')
    .default(false),
  claims: s
    .array(s.string({ nonEmpty: true }))
    .describe('Claims that a session keeps, besides those that identify the person. Default: all.', ['email', 'groups'])
    .optional(),
  consumer_claim: s
    .string({ nonEmpty: true })
    .describe('Claim whose value is the name of the consumer. Other people get 403.', 'sub')
    .optional(),
  fields: s
    .map(s.string({ nonEmpty: true }))
    .check('schema/key', (fields) => {
      for (const name of Object.keys(fields as object)) {
        const problem = fieldProblem(name);
        if (problem !== undefined) return problem;
      }
      return undefined;
    })
    .describe('Request fields that targets get, each from a claim. Clients cannot send them: theirs are removed.', {
      'x-user': 'sub',
    })
    .default({}),
  forward_token: s
    .boolean()
    .describe('Send the access token to targets, in `Authorization`. What clients send there is removed.')
    .default(false),
  bearer: s
    .object({
      audience: texts().describe('Accepted values of `aud`: a text or a list.', 'orders'),
      scope: scope().describe('Scopes that a token must have.', 'orders:read').optional(),
      bindings: s
        .enum('check', 'ignore')
        .describe(
          'Whether tokens with `cnf` are refused if the client does not prove that it has the certificate. A token that is bound to a key (DPoP) is refused. `ignore`: every bearer may use them.',
        )
        .default('check'),
      max_token: s
        .size({ min: 64, max: 64 * 1024 })
        .describe('Longer tokens are refused unread.')
        .default(8 * 1024),
      ...resourceFields,
    })
    .describe('Also accept bearer tokens of the issuer, for programs. Default: sessions alone.')
    .optional(),
  optional: s
    .boolean()
    .describe('Let requests without a session pass, without claims. Logins begin at `login` alone.')
    .default(false),
  realm: plainText().describe('Realm in the `WWW-Authenticate` field.').default('api'),
  refresh: s
    .duration({ min: 1000 })
    .describe('Time until metadata and keys are fetched again if the issuer does not say.')
    .default(10 * 60_000),
  cooldown: s
    .duration({ min: 1000 })
    .describe('Least time between two fetches because of a token with an unknown `kid`.')
    .default(30_000),
  stale_for: s
    .duration()
    .describe('How long keys are used after their time while the issuer cannot be reached; then 503.')
    .default(3_600_000),
  wait: s.duration({ min: 100 }).describe('How long a load waits for the issuer.').default(5000),
  require_issuer: s
    .boolean()
    .describe('Reject a load if the issuer cannot be reached. Otherwise logins get 503 until it can.')
    .default(false),
});

export type OidcConfig = Infer<typeof schema>;

type Secret = string | { readonly $ref: string };

export type OidcSettings = {
  readonly issuer: string;
  /** As the audience of ID tokens. */
  readonly clientId: string;
  readonly client: ClientSettings;
  readonly keys: Extract<RemoteKeys, { from: 'metadata' }>;
  /** Without a slash at the end. */
  readonly baseUrl: string;
  readonly redirectUri: string;
  readonly scope: string;
  readonly prompt?: string;
  /** Seconds. */
  readonly maxAge?: number;
  readonly extra: { readonly [name: string]: string };
  readonly push: boolean;
  readonly userinfo: boolean;
  readonly algorithms: readonly Algorithm[];
  /** Milliseconds, here and below. */
  readonly leeway: number;
  readonly stored: boolean;
  readonly secrets: readonly Secret[];
  readonly lifetime: number;
  readonly idle?: number;
  readonly refreshBefore: number;
  readonly loginTimeout: number;
  /** With its prefix. */
  readonly cookie: string;
  readonly secure: boolean;
  /** Absent: all. */
  readonly claims?: readonly string[];
  readonly consumerClaim?: string;
  /** Lower-case field and claim. */
  readonly fields: readonly (readonly [field: string, claim: string])[];
  readonly forwardToken: boolean;
  readonly logoutAtIssuer: boolean;
  readonly afterLogout?: string;
  readonly bearer?: BearerSettings;
  readonly optional: boolean;
  readonly realm: string;
};

export type BearerSettings = {
  readonly audiences: readonly string[];
  readonly scope: readonly string[];
  /** Whether `cnf` counts. */
  readonly bound: boolean;
  /** Bytes. */
  readonly maxToken: number;
  /** Absent: no document about the API. */
  readonly resource?: ResourceSettings;
};
