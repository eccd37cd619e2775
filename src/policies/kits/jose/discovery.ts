/** Metadata of issuers: RFC 8414, OpenID Connect Discovery 1.0. */
import { readJson } from '../json.js';

export interface IssuerMetadata {
  readonly issuer: string;
  readonly jwksUri: string;
}

/**
 * Where the metadata of an issuer may be: OpenID Connect appends to its path (section 4), RFC 8414 inserts before it (section 3.1).
 */
export function metadataUrls(issuer: string): readonly string[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

const MAX_DEPTH = 16;

/**
 * The metadata in the body of a reply. Throws an Error with a phrase if it is not usable. The document must be of exactly the issuer
 * that the spec names (RFC 8414 section 3.3): otherwise one issuer could give itself out as another. `from`: the URL of the document;
 * behind https, keys over http are not accepted.
 */
export function readMetadata(body: Uint8Array, issuer: string, from: string): IssuerMetadata {
  const read = readJson(body, MAX_DEPTH);
  const table = read.fault === undefined ? read.value : null;
  if (typeof table !== 'object' || table === null || Array.isArray(table)) throw new Error('the metadata is not JSON');
  const { issuer: named, jwks_uri: jwksUri } = table as { readonly [name: string]: unknown };
  if (named !== issuer) throw new Error('the metadata is of another issuer');
  if (typeof jwksUri !== 'string' || !URL.canParse(jwksUri)) throw new Error('the metadata has no jwks_uri');
  const { protocol, username } = new URL(jwksUri);
  const allowed = protocol === 'https:' || (protocol === 'http:' && new URL(from).protocol === 'http:');
  if (!allowed || username !== '') throw new Error('the jwks_uri of the metadata is not an https URL');
  return { issuer, jwksUri };
}
