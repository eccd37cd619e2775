/** Where a token is in a request: in a header field, a cookie or a query parameter. */
import type { Exchange, PolicyInstance, Reply } from '../../contract.js';
import { afterScheme, takeQueryParam } from '../../run-kit.js';
import { cookieField, cookieValues, withoutCookie } from '../cookies.js';

export type PlaceSettings = {
  /** Lower case. */
  readonly header?: string;
  readonly scheme?: string;
  readonly cookie?: string;
  readonly query?: string;
};

/** How a policy takes a token. */
export type TokenSettings = PlaceSettings & {
  /** Whether the target gets the token too. Default: false. */
  readonly forward?: boolean;
  /** Present: also with the scheme `DPoP`, and a proof. */
  readonly dpop?: object;
};

/** What a policy with these settings declares, as PolicyInstance describes it. */
type DeclaredFields = Required<
  Pick<PolicyInstance, 'requestFields' | 'clientFields' | 'passedFields' | 'secretParams'>
>;

/** Several tokens: gw does not choose one. */
export const SEVERAL = Symbol('several tokens');

export class TokenPlaces {
  readonly #settings: TokenSettings;
  /** In lower case. */
  readonly #scheme: string | undefined;

  constructor(settings: TokenSettings) {
    this.#settings = settings;
    this.#scheme = settings.scheme?.toLowerCase();
  }

  /** The token with the scheme `DPoP`, RFC 9449 section 7.1, not checked; undefined for none. */
  findDpop(exchange: Exchange): string | typeof SEVERAL | undefined {
    const value = exchange.headers.get('authorization');
    const token = value === undefined ? undefined : afterScheme(value, 'dpop');
    return token?.includes(',') === true ? SEVERAL : token;
  }

  declaredFields(): DeclaredFields {
    const { header, scheme, query, forward = false, dpop } = this.#settings;
    const proof = dpop === undefined || forward ? [] : ['dpop'];
    const fields = header === undefined ? [] : [header];
    const requestFields = forward ? proof : [...fields, ...proof];
    return {
      requestFields,
      // With a scheme, a credential of another scheme stays in the field.
      clientFields: scheme === undefined ? requestFields : proof,
      passedFields: forward ? fields : [],
      secretParams: query === undefined ? [] : [query],
    };
  }

  /** Removes a token with the scheme `DPoP`, and the proof. */
  #stripDpop(exchange: Exchange): void {
    exchange.headers.remove('dpop');
    if (this.findDpop(exchange) !== undefined) exchange.headers.remove('authorization');
  }

  /** The token, not checked; undefined for none. */
  find(exchange: Exchange): string | typeof SEVERAL | undefined {
    const { header, cookie, query } = this.#settings;
    let found = header === undefined ? undefined : this.#inHeader(exchange.headers.get(header));
    if (cookie !== undefined) found = merged(found, cookieValues(cookieField(exchange.headers), cookie));
    if (query === undefined) return found;
    const { values } = takeQueryParam(exchange.query, query);
    if (values.length > 0) exchange.note(this, IN_QUERY);
    return merged(found, values);
  }

  /** RFC 6750 section 2.3: no shared cache keeps the reply to a URL with a token, and answers with it when the token has ended. */
  replied(exchange: Exchange, reply: Reply): void {
    if (exchange.noted(this) === IN_QUERY) keepPrivate(reply);
  }

  #inHeader(value: string | undefined): string | typeof SEVERAL | undefined {
    const token = value === undefined ? undefined : this.#tokenIn(value);
    // Several fields are joined with commas, which no token contains.
    return token?.includes(',') === true ? SEVERAL : token;
  }

  /** Undefined for another scheme: it is for another policy, or for the target. */
  #tokenIn(value: string): string | undefined {
    return this.#scheme === undefined ? value : afterScheme(value, this.#scheme);
  }

  /** Removes the token from every place, and its proof, unless the target gets them too. */
  strip(exchange: Exchange): void {
    if (this.#settings.forward === true) return;
    this.#stripToken(exchange);
    if (this.#settings.dpop !== undefined) this.#stripDpop(exchange);
  }

  #stripToken(exchange: Exchange): void {
    const { header, cookie, query } = this.#settings;
    const field = header === undefined ? undefined : exchange.headers.get(header);
    if (header !== undefined && field !== undefined && this.#tokenIn(field) !== undefined)
      exchange.headers.remove(header);
    const cookies = cookie === undefined ? undefined : cookieField(exchange.headers);
    if (cookie !== undefined && cookies !== undefined && cookieValues(cookies, cookie).length > 0) {
      const rest = withoutCookie(cookies, cookie);
      if (rest === '') exchange.headers.remove('cookie');
      else exchange.headers.set('cookie', rest);
    }
    if (query === undefined || exchange.query === '') return;
    const { rest, values } = takeQueryParam(exchange.query, query);
    if (values.length > 0) exchange.query = rest;
  }

  /** For clients: `the authorization header field, after the word Bearer`. */
  describe(): string {
    const { header, scheme, cookie, query } = this.#settings;
    const places: string[] = [];
    if (header !== undefined)
      places.push(`the ${header} header field${scheme === undefined ? '' : `, after the word ${scheme}`}`);
    if (cookie !== undefined) places.push(`the ${cookie} cookie`);
    if (query !== undefined) places.push(`the ${query} query parameter`);
    return places.join(' or ');
  }
}

function merged(
  found: string | typeof SEVERAL | undefined,
  values: readonly string[],
): string | typeof SEVERAL | undefined {
  if (values.length === 0) return found;
  return found === undefined && values.length === 1 ? values[0] : SEVERAL;
}

const IN_QUERY = { place: 'query' };

/** Only the cache of the client may keep the reply. */
export function keepPrivate({ headers }: Reply): void {
  const given = (headers.get('cache-control') ?? '').split(',').map((one) => one.trim());
  const kept = given.filter((one) => one !== '' && !/^(?:public|private|s-maxage)(?:=|$)/i.test(one));
  headers.set('cache-control', ['private', ...kept].join(', '));
}
