/** Reads the replies of token and introspection endpoints: RFC 6749 section 5, RFC 7662 section 2.2. The caller bounds their size. */
import type { Json } from '../../contract.js';
import { readJson, shortened } from '../json.js';

/** Status and body, as host.call() and host.fetch() return them. */
export interface EndpointReply {
  readonly status: number;
  readonly body: Uint8Array;
}

export interface OAuthFault {
  readonly fault: {
    /**
     * `refused`: the server does not accept the request, and the same one has no other answer. `outage`: it cannot answer now, or
     * its answer is not valid.
     */
    readonly kind: 'refused' | 'outage';
    /** `invalid_grant`, `invalid_client` ...; undefined if the reply has none. */
    readonly error: string | undefined;
    /** For the log. Never contains the request. */
    readonly cause: string;
  };
}

export interface GrantedToken {
  readonly fault?: undefined;
  readonly accessToken: string;
  /** Lower case: `bearer`, `dpop`. */
  readonly tokenType: string;
  /** Milliseconds; undefined if the reply does not say. */
  readonly expiresIn: number | undefined;
  readonly refreshToken: string | undefined;
  readonly idToken: string | undefined;
  readonly scope: string | undefined;
  /** RFC 8693 section 2.2.1. */
  readonly issuedTokenType: string | undefined;
}

export type JsonTable = { readonly [name: string]: Json };

const MAX_DEPTH = 16;

/** The reply of a token endpoint. */
export function readTokenReply(reply: EndpointReply): GrantedToken | OAuthFault {
  const members = readTable(reply);
  if ('fault' in members) return members;
  const { table } = members;
  const { access_token: accessToken, token_type: tokenType, expires_in: expires } = table;
  if (typeof accessToken !== 'string' || !/^[\x20-\x7e]+$/.test(accessToken)) return outage('the reply has no token');
  if (typeof tokenType !== 'string') return outage('the reply has no token type');
  const expiresIn = secondsOf(expires);
  if (expiresIn === null) return outage('the lifetime of the token is malformed');
  return {
    accessToken,
    tokenType: tokenType.toLowerCase(),
    expiresIn,
    refreshToken: textOf(table['refresh_token']),
    idToken: textOf(table['id_token']),
    scope: textOf(table['scope']),
    issuedTokenType: textOf(table['issued_token_type']),
  };
}

/** A reply with status 200 and a JSON object; else what is wrong. */
export function readTable({ status, body }: EndpointReply): { readonly table: JsonTable } | OAuthFault {
  const read = readJson(body, MAX_DEPTH);
  const table = read.fault === undefined && isTable(read.value) ? read.value : undefined;
  if (status !== 200) return refusal(status, table);
  return table === undefined ? outage('the reply is not a JSON object') : { table };
}

function refusal(status: number, table: JsonTable | undefined): OAuthFault {
  const error = errorOf(table?.['error']);
  const description = typeof table?.['error_description'] === 'string' ? printable(table['error_description']) : '';
  const cause = [`status ${status}`, error, description].filter((part) => part).join(', ');
  // 429 and 5xx pass; so do errors that say so.
  const passes = status === 429 || status >= 500 || status < 400;
  const kind = passes || error === 'temporarily_unavailable' || error === 'server_error' ? 'outage' : 'refused';
  return { fault: { kind, error, cause } };
}

const outage = (cause: string): OAuthFault => ({ fault: { kind: 'outage', error: undefined, cause } });

/** RFC 6749 section 5.2. */
const errorOf = (value: Json | undefined): string | undefined =>
  typeof value === 'string' && /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(value) ? value : undefined;

const printable = (text: string): string => shortened(text.replace(/[^\x20-\x7e]/g, '?'), 200);

const textOf = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined);

/** Milliseconds; undefined for no value, null for one that is no time. Some servers send digits as text. */
function secondsOf(value: Json | undefined): number | undefined | null {
  if (value === undefined || value === null) return undefined;
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
}

const isTable = (value: Json): value is JsonTable =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
