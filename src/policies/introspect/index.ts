/** Compile part of introspect. */
import { declarePolicy, isPlainHttp, parseCallUrl } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { PROBLEMS } from '../kits/bearer/problems.js';
import { placesOf, senderOf } from '../kits/bearer/schema.js';
import { keysOfFile } from '../kits/jose/key-files.js';
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
  calls: ({ url, service }) => [
    ...(url === undefined ? [] : [{ at: ['url'], url }]),
    ...(service === undefined ? [] : [{ at: ['service'], service }]),
  ],
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
    const { service, issuer = [], audience = [], scope, claims = {}, consumer_claim, dpop, signed } = config;
    const called = config.url === undefined ? undefined : parseCallUrl(config.url);
    const path = called?.path ?? config.path ?? '/';
    const client = clientSettings(config);
    const resource = resourceOf(config, issuer, placesOf(config), dpop);
    return {
      service: called?.origin ?? service ?? '',
      path,
      endpoint: config.url ?? path,
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
      ? { from: 'keys', keys: keys.flatMap((path) => fileKeys(path, context).keys) }
      : { from: 'jwks', url: jwks, ...TIMES };
  return { source, issuer, audience, algorithms };
}

function fileKeys(path: string, context: PolicyContext) {
  const { text, cause } = context.readFile(path);
  const read = text === undefined ? `cannot be read: ${cause}` : keysOfFile(text);
  return typeof read === 'string' ? { keys: [], fault: read } : { keys: read, fault: undefined };
}

const noCertificate = ({ service }: IntrospectConfig): string | undefined =>
  service === undefined ? 'Set `service` to one whose `tls` has `cert` and `key`, instead of `url`.' : undefined;

function lintService(
  { url, service, path, client_auth, client_key, client_audience }: IntrospectConfig,
  report: Report,
): void {
  const problem = { code: 'introspect/service', severity: 'error' } as const;
  if (url === undefined && service === undefined)
    report({
      ...problem,
      at: [],
      message: 'This policy does not name the endpoint that knows the tokens.',
      help: 'Set `url = "https://..."`, or `service = "NAME"` and `path`.',
    });
  else if (url !== undefined && service !== undefined)
    report({
      ...problem,
      at: ['service'],
      message: 'A service and a URL are set, so it is not clear which one knows the tokens.',
      help: 'Keep `url`, or `service` and `path`.',
    });
  else if (url !== undefined && path !== undefined)
    report({
      ...problem,
      at: ['path'],
      message: '`path` belongs to `service`; the URL has a path of its own.',
      help: 'Write the path into `url`.',
    });
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
    const { fault } = fileKeys(path, context);
    if (fault === undefined) continue;
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
