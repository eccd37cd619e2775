/**
 * An OpenID Connect issuer for tests: discovery, keys that rotate, a page to sign in, consent, codes with PKCE, refresh tokens that
 * rotate and notice reuse, userinfo, pushed requests, logout at the issuer and over the back channel. Tests make it slow, wrong or
 * absent.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

type Claims = { readonly [name: string]: unknown };

interface Grant {
  readonly sub: string;
  readonly sid: string;
  readonly nonce: string | undefined;
  readonly challenge: string;
  readonly redirectUri: string;
  readonly scope: string;
}

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

export class OidcIssuer {
  readonly #server: Server;
  readonly #keys: { readonly jwk: JWK; readonly privateKey: CryptoKey }[] = [];
  readonly #codes = new Map<string, Grant>();
  readonly #usedCodes = new Set<string>();
  readonly #refresh = new Map<string, Grant>();
  readonly #usedRefresh = new Map<string, Grant>();
  /** People who have signed in here, by the value of the cookie. */
  readonly #sessions = new Map<string, { readonly sub: string; readonly sid: string }>();
  readonly #pushed = new Map<string, string>();
  url = '';
  readonly client = { id: 'shop', secret: 'a secret:with %' };
  /** Seconds. */
  accessLife = 300;
  /** Milliseconds before each reply. */
  delay = 0;
  consent = false;
  /** Whether a browser without a session here gets a page; otherwise it is signed in as `ann` at once. */
  asks = true;
  /** `iss` in the reply of the authorization endpoint; null for none. */
  iss: string | null | undefined;
  /** Instead of what the endpoints answer, by path. */
  readonly replies = new Map<string, { readonly status: number; readonly body: string }>();
  /** Changes the claims of ID tokens. */
  tweak: (claims: Claims) => Claims = (claims) => claims;
  /** Changes the reply of the token endpoint. */
  tweakReply: (reply: Claims) => Claims = (reply) => reply;
  metadata: Claims = {};
  givesRefresh = true;
  /** Requests by path. */
  readonly requests = new Map<string, number>();
  /** Bodies of token requests. */
  readonly tokenRequests: URLSearchParams[] = [];
  readonly authorizations: URLSearchParams[] = [];
  reused = 0;

  constructor() {
    this.#server = createServer((request, response) => {
      void this.#handle(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  static async start(port = 0): Promise<OidcIssuer> {
    const issuer = new OidcIssuer();
    await issuer.rotate();
    await issuer.listen(port);
    return issuer;
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Connections are refused until listen(). */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** A new key, which signs from now on. The key set has the last two. */
  async rotate(): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = {
      ...(await exportJWK(publicKey)),
      kid: `key-${randomBytes(4).toString('hex')}`,
      use: 'sig',
      alg: 'ES256',
    };
    this.#keys.push({ jwk, privateKey });
    if (this.#keys.length > 2) this.#keys.shift();
  }

  count(path: string): number {
    return this.requests.get(path) ?? 0;
  }

  sign(claims: Claims, header: { readonly typ?: string } = {}): Promise<string> {
    const { jwk, privateKey } = this.#keys.at(-1)!;
    const time = Math.floor(Date.now() / 1000);
    return new SignJWT({ iss: this.url, aud: this.client.id, iat: time, exp: time + 300, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: jwk.kid!, ...header })
      .sign(privateKey);
  }

  accessToken(claims: Claims = {}): Promise<string> {
    return this.sign({ sub: 'ann', aud: 'orders', ...claims }, { typ: 'at+jwt' });
  }

  logoutToken(claims: Claims, header = { typ: 'logout+jwt' }): Promise<string> {
    return this.sign({ jti: randomBytes(8).toString('hex'), events: { [EVENT]: {} }, ...claims }, header);
  }

  /** Session ids of a person, in order. */
  sidsOf(sub: string): string[] {
    return [...this.#sessions.values()].filter((one) => one.sub === sub).map(({ sid }) => sid);
  }

  endSessions(): void {
    this.#sessions.clear();
    this.#refresh.clear();
  }

  // ---------------------------------------------------------------- requests

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    const path = url.pathname;
    this.requests.set(path, this.count(path) + 1);
    const body = new URLSearchParams(await textOf(request));
    if (this.delay > 0) await new Promise((resolve) => setTimeout(resolve, this.delay));
    const instead = this.replies.get(path);
    if (instead !== undefined) {
      response.writeHead(instead.status, { 'content-type': 'application/json' }).end(instead.body);
      return;
    }
    switch (`${request.method} ${path}`) {
      case 'GET /.well-known/openid-configuration':
        return json(response, 200, this.#discovery());
      case 'GET /keys':
        return json(response, 200, { keys: this.#keys.map(({ jwk }) => jwk) });
      case 'GET /authorize':
        return this.#authorize(url.searchParams, request, response);
      case 'POST /sign-in':
        return this.#signIn(body, response);
      case 'POST /push':
        return this.#push(body, request, response);
      case 'POST /token':
        return this.#token(body, request, response);
      case 'GET /userinfo':
        return json(response, 200, { sub: 'ann', email: 'ann@example.com' });
      case 'GET /logout':
        return this.#endSession(url.searchParams, request, response);
      default:
        response.writeHead(404).end();
    }
  }

  #discovery(): Claims {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      userinfo_endpoint: `${this.url}/userinfo`,
      end_session_endpoint: `${this.url}/logout`,
      pushed_authorization_request_endpoint: `${this.url}/push`,
      jwks_uri: `${this.url}/keys`,
      authorization_response_iss_parameter_supported: true,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      ...this.metadata,
    };
  }

  #authorize(given: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const pushed = this.#pushed.get(given.get('request_uri') ?? '');
    const query = pushed === undefined ? given : new URLSearchParams(pushed);
    this.authorizations.push(query);
    const known = this.#sessions.get(/(?:^|;\s*)issuer=([^;]*)/.exec(request.headers.cookie ?? '')?.[1] ?? '');
    if (known !== undefined && query.get('prompt') !== 'login') {
      this.#grant(query, known, response, []);
      return;
    }
    if (!this.asks) {
      const [cookie, session] = this.#begin('ann');
      this.#grant(query, session, response, [cookie]);
      return;
    }
    const consent = this.consent
      ? '<label><input type="checkbox" name="consent" id="consent"> Share my name</label>'
      : '';
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(
      `<!doctype html><title>Sign in</title><form method="post" action="/sign-in" id="form">
<input type="hidden" name="query" value="${escapeHtml(query.toString())}">
<input name="user" id="user"><input name="password" type="password" id="password">${consent}
<button id="go">Sign in</button></form>`,
    );
  }

  #signIn(form: URLSearchParams, response: ServerResponse): void {
    const query = new URLSearchParams(form.get('query') ?? '');
    const user = form.get('user') ?? '';
    if (form.get('password') !== 'secret' || user === '') {
      response.writeHead(403, { 'content-type': 'text/plain' }).end('wrong password');
      return;
    }
    if (this.consent && form.get('consent') !== 'on') {
      this.#back(query, { error: 'access_denied' }, response, []);
      return;
    }
    const [cookie, session] = this.#begin(user);
    this.#grant(query, session, response, [cookie]);
  }

  #begin(sub: string): readonly [cookie: string, session: { readonly sub: string; readonly sid: string }] {
    const value = randomBytes(8).toString('hex');
    const session = { sub, sid: `sid-${value}` };
    this.#sessions.set(value, session);
    return [`issuer=${value}; Path=/; HttpOnly; SameSite=Lax`, session];
  }

  #grant(
    query: URLSearchParams,
    { sid, sub }: { readonly sub: string; readonly sid: string },
    response: ServerResponse,
    cookies: readonly string[],
  ): void {
    const code = randomBytes(8).toString('hex');
    this.#codes.set(code, {
      sub,
      sid,
      nonce: query.get('nonce') ?? undefined,
      challenge: query.get('code_challenge') ?? '',
      redirectUri: query.get('redirect_uri') ?? '',
      scope: query.get('scope') ?? '',
    });
    this.#back(query, { code }, response, cookies);
  }

  #back(
    query: URLSearchParams,
    params: { readonly [name: string]: string },
    response: ServerResponse,
    cookies: readonly string[],
  ): void {
    const url = new URL(query.get('redirect_uri') ?? '');
    for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
    url.searchParams.set('state', query.get('state') ?? '');
    const iss = this.iss === undefined ? this.url : this.iss;
    if (iss !== null) url.searchParams.set('iss', iss);
    response.writeHead(302, { location: url.href, 'set-cookie': [...cookies] }).end();
  }

  #push(form: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    if (!this.#isClient(form, request)) {
      json(response, 401, { error: 'invalid_client' });
      return;
    }
    const uri = `urn:ietf:params:oauth:request_uri:${randomBytes(8).toString('hex')}`;
    form.set('client_id', this.client.id);
    this.#pushed.set(uri, form.toString());
    json(response, 201, { request_uri: uri, expires_in: 60 });
  }

  #isClient(form: URLSearchParams, { headers }: IncomingMessage): boolean {
    const basic = /^Basic (.*)$/.exec(headers.authorization ?? '')?.[1];
    const decode = (text: string): string => new URLSearchParams(`a=${text}`).get('a') ?? '';
    const [id, secret] =
      basic === undefined
        ? [form.get('client_id'), form.get('client_secret')]
        : Buffer.from(basic, 'base64').toString().split(':').map(decode);
    return id === this.client.id && secret === this.client.secret;
  }

  async #token(form: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.tokenRequests.push(form);
    if (!this.#isClient(form, request)) return json(response, 401, { error: 'invalid_client' });
    const refresh = form.get('grant_type') === 'refresh_token';
    const grant = refresh ? this.#takeRefresh(form.get('refresh_token') ?? '') : this.#takeCode(form);
    if (grant === undefined) return json(response, 400, { error: 'invalid_grant' });
    const access = randomBytes(16).toString('hex');
    const nonce = refresh ? {} : { nonce: grant.nonce };
    const half = createHash('sha256').update(access).digest().subarray(0, 16).toString('base64url');
    const claims = {
      sub: grant.sub,
      sid: grant.sid,
      at_hash: half,
      name: 'Ann',
      groups: ['staff', 'admins'],
      ...nonce,
    };
    const time = { auth_time: Math.floor(Date.now() / 1000) };
    const token = randomBytes(16).toString('hex');
    if (this.givesRefresh) this.#refresh.set(token, grant);
    return json(
      response,
      200,
      this.tweakReply({
        access_token: access,
        token_type: 'Bearer',
        expires_in: this.accessLife,
        id_token: await this.sign(this.tweak({ ...claims, ...time })),
        ...(this.givesRefresh ? { refresh_token: token } : {}),
      }),
    );
  }

  /** RFC 6749 section 4.1.2: a code is good for one request. */
  #takeCode(form: URLSearchParams): Grant | undefined {
    const code = form.get('code') ?? '';
    const grant = this.#codes.get(code);
    this.#codes.delete(code);
    if (this.#usedCodes.has(code)) this.reused++;
    this.#usedCodes.add(code);
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    return grant?.challenge === challenge && grant.redirectUri === form.get('redirect_uri') ? grant : undefined;
  }

  /** RFC 9700 section 4.14.2: a token that is used twice ends all that came of it. */
  #takeRefresh(token: string): Grant | undefined {
    const used = this.#usedRefresh.get(token);
    if (used !== undefined) {
      this.reused++;
      for (const [known, grant] of this.#refresh) if (grant.sid === used.sid) this.#refresh.delete(known);
      return undefined;
    }
    const grant = this.#refresh.get(token);
    this.#refresh.delete(token);
    if (grant !== undefined) this.#usedRefresh.set(token, grant);
    return grant;
  }

  #endSession(query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const value = /(?:^|;\s*)issuer=([^;]*)/.exec(request.headers.cookie ?? '')?.[1] ?? '';
    this.#sessions.delete(value);
    const to = query.get('post_logout_redirect_uri');
    const cookies = ['issuer=; Path=/; Max-Age=0'];
    if (to !== null && query.get('id_token_hint') !== null)
      response.writeHead(302, { location: to, 'set-cookie': cookies }).end();
    else
      response.writeHead(200, { 'content-type': 'text/plain', 'set-cookie': cookies }).end('signed out at the issuer');
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += String(part);
  return text;
}

function json(response: ServerResponse, status: number, value: Claims): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'max-age=300' });
  response.end(JSON.stringify(value));
}

const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
