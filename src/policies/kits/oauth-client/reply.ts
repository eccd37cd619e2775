/** Reads the replies of token and introspection endpoints: RFC 6749 section 5, RFC 7662 section 2.2. The caller bounds their size. */
import type { Json } from '../../contract.js';
import { readJson, shortened } from '../json.js';

/** Status and body, as host.call() and host.fetch() return them. */
export interface EndpointReply {
  readonly status: number;
  readonly body: Uint8Array;
}

/** The request that was answered. */
export interface SentRequest {
  readonly headers: Iterable<readonly [name: string, value: string]>;
  /** A form. */
  readonly body?: string;
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
    /** For the log. Never contains a secret of the request, although a server may quote it. */
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
export function readTokenReply(reply: EndpointReply, sent: SentRequest): GrantedToken | OAuthFault {
  const members = readTable(reply, sent);
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
export function readTable(
  { status, body }: EndpointReply,
  sent: SentRequest,
): { readonly table: JsonTable } | OAuthFault {
  const read = readJson(body, MAX_DEPTH);
  const table = read.fault === undefined && isTable(read.value) ? read.value : undefined;
  if (status !== 200) return refusal(status, table, sent);
  return table === undefined ? outage('the reply is not a JSON object') : { table };
}

/** Error codes as they are: a secret cannot change what they say. */
const REGISTERED: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'invalid_scope',
  'invalid_target',
  'invalid_token',
  'unauthorized_client',
  'unsupported_grant_type',
  'access_denied',
  'server_error',
  'temporarily_unavailable',
  'slow_down',
]);

function refusal(status: number, table: JsonTable | undefined, sent: SentRequest): OAuthFault {
  const said = (name: string): string | undefined => {
    const value = table?.[name];
    if (typeof value !== 'string' || REGISTERED.has(value)) return textOf(value);
    return withoutSecrets(value, sent);
  };
  const error = errorOf(said('error'));
  const description = printable(said('error_description') ?? '');
  const cause = [`status ${status}`, error, description].filter((part) => part).join(', ');
  // 429 and 5xx pass; so do errors that say so.
  const passes = status === 429 || status >= 500 || status < 400;
  const kind = passes || error === 'temporarily_unavailable' || error === 'server_error' ? 'outage' : 'refused';
  return { fault: { kind, error, cause } };
}

const outage = (cause: string): OAuthFault => ({ fault: { kind: 'outage', error: undefined, cause } });

// ---------------------------------------------------------------- secrets of the request

/** The names of parameters whose values are secrets, in RFC 6749, 7009, 7521, 7636, 7662 and 8693. */
const SECRET_PARAM = /(^|_)(token|secret|assertion|password|code|verifier)$/;
const NOT_SHOWN = '(not shown)';

/** A text of the reply in which no secret of the request is left. */
function withoutSecrets(text: string, { headers, body = '' }: SentRequest): string {
  const secrets = new Set<string>();
  for (const [name, value] of headers) if (name.toLowerCase() === 'authorization') addCredential(value, secrets);
  for (const [name, value] of new URLSearchParams(body)) if (SECRET_PARAM.test(name)) addForms(value, secrets);
  secrets.delete('');
  let shown = text;
  // One may be a part of another.
  for (const secret of [...secrets].sort((a, b) => b.length - a.length))
    shown = shown.replaceAll(secret, () => NOT_SHOWN);
  return shown;
}

/** Of Basic also the password, as it was before it was form-encoded. */
function addCredential(value: string, secrets: Set<string>): void {
  const credential = value.slice(value.indexOf(' ') + 1);
  addForms(credential, secrets);
  if (!/^basic /i.test(value)) return;
  const pair = Buffer.from(credential, 'base64').toString('utf8');
  const [password = ''] = new URLSearchParams(`=${pair.slice(pair.indexOf(':') + 1)}`).values();
  addForms(password, secrets);
}

/** A value, and as it is in a form and in a query. */
function addForms(value: string, secrets: Set<string>): void {
  const encoded = new URLSearchParams([['', value]]).toString().slice(1);
  secrets.add(value).add(encoded).add(encoded.replaceAll('+', '%20'));
}

/** RFC 6749 section 5.2. */
const errorOf = (value: string | undefined): string | undefined =>
  value !== undefined && /^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,100}$/.test(value) ? value : undefined;

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
