/** A policy with a login on a virtual clock, and an issuer that answers its duty's questions at once. */
import { createHash } from 'node:crypto';
import type { Authentication, Exchange, Identity, Json, PolicyInstance, Reply } from '../../src/policies/contract.js';
import { runHalves } from '../../src/policies/run-registry.js';
import { NOW, type Signer, sign, signer } from './jwt-kit.js';
import { compile, exchange, host, noBody, type World, world } from './support.js';

export { NOW };
export const ISSUER = 'https://id.example.com';
export const SITE = 'https://shop.example.com';
export const SECRET = 'a secret of thirty-two bytes or more';

export const CONFIG = `issuer = "${ISSUER}"
client_id = "shop"
client_secret = "\${env:CLIENT_SECRET}"
base_url = "${SITE}"
login = "/oauth2/login"
logout = "/oauth2/logout"
session_secrets = ["\${env:A}"]
`;

const ENDPOINTS = {
  authorization: `${ISSUER}/authorize`,
  token: `${ISSUER}/token`,
  endSession: `${ISSUER}/logout`,
  pushRequired: false,
  sendsIssuer: true,
};

type Table = { readonly [name: string]: Json };

export interface Options {
  readonly secrets?: readonly string[];
  readonly name?: string;
  readonly around?: World;
  readonly endpoints?: Table;
  readonly signer?: Signer;
}

/** Cookies of one browser, and what it sends. */
export class Browser {
  readonly cookies = new Map<string, string>();

  field(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  }

  take(reply: Reply | undefined): void {
    for (const [name, line] of reply?.headers.entries() ?? []) {
      if (name !== 'set-cookie') continue;
      const [pair = ''] = line.split(';');
      const equals = pair.indexOf('=');
      if (/max-age=0/i.test(line)) this.cookies.delete(pair.slice(0, equals));
      else this.cookies.set(pair.slice(0, equals), pair.slice(equals + 1));
    }
  }

  copy(): Browser {
    const copy = new Browser();
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }
}

export const setCookies = (reply: Reply | undefined): string[] =>
  [...(reply?.headers.entries() ?? [])].filter(([name]) => name === 'set-cookie').map(([, value]) => value);

export const locationOf = (reply: Reply | undefined): URL => new URL(reply?.headers.get('location') ?? 'about:blank');

export class LoginPolicy {
  readonly around: World;
  readonly policy: PolicyInstance;
  readonly asked: Table[] = [];
  /** Answers of the issuer in place of the usual ones. */
  answer: ((question: Table) => Json | undefined) | undefined;
  /** Further claims of ID tokens. */
  claims: Table = {};
  accessLife = 300_000;
  readonly signer: Signer;
  #tokens = 0;
  #nonce = '';
  #challenge = '';

  private constructor(text: string, key: Signer, options: Options) {
    this.signer = key;
    this.around = options.around ?? Object.assign(world(), { wall: NOW * 1000 });
    const name = options.name ?? 'login';
    const settings = JSON.parse(JSON.stringify(compile('oidc', CONFIG + text, { name }))) as object;
    const resolved = {
      ...settings,
      client: { method: 'client_secret_basic', id: 'shop', secret: 'x' },
      secrets: options.secrets ?? [SECRET],
    };
    const ask = async (question: Json): Promise<Json> => this.#ask(question as Table);
    this.policy = runHalves['oidc']!(resolved as Json, { ...host(this.around, name), ask });
    const { kid, alg, jwk } = key;
    this.policy.published?.({
      keys: [{ ...jwk, kid, alg }] as Json,
      endpoints: { ...ENDPOINTS, ...options.endpoints },
    });
  }

  static async create(text = '', options: Options = {}): Promise<LoginPolicy> {
    return new LoginPolicy(text, options.signer ?? (await signer('ES256', 'k1')), options);
  }

  get now(): number {
    return Math.floor(this.around.wall! / 1000);
  }

  /** Lets time pass, in seconds. */
  pass(seconds: number): void {
    this.around.wall! += seconds * 1000;
    this.around.now += seconds * 1000;
  }

  async #ask(question: Table): Promise<Json> {
    this.asked.push(question);
    const instead = this.answer?.(question);
    if (instead !== undefined) return instead;
    if (question['do'] === 'code') {
      const hash = createHash('sha256').update(String(question['verifier'])).digest('base64url');
      if (hash !== this.#challenge) return { fault: 'refused', error: 'invalid_grant', cause: 'wrong verifier' };
    }
    const access = `access-${++this.#tokens}`;
    const nonce = question['do'] === 'code' ? { nonce: this.#nonce } : {};
    return {
      access,
      type: 'bearer',
      expiresIn: this.accessLife,
      refresh: `refresh-${this.#tokens}`,
      idToken: await this.idToken({ ...nonce, ...this.claims }),
    };
  }

  idToken(claims: Table): Promise<string> {
    const { now } = this;
    return sign(this.signer, { iss: ISSUER, aud: 'shop', sub: 'ann', iat: now, exp: now + 300, ...claims });
  }

  /** What the policy finds out about a request of a page. */
  async on(
    browser: Browser,
    given: Parameters<typeof exchange>[0] = {},
  ): Promise<Authentication & { readonly at: Exchange }> {
    const cookie = browser.field();
    const headers = [['accept', 'text/html'], ...(cookie === '' ? [] : [['cookie', cookie]]), ...(given.headers ?? [])];
    const at = exchange({ ...given, headers: headers as [string, string][] });
    const found = await this.policy.authenticate!(at, noBody);
    return { ...found, at };
  }

  /** The identity of a session, whose renewed cookies the browser takes. Undefined for none. */
  async identity(browser: Browser): Promise<Identity | undefined> {
    const found = await this.on(browser);
    if (found.outcome !== 'identity') return undefined;
    const reply = { status: 200, headers: exchange().headers, body: null };
    await this.policy.after?.(found.at, reply);
    browser.take(reply);
    return found;
  }

  /** Begins a login; the reply leads to the issuer. */
  async begin(browser: Browser, given: Parameters<typeof exchange>[0] = {}): Promise<URL> {
    const found = await this.on(browser, given);
    const reply = 'reply' in found ? found.reply : undefined;
    browser.take(reply);
    const location = locationOf(reply);
    this.#nonce = location.searchParams.get('nonce') ?? '';
    this.#challenge = location.searchParams.get('code_challenge') ?? '';
    return location;
  }

  async path(browser: Browser, name: string, query: string, more: Parameters<typeof exchange>[0] = {}): Promise<Reply> {
    const cookie = browser.field();
    const headers = [...(cookie === '' ? [] : [['cookie', cookie] as const]), ...(more.headers ?? [])];
    const reply = await this.policy.answer!(exchange({ ...more, query, headers }), name, new Uint8Array(0));
    browser.take(reply);
    return reply;
  }

  callback(browser: Browser, params: { readonly [name: string]: string }): Promise<Reply> {
    return this.path(browser, 'callback', new URLSearchParams({ iss: ISSUER, ...params }).toString());
  }

  /** A whole login. */
  async login(browser: Browser): Promise<Reply> {
    const to = await this.begin(browser);
    return this.callback(browser, { code: 'c', state: to.searchParams.get('state') ?? '' });
  }
}
