/**
 * csrf at run time. Browsers say where a request comes from: `Sec-Fetch-Site` (Fetch Metadata), `Origin`, and in old ones
 * `Referer`. Only requests with effects are tested: unsafe methods (RFC 9110 section 9.2.1), and WebSockets, which CORS does not
 * protect.
 */
import type { Exchange, PolicyHost, PolicyInstance, Reply } from '../contract.js';
import { cookieField, cookieValues } from '../kits/cookies.js';
import { problem, runPolicy } from '../run-kit.js';
import { PROBLEMS } from './problems.js';
import type { CsrfSettings } from './schema.js';
import { isToken, newToken, sameText } from './token.js';

const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const SHORTEST_SECRET = 32;

export const create = runPolicy<CsrfSettings>((settings, host) => new CsrfPolicy(settings, host));

class CsrfPolicy implements PolicyInstance {
  readonly after?: (exchange: Exchange, reply: Reply) => undefined;
  readonly #settings: CsrfSettings;
  readonly #host: PolicyHost;
  readonly #origins: ReadonlySet<string>;
  readonly #secrets: readonly string[];

  constructor(settings: CsrfSettings, host: PolicyHost) {
    this.#settings = settings;
    this.#host = host;
    this.#origins = new Set(settings.origins);
    this.#secrets = (settings.token?.secrets ?? []).map((secret) => {
      if (typeof secret !== 'string') throw new TypeError('The secret is an unresolved reference.');
      if (Buffer.byteLength(secret) < SHORTEST_SECRET)
        throw new Error(`A secret of the policy ${host.name} has less than ${SHORTEST_SECRET} bytes.`);
      return secret;
    });
    if (settings.token !== undefined) this.after = (exchange, reply) => this.#issue(exchange, reply);
  }

  before(exchange: Exchange): Reply | undefined {
    if (!hasEffect(exchange)) return undefined;
    const fault = this.#sourceFault(exchange) ?? this.#tokenFault(exchange);
    if (fault === undefined) return undefined;
    exchange.decisions?.push({ step: this.#host.name, use: 'csrf', outcome: 'answer', why: fault });
    return problem(exchange, { ...PROBLEMS.refused, cause: fault });
  }

  /** Why the request may not come from where it comes from. */
  #sourceFault(exchange: Exchange): string | undefined {
    const origin = exchange.received('origin');
    if (origin !== undefined && this.#trusts(origin)) return undefined;
    const site = exchange.received('sec-fetch-site');
    if (site !== undefined) {
      // `none`: the person has opened it, from the address bar or a bookmark.
      if (site === 'same-origin' || site === 'none' || (site === 'same-site' && this.#settings.sameSite))
        return undefined;
      return `Sec-Fetch-Site is ${site.slice(0, 40)}`;
    }
    if (origin !== undefined) return isOwn(exchange, origin) ? undefined : 'Origin is another one';
    const referer = exchange.received('referer');
    if (referer === undefined) return this.#settings.requireSource ? 'no Origin, Sec-Fetch-Site or Referer' : undefined;
    const from = URL.canParse(referer) ? new URL(referer).origin : 'null';
    return this.#trusts(from) || isOwn(exchange, from) ? undefined : 'Referer is of another origin';
  }

  #trusts(origin: string): boolean {
    if (this.#origins.has(origin)) return true;
    return this.#settings.wildcards.some(({ before, after }) => {
      if (!origin.startsWith(before) || !origin.endsWith(after)) return false;
      return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(origin.slice(before.length, origin.length - after.length));
    });
  }

  #tokenFault(exchange: Exchange): string | undefined {
    const { token } = this.#settings;
    if (token === undefined) return undefined;
    const sent = exchange.received(token.header);
    if (sent === undefined) return `no token in ${token.header}`;
    const kept = this.#cookies(exchange, token.cookie);
    if (!kept.some((cookie) => sameText(cookie, sent))) return 'the token is not that of the cookie';
    return isToken(sent, this.#secrets, this.#sessionOf(exchange)) ? undefined : 'the token is not valid';
  }

  #cookies({ headers }: Exchange, name: string): readonly string[] {
    return cookieValues(cookieField(headers), name);
  }

  #sessionOf(exchange: Exchange): string {
    const { session } = this.#settings.token!;
    return session === undefined ? '' : (this.#cookies(exchange, session)[0] ?? '');
  }

  /** Sets the cookie, if the client has no valid token. Scripts of the page read it, so it is not HttpOnly. */
  #issue(exchange: Exchange, reply: Reply): undefined {
    if (!SAFE.has(exchange.method) || reply.status === 101) return undefined;
    const { cookie } = this.#settings.token!;
    const session = this.#sessionOf(exchange);
    if (this.#cookies(exchange, cookie).some((token) => isToken(token, this.#secrets, session))) return undefined;
    const secure = exchange.scheme === 'https' || cookie.startsWith('__') ? '; Secure' : '';
    const value = `${cookie}=${newToken(this.#secrets[0]!, session)}; Path=/${secure}; SameSite=Lax`;
    reply.headers.append('set-cookie', value);
    // A shared cache must not give one client's token to another.
    reply.headers.set('cache-control', 'no-store');
    exchange.decisions?.push({ step: this.#host.name, use: 'csrf', outcome: 'edit', why: `sets the cookie ${cookie}` });
    return undefined;
  }
}

const hasEffect = (exchange: Exchange): boolean =>
  !SAFE.has(exchange.method) || exchange.received('upgrade')?.toLowerCase().includes('websocket') === true;

/**
 * Whether an origin is that of the request: the same host and port. A page over HTTP is not the origin of a request over HTTPS; the
 * other way round, a proxy in front of gw may have ended TLS.
 */
function isOwn(exchange: Exchange, origin: string): boolean {
  if (!URL.canParse(origin)) return false;
  const page = new URL(origin);
  if (page.protocol !== 'https:' && exchange.scheme === 'https') return false;
  const host = exchange.headers.get('host') ?? exchange.host;
  const asked = `${page.protocol}//${host}`;
  return URL.canParse(asked) && new URL(asked).host === page.host && /^https?:$/.test(page.protocol);
}
