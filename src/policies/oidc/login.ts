/** Begins logins: OpenID Connect Core 1.0 section 3.1.2.1, with PKCE (RFC 7636) and state in a cookie of its own for each login. */
import * as crypto from 'node:crypto';
import type { Exchange, PolicyHost, Reply, Unavailable } from '../contract.js';
import type { OwnCookies, PolicyCookies } from './cookies.js';
import type { Endpoints } from './endpoints.js';
import { type Issuer, isFault } from './issuer.js';
import { PROBLEMS } from './problems.js';
import { failure, redirect } from './replies.js';
import type { OidcSettings } from './schema.js';
import type { Sealer } from './sealed.js';

/** A login that has begun: what its cookie holds. */
export interface Login {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** Path and query of the page that the person wanted. */
  readonly to: string;
  /** Milliseconds since 1970. */
  readonly begun: number;
}

/** Logins that one browser may have under way, in several tabs. A further one takes the place of the oldest. */
const MAX_LOGINS = 5;
/** Characters of a page to return to. */
const MAX_RETURN = 2048;
/** Logins that may end within MARKER milliseconds without a session that lasts. */
const MAX_ENDED = 3;
const MARKER = 60_000;

interface Marker {
  readonly ended: number;
  readonly at: number;
}

export interface LoginParts {
  readonly settings: OidcSettings;
  readonly host: PolicyHost;
  readonly issuer: Issuer;
  readonly cookies: PolicyCookies;
  readonly sealer: Sealer;
}

export class Logins {
  readonly #parts: LoginParts;

  constructor(parts: LoginParts) {
    this.#parts = parts;
  }

  /** Sends the browser to the issuer. `to`: where it returns to. */
  async begin(exchange: Exchange, to: string, own: OwnCookies): Promise<Reply | Unavailable> {
    const { cookies, host, issuer, sealer, settings } = this.#parts;
    const now = host.clock.now();
    if (this.#endedOf(own, now) >= MAX_ENDED)
      return failure(exchange, PROBLEMS.loop, { cookies: [cookies.drop(cookies.markerName)] });
    const endpoints = await issuer.endpoints();
    if ('outcome' in endpoints) return endpoints;
    const login: Login = { state: random(), nonce: random(), verifier: random(), to: shortOf(to), begun: now };
    const location = await this.#location(login, endpoints);
    if (typeof location !== 'string') return location;
    const name = cookies.loginName(idOf(login.state));
    const value = sealer.seal(JSON.stringify(login), name);
    const set = cookies.setFor(settings.loginTimeout / 1000, name, value);
    return redirect(location, [...this.#outdated(own), ...cookies.dropSession(own), set]);
  }

  /** The login that a `state` belongs to, in this browser, and the name of its cookie. */
  find(state: string, own: OwnCookies): readonly [login: Login, name: string] | undefined {
    const { cookies, host, settings } = this.#parts;
    const name = cookies.loginName(idOf(state));
    const login = this.#open(name, own.get(name)?.[0]);
    if (login === undefined || own.get(name)?.length !== 1 || login.state !== state) return undefined;
    return host.clock.now() < login.begun + settings.loginTimeout ? [login, name] : undefined;
  }

  /** A Set-Cookie value that notes that a login has ended. */
  ended(own: OwnCookies): string {
    const { cookies, host, sealer } = this.#parts;
    const at = host.clock.now();
    const marker: Marker = { ended: this.#endedOf(own, at) + 1, at };
    return cookies.setFor(MARKER / 1000, cookies.markerName, sealer.seal(JSON.stringify(marker), cookies.markerName));
  }

  #endedOf(own: OwnCookies, now: number): number {
    const { cookies, sealer } = this.#parts;
    const value = own.get(cookies.markerName)?.[0];
    const text = value === undefined ? undefined : sealer.open(value, cookies.markerName);
    const marker = text === undefined ? undefined : (JSON.parse(text) as Marker);
    return marker !== undefined && now < marker.at + MARKER ? marker.ended : 0;
  }

  #open(name: string, value: string | undefined): Login | undefined {
    const text = value === undefined ? undefined : this.#parts.sealer.open(value, name);
    return text === undefined ? undefined : (JSON.parse(text) as Login);
  }

  /** Set-Cookie values that make room for one more login: those that cannot be opened leave first, then the oldest. */
  #outdated(own: OwnCookies): string[] {
    const { cookies } = this.#parts;
    const known = cookies.logins(own).map(([name, value]) => ({ name, begun: this.#open(name, value)?.begun ?? 0 }));
    known.sort((a, b) => b.begun - a.begun);
    return known
      .filter(({ begun }, index) => begun === 0 || index >= MAX_LOGINS - 1)
      .map(({ name }) => cookies.drop(name));
  }

  async #location(login: Login, endpoints: Endpoints): Promise<string | Unavailable> {
    const { settings } = this.#parts;
    const params = authorizationParams(login, settings);
    const url = new URL(endpoints.authorization);
    const pushes = endpoints.push !== undefined && (settings.push || endpoints.pushRequired);
    if (settings.push && !pushes) return unavailable('the issuer has no endpoint for pushed requests');
    const sent = pushes ? await this.#pushed(params) : params;
    if ('outcome' in sent) return sent;
    for (const [name, value] of sent) url.searchParams.set(name, value);
    return url.href;
  }

  /** RFC 9126: the issuer gets the request from gw; the browser carries a reference to it. */
  async #pushed(params: Params): Promise<Params | Unavailable> {
    const { issuer, settings } = this.#parts;
    const answer = await issuer.request<{ readonly table: { readonly [name: string]: unknown } }>({
      do: 'push',
      params: params.filter(([name]) => name !== 'client_id'),
    });
    if (isFault(answer)) return unavailable(`the issuer refused the pushed request: ${answer.cause}`);
    const { request_uri: uri } = answer.table;
    if (typeof uri !== 'string' || uri === '') return unavailable('the reply to the pushed request has no request_uri');
    return [
      ['client_id', settings.clientId],
      ['request_uri', uri],
    ];
  }
}

type Params = readonly (readonly [name: string, value: string])[];

function authorizationParams(login: Login, settings: OidcSettings): Params {
  const { clientId, extra, maxAge, prompt, redirectUri, scope } = settings;
  return [
    ...Object.entries(extra),
    ['response_type', 'code'],
    ['client_id', clientId],
    ['redirect_uri', redirectUri],
    ['scope', scope],
    ['state', login.state],
    ['nonce', login.nonce],
    ['code_challenge', crypto.createHash('sha256').update(login.verifier).digest('base64url')],
    ['code_challenge_method', 'S256'],
    ...(prompt === undefined ? [] : [['prompt', prompt] as const]),
    ...(maxAge === undefined ? [] : [['max_age', String(maxAge)] as const]),
  ];
}

/** 256 bits: the length of a code verifier that RFC 7636 section 4.1 recommends. */
const random = (): string => crypto.randomBytes(32).toString('base64url');

/** The part of a cookie's name that belongs to a state. */
const idOf = (state: string): string => crypto.createHash('sha256').update(state).digest('base64url').slice(0, 16);

const unavailable = (why: string): Unavailable => ({ outcome: 'unavailable', why });

/** A longer page is not worth a cookie that browsers refuse. */
const shortOf = (to: string): string => (to.startsWith('/') && to.length <= MAX_RETURN ? to : '/');

/**
 * Whether a request is for a page that a person opens: only such a request is sent to the login. Scripts would follow the redirect
 * to the issuer without success, so they get 401.
 */
export function wantsPage({ headers, method }: Exchange): boolean {
  if (method !== 'GET') return false;
  if ((headers.get('sec-fetch-mode') ?? 'navigate') !== 'navigate') return false;
  if (headers.get('x-requested-with') !== undefined || headers.get('upgrade') !== undefined) return false;
  return /(?:^|,)\s*(?:text\/html|application\/xhtml\+xml)\s*(?:[;,]|$)/i.test(headers.get('accept') ?? '');
}

/** Path and query of a request, to return to. */
export const pageOf = ({ path, query }: Exchange): string => (query === '' ? path : `${path}?${query}`);

/** Whether a text from a client is a path of this site: not another origin, also for lenient parsers. */
export const isOwnPath = (text: string): boolean =>
  text.length <= MAX_RETURN && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(text);
