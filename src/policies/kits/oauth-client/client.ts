/**
 * Client authentication at the endpoints of an authorization server: token, introspection, revocation. Builds form requests for
 * host.call() of a run part and host.fetch() of a duty.
 *
 *     client_secret_basic   RFC 6749 section 2.3.1: id and secret form-encoded, then Basic
 *     client_secret_post    in the body
 *     private_key_jwt       RFC 7523 section 2.2: an assertion, signed anew for each request
 *     tls_client_auth       RFC 8705 section 2: the id in the body; the certificate is that of the service
 *     none                  a public client: the id in the body
 */
import * as crypto from 'node:crypto';
import type { Clock } from '../../contract.js';
import type { Algorithm } from '../jose/keys.js';
import { algorithmOfKey, SigningKey } from '../jose/sign.js';

export const CLIENT_METHODS = [
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
  'tls_client_auth',
  'none',
] as const;
export type ClientMethod = (typeof CLIENT_METHODS)[number];

type Secret = string | { readonly $ref: string };

/** Plain data, as a policy's settings have it. References are resolved when a generation is loaded. */
export type ClientSettings = {
  readonly method: ClientMethod;
  readonly id: Secret;
  /** For client_secret_basic and client_secret_post. */
  readonly secret?: Secret;
  /** For private_key_jwt: PEM or JWK. */
  readonly key?: Secret;
  /** Default: the one that fits the key. */
  readonly algorithm?: Algorithm;
  readonly keyId?: string;
  /** `aud` of the assertion. Default: the URL of the endpoint. */
  readonly audience?: string;
};

export interface FormRequest {
  readonly method: 'POST';
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** Seconds that an assertion is valid: enough for clocks that differ a little. */
const ASSERTION_LIFE = 60;
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export class OAuthClient {
  readonly #settings: ClientSettings;
  readonly #clock: Clock;
  readonly #id: string;
  readonly #secret: string;
  readonly #key: SigningKey | undefined;

  /** Throws for a reference that is not resolved, a missing secret, and a key that does not fit. */
  constructor(settings: ClientSettings, clock: Clock) {
    const { method, id, secret, key } = settings;
    this.#settings = settings;
    this.#clock = clock;
    this.#id = resolved(id, 'client id');
    this.#secret = method.startsWith('client_secret') ? resolved(secret, 'client secret') : '';
    this.#key = method === 'private_key_jwt' ? signingKey(resolved(key, 'client key'), settings) : undefined;
  }

  get id(): string {
    return this.#id;
  }

  /** A form request to the endpoint with this URL, with the client's authentication. */
  form(
    endpoint: string,
    params: Iterable<readonly [name: string, value: string]>,
    accept = 'application/json',
  ): FormRequest {
    const form = new URLSearchParams();
    for (const [name, value] of params) form.append(name, value);
    const headers: (readonly [string, string])[] = [
      ['content-type', 'application/x-www-form-urlencoded'],
      ['accept', accept],
    ];
    if (this.#settings.method === 'client_secret_basic') headers.push(['authorization', this.#basic()]);
    else this.#inBody(form, endpoint);
    return { method: 'POST', headers, body: form.toString() };
  }

  /** RFC 6749 section 2.3.1: form-encoding comes first, so that a colon in the id is no separator. */
  #basic(): string {
    const pair = `${formEncoded(this.#id)}:${formEncoded(this.#secret)}`;
    return `Basic ${Buffer.from(pair).toString('base64')}`;
  }

  #inBody(form: URLSearchParams, endpoint: string): void {
    form.set('client_id', this.#id);
    if (this.#settings.method === 'client_secret_post') form.set('client_secret', this.#secret);
    if (this.#key === undefined) return;
    form.set('client_assertion_type', ASSERTION_TYPE);
    form.set('client_assertion', this.#assertion(this.#key, endpoint));
  }

  /** RFC 7523 section 3. */
  #assertion(key: SigningKey, endpoint: string): string {
    const iat = Math.floor(this.#clock.now() / 1000);
    const aud = this.#settings.audience ?? endpoint;
    const jti = crypto.randomUUID();
    return key.sign({ iss: this.#id, sub: this.#id, aud, jti, iat, exp: iat + ASSERTION_LIFE }, { typ: 'JWT' });
  }
}

/** RFC 6749 appendix B. */
export const formEncoded = (text: string): string => new URLSearchParams([['', text]]).toString().slice(1);

function signingKey(text: string, { algorithm, keyId }: ClientSettings): SigningKey {
  const alg = algorithm ?? algorithmOfKey(text);
  if (alg === undefined) throw new Error('The client key is of a kind that no algorithm takes.');
  return new SigningKey(text, alg, keyId);
}

function resolved(value: Secret | undefined, what: string): string {
  if (typeof value === 'string' && value !== '') return value;
  if (value === undefined || value === '') throw new TypeError(`The ${what} is missing.`);
  throw new TypeError(`The ${what} is an unresolved reference.`);
}
