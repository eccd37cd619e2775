/** Compile part of introspect. */
import { declarePolicy, isPlainHttp } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { PROBLEMS } from '../kits/bearer/problems.js';
import { placesOf, senderOf } from '../kits/bearer/schema.js';
import { calledOf, calledProblem, callsOf } from '../kits/called-service.js';
import { keysOrNone, readKeyFile } from '../kits/jose/key-files.js';
import type { KeySourceSettings } from '../kits/jose/key-source.js';
import { clientProblems, clientSettings } from '../kits/oauth-client/schema.js';
import { resourceOf, resourcePaths } from '../kits/protected-resource-schema.js';
import { type IntrospectConfig, type IntrospectSettings, type SignedSettings, schema } from './schema.js';

/** Milliseconds, of the key set of the server. */
const TIMES = { refresh: 600_000, cooldown: 30_000, staleFor: 3_600_000 };
const WAIT = 5000;

type Signed = NonNullable<IntrospectConfig['signed']>;
type Report = (problem: PolicyProblem) => void;

export default declarePolicy<IntrospectConfig, IntrospectSettings>({
  use: 'introspect',
  summary: 'Authenticates callers by tokens that an authorization server knows',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  duty: ({ signed }) => (signed?.jwks === undefined ? undefined : { wait: WAIT, required: false }),
  traits: (config) => {
    const places = placesOf(config);
    const { header } = places;
    const owned = header !== undefined && !config.forward ? { ownsRequestFields: [header] } : {};
    const grants = config.scopes === undefined ? {} : { grants: config.scopes };
    const client = clientSettings(config)?.method === 'client_secret_basic' ? ['authorization'] : [];
    const callFields = ['content-type', 'accept', ...client];
    return {
      authenticates: !config.optional,
      credential: { kind: 'token', ...places },
      callFields,
      ...grants,
      ...owned,
    };
  },
  calls: callsOf,
  paths: resourcePaths,
  codes: [
    { code: 'introspect/service', severity: 'error', summary: 'An introspect policy names no endpoint, or two' },
    { code: 'introspect/client', severity: 'error', summary: 'The client of an introspect policy is not complete' },
    { code: 'introspect/signed', severity: 'error', summary: 'Signed answers cannot be verified' },
    {
      code: 'introspect/plain-http',
      severity: 'warning',
      summary: 'The key set of signed answers is fetched over plain http',
    },
    { code: 'introspect/no-audience', severity: 'warning', summary: 'Tokens for other services are accepted' },
  ],
  problems: Object.values(PROBLEMS),
  lint(config, context, report) {
    lintService(config, report);
    for (const problem of clientProblems(config, 'introspect/client', noCertificate(config))) report(problem);
    if (config.signed !== undefined) lintSigned(config.signed, context, report);
    lintUse(config, context, report);
  },
  compile(config, context) {
    const { issuer = [], audience = [], scope, claims = {}, consumer_claim, dpop, signed } = config;
    const called = calledOf(config);
    const client = clientSettings(config);
    const resource = resourceOf(config, issuer, placesOf(config), dpop);
    return {
      ...called,
      endpoint: config.url ?? called.path,
      ...(client === undefined ? {} : { client }),
      hint: config.token_type_hint,
      timeout: config.timeout,
      maxAnswer: config.max_answer,
      keep: config.cache,
      keepInvalid: config.cache_invalid,
      ...(signed === undefined ? {} : { signed: signedOf(signed, context) }),
      rules: { issuers: issuer, audiences: audience, claims, leeway: config.leeway, requireExp: config.require_exp },
      scope: scope === undefined ? [] : scope.split(' '),
      ...(consumer_claim === undefined ? {} : { consumerClaim: consumer_claim }),
      ...placesOf(config),
      forward: config.forward,
      optional: config.optional,
      realm: config.realm,
      maxToken: config.max_token,
      ...senderOf(config, config.resource),
      ...(resource === undefined ? {} : { resource }),
    };
  },
});

function signedOf(signed: Signed, context: PolicyContext): SignedSettings {
  const { jwks, keys = [], issuer, audience, algorithms } = signed;
  const source: KeySourceSettings =
    jwks === undefined
      ? { from: 'keys', keys: keys.flatMap((path) => keysOrNone(path, context)) }
      : { from: 'jwks', url: jwks, ...TIMES };
  return { source, issuer, audience, algorithms };
}

const noCertificate = ({ service }: IntrospectConfig): string | undefined =>
  service === undefined ? 'Set `service` to one whose `tls` has `cert` and `key`, instead of `url`.' : undefined;

function lintService(config: IntrospectConfig, report: Report): void {
  const { url, service, client_auth, client_key, client_audience } = config;
  const words = { missing: 'This policy does not name the endpoint that knows the tokens.', does: 'knows the tokens' };
  const found = calledProblem(config, 'introspect/service', words);
  if (found !== undefined) report(found);
  const asserts = client_auth === 'private_key_jwt' || (client_auth === undefined && client_key !== undefined);
  if (url === undefined && service !== undefined && asserts && client_audience === undefined)
    report({
      code: 'introspect/client',
      severity: 'error',
      at: ['service'],
      message: 'The assertion of the client names the URL of the endpoint, which a service does not have.',
      help: 'Set `client_audience` to the URL of the endpoint, or use `url`.',
    });
}

function lintSigned(signed: Signed, context: PolicyContext, report: Report): void {
  const problem = { code: 'introspect/signed', severity: 'error' } as const;
  if ((signed.jwks === undefined) === (signed.keys === undefined))
    report({
      ...problem,
      at: ['signed'],
      message: `Signed answers are verified with \`jwks\` or with \`keys\`, and this policy has ${signed.jwks === undefined ? 'neither' : 'both'}.`,
      help: 'Set one of them.',
    });
  for (const [index, path] of (signed.keys ?? []).entries()) {
    const fault = readKeyFile(path, context);
    if (typeof fault !== 'string') continue;
    report({
      ...problem,
      at: ['signed', 'keys', index],
      message: `The key file \`${path}\` ${fault}.`,
      help: 'Write a public key as PEM, a certificate, a JWK or a JWKS.',
    });
  }
}

function lintUse(config: IntrospectConfig, { routes }: PolicyContext, report: Report): void {
  if (isPlainHttp(config.signed?.jwks))
    report({
      code: 'introspect/plain-http',
      severity: 'warning',
      at: ['signed', 'jwks'],
      message: 'The key set is fetched over plain http: anyone on the way could replace the keys and sign answers.',
      help: 'Use an https URL.',
    });
  if (config.audience === undefined && routes.length > 0)
    report({
      code: 'introspect/no-audience',
      severity: 'warning',
      at: [],
      message: 'This policy has no `audience`, so it also accepts tokens that were issued for other services.',
      help: 'Set `audience` to the value of `aud` that the server gives for this service.',
    });
}
