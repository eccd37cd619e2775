/** Compile part of jwt. */
import { declarePolicy } from '../compile-kit.js';
import type { PolicyContext, PolicyProblem } from '../contract.js';
import { keysOfFile } from './key-files.js';
import { type Algorithm, fits, isSymmetric, type PublicJwk } from './keys.js';
import { PROBLEMS } from './problems.js';
import { type JwtConfig, type JwtSettings, type KeySource, schema } from './schema.js';

const PUBLIC_DEFAULT: readonly Algorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA'];
const SOURCES = ['jwks', 'keys', 'secret'] as const;

export default declarePolicy<JwtConfig, JwtSettings>({
  use: 'jwt',
  summary: 'Authenticates callers by JSON Web Tokens',
  phase: 'authenticate',
  authenticator: true,
  stateful: false,
  schema,
  // The fetched keys belong to the URL: an edit of anything else fetches nothing.
  stateKey: ({ jwks = null }) => jwks,
  duty: ({ jwks, wait, require_keys }) => (jwks === undefined ? undefined : { wait, required: require_keys }),
  traits: (config) => {
    const places = placesOf(config);
    const { header } = places;
    const owned = header !== undefined && !config.forward ? { ownsRequestFields: [header] } : {};
    return { authenticates: !config.optional, credential: { kind: 'token', ...places }, ...owned };
  },
  codes: [
    { code: 'jwt/keys', severity: 'error', summary: 'A jwt policy has no source of keys, or several' },
    { code: 'jwt/key-file', severity: 'error', summary: 'A key file of a jwt policy cannot be used' },
    { code: 'jwt/algorithm', severity: 'error', summary: 'An algorithm does not fit the keys of a jwt policy' },
    { code: 'jwt/no-audience', severity: 'warning', summary: 'A jwt policy accepts tokens for other services' },
    { code: 'jwt/plain-http', severity: 'warning', summary: 'A key set is fetched over plain http' },
    { code: 'jwt/no-consumers', severity: 'warning', summary: 'A jwt policy looks up consumers, but there are none' },
  ],
  problems: Object.values(PROBLEMS),
  lint(config, context, report) {
    const given = SOURCES.filter((source) => config[source] !== undefined);
    if (given.length !== 1) report(sourcesProblem(given));
    const keys = lintKeys(config, context, report);
    if (given.length === 1) lintAlgorithms(config, keys, report);
    lintUse(config, context, report);
  },
  compile(config, context) {
    const { issuer = [], audience = [], types, scope, claims, leeway, consumer_claim } = config;
    return {
      source: sourceOf(config, context),
      algorithms: algorithmsOf(config),
      issuers: issuer,
      audiences: audience,
      ...(types === undefined ? {} : { types: types.map(typeName) }),
      scope: scope === undefined ? [] : scope.split(' '),
      claims,
      leeway,
      requireExp: config.require_exp,
      ...placesOf(config),
      forward: config.forward,
      optional: config.optional,
      ...(consumer_claim === undefined ? {} : { consumerClaim: consumer_claim }),
      realm: config.realm,
      maxToken: config.max_token,
    };
  },
});

const algorithmsOf = ({ algorithms, secret }: JwtConfig): readonly Algorithm[] =>
  algorithms ?? (secret === undefined ? PUBLIC_DEFAULT : ['HS256']);

/** RFC 7515 section 4.1.9: `application/` may be left out, and case does not matter. */
const typeName = (type: string): string => type.toLowerCase().replace(/^application\/(?=[^/]+$)/, '');

function sourceOf({ jwks, keys = [], secret, ...times }: JwtConfig, context: PolicyContext): KeySource {
  if (jwks !== undefined) {
    return { from: 'jwks', url: jwks, refresh: times.refresh, cooldown: times.cooldown, staleFor: times.stale_for };
  }
  if (secret !== undefined) return { from: 'secret', secret };
  return { from: 'keys', keys: keys.flatMap((path) => fileKeys(path, context)) };
}

/** The keys of a file; none if it cannot be used, which lint() reports. */
function fileKeys(path: string, context: PolicyContext): readonly PublicJwk[] {
  const { text } = context.readFile(path);
  const keys = text === undefined ? '' : keysOfFile(text);
  return typeof keys === 'string' ? [] : keys;
}

function placesOf({
  header,
  scheme,
  cookie,
  query,
}: JwtConfig): Pick<JwtSettings, 'header' | 'scheme' | 'cookie' | 'query'> {
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

type Report = (problem: PolicyProblem) => void;

function sourcesProblem(given: readonly string[]): PolicyProblem {
  const all = '`jwks` (a URL), `keys` (files) or `secret` (a reference)';
  const message =
    given.length === 0
      ? `This policy has no keys to verify tokens with: one of ${all} is missing.`
      : `This policy has several sources of keys: ${given.map((name) => `\`${name}\``).join(' and ')}.`;
  const help =
    given.length === 0 ? 'Add one of them.' : 'Keep one of them. For several issuers, use a policy for each.';
  return { code: 'jwt/keys', severity: 'error', at: given.length === 0 ? [] : [given[1]!], message, help };
}

/** Reports files that cannot be used. Returns the keys; undefined if they are not known here. */
function lintKeys({ keys }: JwtConfig, context: PolicyContext, report: Report): readonly PublicJwk[] | undefined {
  if (keys === undefined) return undefined;
  const found: PublicJwk[] = [];
  for (const [index, path] of keys.entries()) {
    const { text, cause } = context.readFile(path);
    const read = text === undefined ? `cannot be read: ${cause}` : keysOfFile(text);
    if (typeof read !== 'string') found.push(...read);
    else {
      const message = `The key file \`${path}\` ${read}.`;
      const help = 'Write a public key as PEM (`openssl pkey -in KEY -pubout`), a certificate, a JWK or a JWKS.';
      report({ code: 'jwt/key-file', severity: 'error', at: ['keys', index], message, help });
    }
  }
  return found;
}

function lintAlgorithms(config: JwtConfig, keys: readonly PublicJwk[] | undefined, report: Report): void {
  const symmetric = config.secret !== undefined;
  const at = (index: number): (string | number)[] => (config.algorithms === undefined ? [] : ['algorithms', index]);
  for (const [index, alg] of algorithmsOf(config).entries()) {
    if (isSymmetric(alg) === symmetric) continue;
    const message = symmetric
      ? `\`${alg}\` needs a public key, but this policy has a shared secret.`
      : `\`${alg}\` needs a shared secret, but this policy has public keys: anyone could sign tokens with a public key.`;
    const help = symmetric ? 'Use `HS256`, `HS384` or `HS512`.' : `Remove \`${alg}\`, or use \`secret\`.`;
    report({ code: 'jwt/algorithm', severity: 'error', at: at(index), message, help });
    return;
  }
  if (keys === undefined || keys.length === 0) return;
  const useless = algorithmsOf(config).every((alg) => !keys.some((key) => fits(key, alg)));
  if (!useless) return;
  const message = 'None of the keys can verify any of the algorithms: every token is refused.';
  const help = 'Add the algorithm of the keys to `algorithms`, such as `ES384` for the curve P-384.';
  report({ code: 'jwt/algorithm', severity: 'error', at: at(0), message, help });
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

function lintUse(config: JwtConfig, { routes, consumers }: PolicyContext, report: Report): void {
  if (config.audience === undefined && routes.length > 0) {
    report({
      code: 'jwt/no-audience',
      severity: 'warning',
      at: [],
      message: 'This policy has no `audience`, so it also accepts tokens that were issued for other services.',
      help: 'Set `audience` to the value of `aud` that the issuer writes for this service.',
    });
  }
  const url = typeof config.jwks === 'string' ? new URL(config.jwks) : undefined;
  if (url?.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    report({
      code: 'jwt/plain-http',
      severity: 'warning',
      at: ['jwks'],
      message: 'The key set is fetched over plain http: anyone on the way could replace the keys and sign tokens.',
      help: 'Use the https URL of the issuer.',
    });
  }
  if (config.consumer_claim !== undefined && consumers.length === 0 && routes.length > 0) {
    report({
      code: 'jwt/no-consumers',
      severity: 'warning',
      at: ['consumer_claim'],
      message: 'Tokens must name a consumer, but the spec has none: every valid token gets 403.',
      help: 'Add `[consumer.NAME]` for each caller, or remove `consumer_claim` and use `{claims.sub}`.',
    });
  }
}
