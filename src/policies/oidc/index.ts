/** Compile part of oidc. */
import { callerFacts, declarePolicy, isLoopbackHost, isPlainHttp } from '../compile-kit.js';
import type { PolicyContext, PolicyPath, PolicyProblem } from '../contract.js';
import { PROBLEMS as BEARER_PROBLEMS } from '../kits/bearer/problems.js';
import { metadataUrls } from '../kits/jose/discovery.js';
import { clientProblems, clientSettings } from '../kits/oauth-client/schema.js';
import { resourceOf, resourcePaths } from '../kits/protected-resource-schema.js';
import { PROBLEMS } from './problems.js';
import { type BearerSettings, type OidcConfig, type OidcSettings, schema } from './schema.js';

const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'] as const;
const NO_CERTIFICATE = 'Use `private_key_jwt`: gw has no certificate for an issuer.';
/** Bytes of the form with a logout token. */
const MAX_FORM = 64 * 1024;
/** Parameters of a login that gw sets. */
const RESERVED: readonly string[] = [
  'client_id',
  'code_challenge',
  'code_challenge_method',
  'max_age',
  'nonce',
  'prompt',
  'redirect_uri',
  'request',
  'request_uri',
  'response_mode',
  'response_type',
  'scope',
  'state',
];

export default declarePolicy<OidcConfig, OidcSettings>({
  use: 'oidc',
  summary: 'Authenticates people by a login at an OpenID Connect issuer',
  phase: 'authenticate',
  authenticator: true,
  stateful: true,
  schema,
  // Keys, and the marks of sessions, belong to the issuer: other edits keep them.
  stateKey: ({ issuer }) => issuer,
  duty: ({ wait, require_issuer }) => ({ wait, required: require_issuer }),
  requestFacts: ({ fields, forward_token }) => [
    ...callerFacts(Object.keys(fields), ['fields']),
    ...(forward_token ? callerFacts(['authorization'], ['forward_token']) : []),
  ],
  traits: ({ bearer, fields, forward_token, optional }) => ({
    authenticates: !optional,
    ...(bearer === undefined
      ? {}
      : { credential: { kind: 'token', header: 'authorization', scheme: 'Bearer' } as const }),
    ownsRequestFields: [...Object.keys(fields).map(lower), ...(forward_token ? ['authorization'] : [])],
  }),
  paths: pathsOf,
  problems: [...Object.values(BEARER_PROBLEMS), ...Object.values(PROBLEMS)],
  codes: [
    { code: 'oidc/client', severity: 'error', summary: 'The client of an oidc policy is not complete' },
    { code: 'oidc/base-url', severity: 'error', summary: 'The site of an oidc policy is not that of its routes' },
    { code: 'oidc/extra', severity: 'error', summary: 'A parameter of logins is set by gw itself' },
    { code: 'oidc/back-channel', severity: 'error', summary: 'A back-channel logout has no stored sessions to end' },
    { code: 'oidc/plain-http', severity: 'warning', summary: 'An issuer is reached over plain http' },
    { code: 'oidc/cookie', severity: 'error', summary: 'Browsers do not keep the cookies of an oidc policy' },
    { code: 'oidc/insecure-cookies', severity: 'warning', summary: 'Session cookies are sent over plain http' },
    {
      code: 'oidc/no-consumers',
      severity: 'warning',
      summary: 'An oidc policy looks up consumers, but there are none',
    },
  ],
  lint(config, context, report) {
    const problems =
      config.client_id === undefined ? [noClient()] : clientProblems(config, 'oidc/client', NO_CERTIFICATE);
    for (const problem of problems) report(problem);
    lintSite(config, context, report);
    lintUse(config, context, report);
  },
  compile(config, { name }) {
    const client = clientSettings(config);
    if (client === undefined) return undefined;
    const { after_logout, bearer, claims, consumer_claim, max_age, prompt, session_idle } = config;
    const baseUrl = config.base_url.replace(/\/$/, '');
    const scopes = config.scope.split(' ');
    return {
      issuer: config.issuer,
      // A reference is resolved like every other text of the settings.
      clientId: client.id as string,
      client,
      keys: {
        from: 'metadata',
        issuer: config.issuer,
        urls: metadataUrls(config.issuer).slice(0, 1),
        refresh: config.refresh,
        cooldown: config.cooldown,
        staleFor: config.stale_for,
      },
      baseUrl,
      redirectUri: baseUrl + config.callback,
      scope: (scopes.includes('openid') ? scopes : ['openid', ...scopes]).join(' '),
      ...(prompt === undefined ? {} : { prompt }),
      ...(max_age === undefined ? {} : { maxAge: Math.floor(max_age / 1000) }),
      extra: config.extra,
      push: config.push,
      userinfo: config.userinfo,
      algorithms: config.algorithms ?? ALGORITHMS,
      leeway: config.leeway,
      stored: config.session === 'stored',
      secrets: config.session_secrets,
      lifetime: config.session_lifetime,
      ...(session_idle === undefined ? {} : { idle: session_idle }),
      refreshBefore: config.refresh_before,
      loginTimeout: config.login_timeout,
      cookie: cookieOf(config, name),
      secure: !config.insecure_cookies,
      ...(claims === undefined ? {} : { claims }),
      ...(consumer_claim === undefined ? {} : { consumerClaim: consumer_claim }),
      fields: Object.entries(config.fields).map(([field, claim]) => [lower(field), claim] as const),
      forwardToken: config.forward_token,
      logoutAtIssuer: config.logout_at_issuer && config.logout !== undefined,
      ...(after_logout === undefined
        ? {}
        : { afterLogout: after_logout.startsWith('/') ? baseUrl + after_logout : after_logout }),
      ...(bearer === undefined ? {} : { bearer: bearerOf(bearer, config.issuer) }),
      optional: config.optional,
      realm: config.realm,
    };
  },
});

const lower = (name: string): string => name.toLowerCase();

/** `__Host-` ties a cookie to one host. A policy that is written in a route has a slash in its name. */
const cookieOf = ({ cookie, insecure_cookies }: OidcConfig, name: string): string =>
  `${insecure_cookies ? '' : '__Host-'}${cookie ?? `gw-${name.replace(/[^A-Za-z0-9_.-]/g, '-')}`}`;

function bearerOf(bearer: NonNullable<OidcConfig['bearer']>, issuer: string): BearerSettings {
  const resource = resourceOf(bearer, [issuer], { header: 'authorization', scheme: 'Bearer' });
  return {
    audiences: bearer.audience,
    scope: bearer.scope === undefined ? [] : bearer.scope.split(' '),
    bound: bearer.bindings === 'check',
    maxToken: bearer.max_token,
    ...(resource === undefined ? {} : { resource }),
  };
}

function pathsOf({ back_channel_logout, bearer, callback, login, logout }: OidcConfig): PolicyPath[] {
  return [
    { name: 'callback', match: `GET ${callback}`, at: ['callback'] },
    ...(login === undefined ? [] : [{ name: 'login', match: `GET ${login}`, at: ['login'] }]),
    ...(logout === undefined ? [] : [{ name: 'logout', match: `GET,POST ${logout}`, at: ['logout'], maxBody: 4096 }]),
    ...(back_channel_logout === undefined
      ? []
      : [
          {
            name: 'back-channel-logout',
            match: `POST ${back_channel_logout}`,
            at: ['back_channel_logout'],
            maxBody: MAX_FORM,
          },
        ]),
    ...resourcePaths(bearer ?? {}).map((path) => ({ ...path, at: ['bearer', ...path.at] })),
  ];
}

type Report = (problem: PolicyProblem) => void;

const noClient = (): PolicyProblem => ({
  code: 'oidc/client',
  severity: 'error',
  at: [],
  message: 'The policy has no client at the issuer: `client_id` is missing.',
  help: 'Register a client at the issuer, and add `client_id` and `client_secret`.',
});

/** Whether browsers will come back, and keep the cookies. */
function lintSite(config: OidcConfig, { routes }: PolicyContext, report: Report): void {
  const { hostname, protocol } = new URL(config.base_url);
  const others = routes.filter(({ hosts = [] }) => hosts.length > 0 && !hosts.some((host) => covers(host, hostname)));
  const [other] = others;
  if (other !== undefined)
    report({
      code: 'oidc/base-url',
      severity: 'error',
      at: ['base_url'],
      message: `Route \`${other.name}\` is not at \`${hostname}\`: cookies of one host are not sent to another one, so its logins would never end.`,
      help: 'Use a policy of its own for each host, with its own `base_url`.',
    });
  const plain = protocol === 'http:';
  if (plain && !config.insecure_cookies)
    report({
      code: 'oidc/cookie',
      severity: 'error',
      at: ['base_url'],
      message: 'Browsers keep `__Host-` cookies only over https, so a login over http would never end.',
      help: 'Use https. For http on your own machine, set `insecure_cookies = true`.',
    });
  if (config.insecure_cookies && !(plain && isLoopbackHost(hostname)))
    report({
      code: 'oidc/insecure-cookies',
      severity: 'warning',
      at: ['insecure_cookies'],
      message: plain
        ? 'Session cookies cross the network in plain text: who reads one is signed in.'
        : 'The site is served over https, but its session cookies would also be sent over http.',
      help: plain ? 'Use https, and remove `insecure_cookies`.' : 'Remove `insecure_cookies`.',
    });
}

function lintUse(config: OidcConfig, { consumers }: PolicyContext, report: Report): void {
  for (const name of Object.keys(config.extra))
    if (RESERVED.includes(name))
      report({
        code: 'oidc/extra',
        severity: 'error',
        at: ['extra', name],
        message: `\`${name}\` is set by gw itself.`,
        help: ['max_age', 'prompt', 'scope'].includes(name) ? `Use the key \`${name}\` of the policy.` : 'Remove it.',
      });
  if (config.back_channel_logout !== undefined && config.session !== 'stored')
    report({
      code: 'oidc/back-channel',
      severity: 'error',
      at: ['back_channel_logout'],
      message: 'A session that is only in a cookie cannot be ended by the issuer.',
      help: 'Set `session = "stored"`, or remove `back_channel_logout`.',
    });
  if (isPlainHttp(config.issuer))
    report({
      code: 'oidc/plain-http',
      severity: 'warning',
      at: ['issuer'],
      message: 'Anyone between gw and the issuer can read the client secret, and replace keys and tokens.',
      help: 'Use https.',
    });
  if (config.consumer_claim !== undefined && consumers.length === 0)
    report({
      code: 'oidc/no-consumers',
      severity: 'warning',
      at: ['consumer_claim'],
      message: 'No consumer is declared, so every person gets 403.',
      help: 'Declare `[consumer.NAME]`, or remove `consumer_claim`.',
    });
}

/** Whether a host of a match, exact or `*.` wildcard, takes a host. */
const covers = (pattern: string, host: string): boolean =>
  pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)));
