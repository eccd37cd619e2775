/** What is wrong with the issuers of a jwt policy: sources of keys, algorithms, names. */
import { isPlainHttp } from '../compile-kit.js';
import type { ConfigPath, PolicyContext, PolicyProblem } from '../contract.js';
import { readKeyFile } from '../kits/jose/key-files.js';
import { fits, isSymmetric, type PublicJwk } from '../kits/jose/keys.js';
import type { JwtConfig } from './schema.js';
import { algorithmsOf, type IssuerConfig, issuersOf, SOURCES, sourcesOf } from './trusted.js';

type Report = (problem: PolicyProblem) => void;

export function lintIssuers(config: JwtConfig, context: PolicyContext, report: Report): void {
  if (config.issuers !== undefined) lintList(config, report);
  for (const issuer of issuersOf(config)) {
    const given = sourcesOf(issuer);
    if (given.length !== 1) report(sourcesProblem(issuer.at, given));
    lintDiscovery(issuer, report);
    lintProfile(issuer, report);
    const keys = lintKeys(issuer, context, report);
    if (given.length === 1) lintAlgorithms(issuer, keys, report);
    lintUrls(issuer, report);
  }
}

/** With `issuers`, each token must lead to exactly one of them. */
function lintList(config: JwtConfig, report: Report): void {
  const problem = { code: 'jwt/issuers', severity: 'error' } as const;
  const stray = [...SOURCES, 'issuer' as const].find((key) => config[key] !== undefined && config[key] !== false);
  if (stray !== undefined)
    report({
      ...problem,
      at: [stray],
      message: `\`${stray}\` of the policy itself has no effect beside \`issuers\`.`,
      help: `Write it into one of \`issuers\`, or remove it.`,
    });
  const seen = new Map<string, number>();
  for (const [index, { issuer }] of (config.issuers ?? []).entries()) {
    if (issuer === undefined)
      report({
        ...problem,
        at: ['issuers', index],
        message: 'This issuer has no `issuer`, so no token leads to it.',
        help: 'Add `issuer` with the value of `iss` in its tokens.',
      });
    for (const name of issuer ?? []) {
      const first = seen.get(name);
      seen.set(name, first ?? index);
      if (first === undefined) continue;
      report({
        ...problem,
        at: ['issuers', index, 'issuer'],
        message: `The issuer \`${name}\` is described twice, so it is not clear whose keys verify its tokens.`,
        help: 'Keep one of them.',
        related: [{ at: ['issuers', first, 'issuer'], message: 'the other one' }],
      });
    }
  }
}

function sourcesProblem(at: ConfigPath, given: readonly string[]): PolicyProblem {
  const all = '`jwks` (a URL), `discovery` or `metadata` (of the issuer), `keys` (files) or `secret` (a reference)';
  const what = at.length === 0 ? 'policy' : 'issuer';
  const message =
    given.length === 0
      ? `This ${what} has no keys to verify tokens with: one of ${all} is missing.`
      : `This ${what} has several sources of keys: ${given.map((name) => `\`${name}\``).join(' and ')}.`;
  const help =
    given.length === 0 ? 'Add one of them.' : 'Keep one of them. For several issuers, use `[[policy.NAME.issuers]]`.';
  return { code: 'jwt/keys', severity: 'error', at: given.length === 0 ? at : [...at, given[1]!], message, help };
}

function lintDiscovery(issuer: IssuerConfig, report: Report): void {
  const key = issuer.discovery === true ? 'discovery' : 'metadata';
  if (issuer[key] === undefined) return;
  const { issuer: names = [], at } = issuer;
  const url = names.length === 1 && URL.canParse(names[0]!) ? new URL(names[0]!) : undefined;
  const right = url !== undefined && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '';
  if (names.length === 1 && (right || key === 'metadata')) return;
  report({
    code: 'jwt/discovery',
    severity: 'error',
    at: [...at, key],
    message:
      names.length === 1
        ? 'The name of the issuer is not a URL, so the URL of its metadata cannot be derived from it.'
        : `\`${key}\` needs exactly one \`issuer\`: the metadata must be of that issuer.`,
    help: 'Set `issuer` to the URL that is the value of `iss`, such as `"https://id.example.com"`.',
  });
}

function lintProfile({ profile, issuer, audience, at }: IssuerConfig, report: Report): void {
  if (profile === undefined || (issuer !== undefined && audience !== undefined)) return;
  const missing = issuer === undefined ? 'issuer' : 'audience';
  report({
    code: 'jwt/profile',
    severity: 'error',
    at: [...at],
    message: `The profile \`${profile}\` requires that \`${missing}\` is checked, but the policy does not name it.`,
    help: `Add \`${missing}\`.`,
  });
}

/** Reports files that cannot be used. Returns the keys; undefined if they are not known here. */
function lintKeys(
  { keys, at }: IssuerConfig,
  context: PolicyContext,
  report: Report,
): readonly PublicJwk[] | undefined {
  if (keys === undefined) return undefined;
  const found: PublicJwk[] = [];
  for (const [index, path] of keys.entries()) {
    const read = readKeyFile(path, context);
    if (typeof read !== 'string') found.push(...read);
    else {
      const message = `The key file \`${path}\` ${read}.`;
      const help = 'Write a public key as PEM (`openssl pkey -in KEY -pubout`), a certificate, a JWK or a JWKS.';
      report({ code: 'jwt/key-file', severity: 'error', at: [...at, 'keys', index], message, help });
    }
  }
  return found;
}

function lintAlgorithms(issuer: IssuerConfig, keys: readonly PublicJwk[] | undefined, report: Report): void {
  const symmetric = issuer.secret !== undefined;
  const place = (index: number): ConfigPath =>
    issuer.algorithms === undefined ? issuer.at : [...issuer.at, 'algorithms', index];
  for (const [index, alg] of algorithmsOf(issuer).entries()) {
    if (isSymmetric(alg) === symmetric) continue;
    const message = symmetric
      ? `\`${alg}\` needs a public key, but this policy has a shared secret.`
      : `\`${alg}\` needs a shared secret, but this policy has public keys: anyone could sign tokens with a public key.`;
    const help = symmetric ? 'Use `HS256`, `HS384` or `HS512`.' : `Remove \`${alg}\`, or use \`secret\`.`;
    report({ code: 'jwt/algorithm', severity: 'error', at: place(index), message, help });
    return;
  }
  if (keys === undefined || keys.length === 0) return;
  const useless = algorithmsOf(issuer).every((alg) => !keys.some((key) => fits(key, alg)));
  if (!useless) return;
  const message = 'None of the keys can verify any of the algorithms: every token is refused.';
  const help = 'Add the algorithm of the keys to `algorithms`, such as `ES384` for the curve P-384.';
  report({ code: 'jwt/algorithm', severity: 'error', at: place(0), message, help });
}

function lintUrls({ jwks, metadata, discovery, issuer, at }: IssuerConfig, report: Report): void {
  const discovered = discovery === true ? issuer?.[0] : undefined;
  const wrong = [
    ['jwks', jwks],
    ['metadata', metadata],
    ['issuer', discovered],
  ].find(([, url]) => isPlainHttp(url));
  if (wrong === undefined) return;
  report({
    code: 'jwt/plain-http',
    severity: 'warning',
    at: [...at, wrong[0] as string],
    message: 'The key set is fetched over plain http: anyone on the way could replace the keys and sign tokens.',
    help: 'Use the https URL of the issuer.',
  });
}
