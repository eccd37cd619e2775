/**
 * The document about a protected API, RFC 9728: who issues tokens for it, and what they must be like. Its URLs come from the spec
 * alone: a Host field could lead clients to a server of an attacker.
 */
import type { Json } from '../contract.js';
import { BytesReply, HeaderMap } from '../run-kit.js';

export type ResourceSettings = {
  /** URL of the API, as in the spec: clients compare it character by character. */
  readonly resource: string;
  readonly servers: readonly string[];
  readonly scopes: readonly string[];
  /** How a token may be sent, of the methods of RFC 6750: `header`, `query`. None: in another way. */
  readonly methods: readonly string[];
  readonly dpop?: { readonly algorithms: readonly string[]; readonly required: boolean };
};

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** Path of the document: the well-known one before the path of the API (section 3.1). */
export function resourcePath(resource: string): string {
  const { pathname } = new URL(resource);
  return `${WELL_KNOWN}${pathname === '/' ? '' : pathname}`;
}

/** URL of the document, for challenges. */
export const resourceUrl = (resource: string): string => `${new URL(resource).origin}${resourcePath(resource)}`;

/** Section 2. */
function resourceDocument({ resource, servers, scopes, methods, dpop }: ResourceSettings): Json {
  return {
    resource,
    ...(servers.length === 0 ? {} : { authorization_servers: servers }),
    ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
    bearer_methods_supported: methods,
    ...(dpop === undefined
      ? {}
      : {
          dpop_signing_alg_values_supported: dpop.algorithms,
          ...(dpop.required ? { dpop_bound_access_tokens_required: true } : {}),
        }),
  };
}

/** Scripts of any origin may read it: it is public. */
export const resourceReply = (settings: ResourceSettings): BytesReply =>
  new BytesReply(200, {
    headers: new HeaderMap([
      ['content-type', 'application/json'],
      ['cache-control', 'public, max-age=3600'],
      ['access-control-allow-origin', '*'],
    ]),
    body: JSON.stringify(resourceDocument(settings)),
  });
