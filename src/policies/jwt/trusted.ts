/** Compile part of jwt: the issuers of a config, each with what it has of its own and what it takes from the policy. */
import type { ConfigPath, PolicyContext } from '../contract.js';
import { metadataUrls } from '../kits/jose/discovery.js';
import { keysOrNone } from '../kits/jose/key-files.js';
import type { KeySourceSettings } from '../kits/jose/key-source.js';
import type { Algorithm } from '../kits/jose/keys.js';
import { typeName } from '../kits/jose/token.js';
import type { JwtConfig, TrustedIssuer } from './schema.js';

export const SOURCES = ['jwks', 'discovery', 'metadata', 'keys', 'secret'] as const;
const PUBLIC_DEFAULT: readonly Algorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA'];

/** RFC 9068 section 2.2: what an access token has, besides `exp`. */
const PROFILE_TEXTS = ['iss', 'sub', 'client_id', 'jti'];

type OwnKeys = Omit<NonNullable<JwtConfig['issuers']>[number], never>;

/** The config of one issuer, and its place. */
export type IssuerConfig = OwnKeys & { readonly at: ConfigPath };

/** The issuers in `issuers`; else the one that the policy itself describes. */
export function issuersOf(config: JwtConfig): readonly IssuerConfig[] {
  const { issuers } = config;
  if (issuers === undefined) return [{ ...config, at: [] }];
  const { audience, algorithms, profile, types, scope, claims, consumer_claim } = config;
  const common = { audience, algorithms, profile, types, scope, claims, consumer_claim };
  return issuers.map((own, index) => ({ ...defined(common), ...defined(own), at: ['issuers', index] }));
}

const defined = <T extends object>(table: T): T =>
  Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined)) as T;

/** The sources of keys that are set: exactly one in a valid config. */
export const sourcesOf = (issuer: IssuerConfig): readonly (typeof SOURCES)[number][] =>
  SOURCES.filter((source) => issuer[source] !== undefined && issuer[source] !== false);

/** The accepted algorithms, or the defaults for keys of this kind. */
export const algorithmsOf = ({ algorithms, secret }: IssuerConfig): readonly Algorithm[] =>
  algorithms ?? (secret === undefined ? PUBLIC_DEFAULT : ['HS256']);

/** The settings of an issuer. */
export function trustedIssuer(issuer: IssuerConfig, config: JwtConfig, context: PolicyContext): TrustedIssuer {
  const { issuer: names = [], audience = [], profile, scope, claims = {}, consumer_claim } = issuer;
  const types = issuer.types?.map(typeName) ?? (profile === undefined ? undefined : [profile]);
  return {
    source: sourceOf(issuer, config, context),
    algorithms: algorithmsOf(issuer),
    issuers: names,
    audiences: audience,
    ...(types === undefined ? {} : { types }),
    scope: scope === undefined ? [] : scope.split(' '),
    claims: profile === undefined ? claims : { aud: [], iat: [], ...claims },
    ...(profile === undefined ? {} : { texts: PROFILE_TEXTS }),
    leeway: config.leeway,
    requireExp: config.require_exp || profile !== undefined,
    ...(consumer_claim === undefined ? {} : { consumerClaim: consumer_claim }),
  };
}

function sourceOf(issuer: IssuerConfig, config: JwtConfig, context: PolicyContext): KeySourceSettings {
  const { jwks, discovery, metadata, keys = [], secret, issuer: [name = ''] = [] } = issuer;
  const times = { refresh: config.refresh, cooldown: config.cooldown, staleFor: config.stale_for };
  if (jwks !== undefined) return { from: 'jwks', url: jwks, ...times };
  if (metadata !== undefined) return { from: 'metadata', issuer: name, urls: [metadata], ...times };
  if (discovery === true) return { from: 'metadata', issuer: name, urls: discoveryUrls(name), ...times };
  if (secret !== undefined) return { from: 'secret', secret };
  return { from: 'keys', keys: keys.flatMap((path) => keysOrNone(path, context)) };
}

/** None for a name that is no URL, which lint() reports. */
const discoveryUrls = (issuer: string): readonly string[] => (URL.canParse(issuer) ? metadataUrls(issuer) : []);
