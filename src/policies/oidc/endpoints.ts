/** What the duty does for the workers: it knows the endpoints of the issuer, and sends the requests to them. */
import type { Json } from '../contract.js';
import type { JsonTable } from '../kits/jose/token.js';

/** The endpoints of an issuer: OpenID Connect Discovery 1.0 section 3, and what later specifications have added. */
export type Endpoints = {
  readonly authorization: string;
  readonly token: string;
  readonly userinfo?: string;
  /** RP-Initiated Logout 1.0. */
  readonly endSession?: string;
  /** RFC 9126. */
  readonly push?: string;
  readonly pushRequired: boolean;
  /** RFC 9207: its replies carry `iss`. */
  readonly sendsIssuer: boolean;
};

/** A question to the duty. Others are those of key sets. */
export type IssuerQuestion =
  | { readonly do: 'code'; readonly code: string; readonly verifier: string }
  | { readonly do: 'refresh'; readonly token: string }
  | { readonly do: 'userinfo'; readonly token: string }
  | { readonly do: 'push'; readonly params: readonly (readonly [name: string, value: string])[] };

/** `refused`: the issuer does not accept what it was sent. `outage`: it cannot answer now, or its answer is not valid. */
export type IssuerFault = {
  readonly fault: 'refused' | 'outage';
  /** `invalid_grant` ... */
  readonly error?: string;
  /** For the log. */
  readonly cause: string;
};

export type TokenAnswer = {
  readonly access: string;
  /** Lower case. */
  readonly type: string;
  /** Milliseconds. */
  readonly expiresIn?: number;
  readonly refresh?: string;
  readonly idToken?: string;
};

export type TableAnswer = { readonly table: JsonTable };

/** The endpoints in published metadata; undefined if the value has none. */
export function endpointsIn(value: Json): Endpoints | undefined {
  if (typeof value !== 'object' || value === null || !('endpoints' in value)) return undefined;
  return value['endpoints'] as Endpoints;
}

/**
 * The endpoints in the metadata of an issuer. Throws an Error with a phrase. Behind https, endpoints over http are not accepted:
 * they get secrets. `from`: the URL of the document.
 */
export function readEndpoints(metadata: JsonTable, from: string): Endpoints {
  const plain = new URL(from).protocol === 'http:';
  const url = (name: string): string | undefined => {
    const text = metadata[name];
    if (text === undefined) return undefined;
    const parsed = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
    const allowed = parsed?.protocol === 'https:' || (plain && parsed?.protocol === 'http:');
    if (!allowed || parsed?.username !== '' || parsed.hash !== '')
      throw new Error(`the ${name} of the metadata is not an https URL`);
    return parsed.href;
  };
  const needed = (name: string): string => {
    const found = url(name);
    if (found === undefined) throw new Error(`the metadata has no ${name}`);
    return found;
  };
  const optional = { userinfo: url('userinfo_endpoint'), endSession: url('end_session_endpoint'), push: url(PUSH) };
  return {
    authorization: needed('authorization_endpoint'),
    token: needed('token_endpoint'),
    ...present(optional),
    pushRequired: metadata['require_pushed_authorization_requests'] === true,
    sendsIssuer: metadata['authorization_response_iss_parameter_supported'] === true,
  };
}

const PUSH = 'pushed_authorization_request_endpoint';

function present<T extends object>(values: T): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
