/** Compile part of jwt. */
import { declarePolicy, isPlainHttp } from '../compile-kit.js';
import type { Json, PolicyContext, PolicyProblem } from '../contract.js';
import { PROBLEMS } from '../kits/bearer/problems.js';
import { readRevocations } from '../kits/bearer/revocations.js';
import { placesOf, senderOf } from '../kits/bearer/schema.js';
import { resourceOf, resourcePaths } from '../kits/protected-resource-schema.js';
import { lintIssuers } from './lint-issuers.js';
import { type JwtConfig, type JwtSettings, type RevocationSettings, schema } from './schema.js';
import { issuersOf, trustedIssuer } from './trusted.js';

export default declarePolicy<JwtConfig, JwtSettings>({
  use: 'jwt',
  summary: 'Authenticates callers by JSON Web Tokens',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  // The fetched keys belong to the URLs: an edit of anything else fetches nothing.
  stateKey: (config) => stateOf(config),
  duty: (config) => (fetches(config) ? { wait: config.wait, required: config.require_keys } : undefined),
  traits: (config) => {
    const places = placesOf(config);
    const { header } = places;
    const owned = header !== undefined && !config.forward ? { ownsRequestFields: [header] } : {};
    const grants = config.scopes === undefined ? {} : { grants: config.scopes };
    return { authenticates: !config.optional, credential: { kind: 'token', ...places }, ...grants, ...owned };
  },
  paths: resourcePaths,
  codes: [
    { code: 'jwt/keys', severity: 'error', summary: 'A jwt policy has no source of keys, or several' },
    { code: 'jwt/issuers', severity: 'error', summary: 'The issuers of a jwt policy contradict each other' },
    { code: 'jwt/discovery', severity: 'error', summary: 'The metadata of an issuer has no URL' },
    { code: 'jwt/profile', severity: 'error', summary: 'A jwt policy does not check what its profile requires' },
    { code: 'jwt/key-file', severity: 'error', summary: 'A key file of a jwt policy cannot be used' },
    { code: 'jwt/algorithm', severity: 'error', summary: 'An algorithm does not fit the keys of a jwt policy' },
    { code: 'jwt/revocations', severity: 'error', summary: 'A list of revoked tokens cannot be used' },
    { code: 'jwt/no-audience', severity: 'warning', summary: 'A jwt policy accepts tokens for other services' },
    { code: 'jwt/plain-http', severity: 'warning', summary: 'A key set is fetched over plain http' },
    { code: 'jwt/dpop-origin', severity: 'warning', summary: 'Proofs are compared with the Host of the request' },
    { code: 'jwt/unknown-scope', severity: 'warning', summary: 'A required scope is not one that the API knows' },
    { code: 'jwt/no-consumers', severity: 'warning', summary: 'A jwt policy looks up consumers, but there are none' },
  ],
  problems: Object.values(PROBLEMS),
  lint(config, context, report) {
    lintIssuers(config, context, report);
    lintRevocations(config, context, report);
    lintUse(config, context, report);
  },
  compile(config, context) {
    const { revocations, dpop } = config;
    const issuers = issuersOf(config);
    const resource = resourceOf(
      config,
      issuers.flatMap(({ issuer = [] }) => issuer),
      placesOf(config),
      dpop,
    );
    return {
      trusted: issuers.map((issuer) => trustedIssuer(issuer, config, context)),
      ...placesOf(config),
      forward: config.forward,
      optional: config.optional,
      realm: config.realm,
      maxToken: config.max_token,
      ...senderOf(config, config.resource),
      ...(resource === undefined ? {} : { resource }),
      ...(revocations === undefined ? {} : { revocations: revocationsOf(revocations, context) }),
    };
  },
});

/** What the duty fetches. The form for one key set is older than the others, and keeps its state. */
function stateOf(config: JwtConfig): Json {
  const urls = issuersOf(config).map(({ jwks, metadata, discovery, issuer = [] }) => {
    if (jwks !== undefined) return jwks;
    return metadata !== undefined || discovery === true
      ? { issuer: issuer[0] ?? '', metadata: metadata ?? null }
      : null;
  });
  const list = config.revocations?.url;
  return urls.length === 1 && list === undefined ? urls[0]! : { urls, list: list ?? null };
}

const fetches = (config: JwtConfig): boolean =>
  config.revocations?.url !== undefined ||
  issuersOf(config).some(
    ({ jwks, metadata, discovery }) => jwks !== undefined || metadata !== undefined || discovery === true,
  );

function revocationsOf(
  { file, url, refresh, stale_for: staleFor }: NonNullable<JwtConfig['revocations']>,
  context: PolicyContext,
): RevocationSettings {
  if (url !== undefined) return { from: 'url', url, refresh, staleFor };
  const { text } = context.readFile(file ?? '');
  const entries = text === undefined ? '' : readRevocations(Buffer.from(text));
  // A list that cannot be used is an error of lint().
  return { from: 'file', entries: typeof entries === 'string' ? [] : entries };
}

type Report = (problem: PolicyProblem) => void;

function lintRevocations({ revocations }: JwtConfig, context: PolicyContext, report: Report): void {
  if (revocations === undefined) return;
  const { file, url } = revocations;
  const problem = { code: 'jwt/revocations', severity: 'error' } as const;
  if ((file === undefined) === (url === undefined)) {
    const message = `The list of revoked tokens needs ${file === undefined ? 'a `file` or a `url`' : 'either `file` or `url`, not both'}.`;
    report({ ...problem, at: ['revocations'], message, help: 'Set one of them.' });
    return;
  }
  if (file !== undefined) {
    const { text, cause } = context.readFile(file);
    const read = text === undefined ? `cannot be read: ${cause}` : readRevocations(Buffer.from(text));
    if (typeof read === 'string')
      report({
        ...problem,
        at: ['revocations', 'file'],
        message: `The list of revoked tokens \`${file}\` ${read}.`,
        help: 'Write `{"revoked": [{"jti": "..."}, {"sub": "...", "issued_before": 1800000000}]}`.',
      });
  }
  if (isPlainHttp(url))
    report({
      code: 'jwt/plain-http',
      severity: 'warning',
      at: ['revocations', 'url'],
      message: 'The list of revoked tokens is fetched over plain http: anyone on the way could remove a token from it.',
      help: 'Use an https URL.',
    });
}

function lintUse(config: JwtConfig, { routes, consumers }: PolicyContext, report: Report): void {
  const issuers = issuersOf(config);
  const lax = issuers.find(({ audience, profile }) => audience === undefined && profile === undefined);
  if (lax !== undefined && routes.length > 0) {
    const what = lax.at.length === 0 ? 'policy' : 'issuer';
    report({
      code: 'jwt/no-audience',
      severity: 'warning',
      at: lax.at,
      message: `This ${what} has no \`audience\`, so it also accepts tokens that were issued for other services.`,
      help: 'Set `audience` to the value of `aud` that the issuer writes for this service.',
    });
  }
  const { scopes } = config;
  for (const { scope = '', at } of scopes === undefined ? [] : issuers) {
    const unknown = scope.split(' ').find((one) => one !== '' && !scopes!.includes(one));
    if (unknown === undefined) continue;
    report({
      code: 'jwt/unknown-scope',
      severity: 'warning',
      at: config.scope === scope ? ['scope'] : [...at, 'scope'],
      message: `The scope \`${unknown}\` is required, but \`scopes\` does not name it, so clients do not know that they need it.`,
      help: `Add \`${unknown}\` to \`scopes\`, or correct it.`,
    });
    break;
  }
  const anyHost = routes.some(({ hosts = [] }) => hosts.length === 0 || hosts.some((host) => host.startsWith('*.')));
  if (config.dpop !== undefined && (config.dpop.origin ?? config.resource) === undefined && anyHost)
    report({
      code: 'jwt/dpop-origin',
      severity: 'warning',
      at: ['dpop'],
      message:
        'The URL of a proof is compared with the Host of the request, which the sender chooses: a proof for another server could be used here.',
      help: 'Set `dpop = { mode = "required", origin = "https://api.example.com" }` with the origin that clients see.',
    });
  const named = issuers.find(({ consumer_claim }) => consumer_claim !== undefined);
  if (named !== undefined && consumers.length === 0 && routes.length > 0)
    report({
      code: 'jwt/no-consumers',
      severity: 'warning',
      at: config.consumer_claim !== undefined ? ['consumer_claim'] : [...named.at, 'consumer_claim'],
      message: 'Tokens must name a consumer, but the spec has none: every valid token gets 403.',
      help: 'Add `[consumer.NAME]` for each caller, or remove `consumer_claim` and use `{claims.sub}`.',
    });
}
