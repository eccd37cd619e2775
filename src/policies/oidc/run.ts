/** oidc at run time: finds out who has signed in, and sends those who have not to the issuer. */
import type {
  Absent,
  Authentication,
  Awaitable,
  Claims,
  Exchange,
  Identity,
  Json,
  PolicyHost,
  PolicyInstance,
  Reply,
} from '../contract.js';
import { keepPrivate } from '../kits/bearer/places.js';
import { PROBLEMS as BEARER_PROBLEMS } from '../kits/bearer/problems.js';
import { resourceReply } from '../kits/protected-resource.js';
import { fieldSafe, runPolicy } from '../run-kit.js';
import { Bearer } from './bearer.js';
import { Callback } from './callback.js';
import { MAX_SESSION, type OwnCookies, PolicyCookies } from './cookies.js';
import { Issuer } from './issuer.js';
import { LiveSessions } from './live.js';
import { isOwnPath, type LoginParts, Logins, pageOf, wantsPage } from './login.js';
import { Logout } from './logout.js';
import { PROBLEMS } from './problems.js';
import { Refresher } from './refresh.js';
import { failure } from './replies.js';
import type { OidcSettings } from './schema.js';
import { Sealer } from './sealed.js';
import { endOf, isStale, needsRefresh, type Session, SessionBox } from './session.js';
import { isNone, SessionMaker } from './tokens.js';

export const create = runPolicy<OidcSettings>((settings, host) => new OidcPolicy(settings, host));

/** What after() adds to the reply: noted while the request was authenticated. */
interface Noted {
  readonly cookies: readonly string[];
}

class OidcPolicy implements PolicyInstance {
  readonly requestFields: readonly string[];
  readonly identityFields: readonly string[];
  readonly secretParams: readonly string[] = ['code'];
  readonly #settings: OidcSettings;
  readonly #host: PolicyHost;
  readonly #issuer: Issuer;
  readonly #cookies: PolicyCookies;
  readonly #sealer: Sealer;
  readonly #box: SessionBox;
  readonly #logins: Logins;
  readonly #callback: Callback;
  readonly #logout: Logout;
  readonly #live: LiveSessions | undefined;
  readonly #refresher: Refresher;
  readonly #bearer: Bearer | undefined;

  constructor(settings: OidcSettings, host: PolicyHost) {
    const { bearer, cookie, fields, forwardToken, lifetime, secrets, secure, stored } = settings;
    this.#settings = settings;
    this.#host = host;
    this.requestFields = [...fields.map(([field]) => field), ...(forwardToken ? ['authorization'] : [])];
    this.identityFields = fields.map(([field]) => field);
    this.#issuer = new Issuer(settings, host);
    this.#cookies = new PolicyCookies(cookie, secure);
    // Bound to the policy; each text is bound to its cookie as well.
    this.#sealer = new Sealer(secrets, `oidc ${host.name}`);
    this.#live = stored ? new LiveSessions(host, lifetime) : undefined;
    const parts: LoginParts = {
      settings,
      host,
      issuer: this.#issuer,
      cookies: this.#cookies,
      sealer: this.#sealer,
    };
    const maker = new SessionMaker(settings, host, this.#issuer);
    this.#logins = new Logins(parts);
    this.#box = new SessionBox(this.#sealer, cookie, MAX_SESSION);
    this.#callback = new Callback({ ...parts, logins: this.#logins, maker, live: this.#live, box: this.#box });
    this.#logout = new Logout(parts, this.#live);
    this.#refresher = new Refresher(host, this.#issuer, maker, this.#sealer, settings.refreshBefore);
    const identify = (claims: Claims, why: string, token: string): Authentication => this.#identify(claims, why, token);
    this.#bearer =
      bearer === undefined ? undefined : new Bearer(settings, bearer, { issuer: this.#issuer, host, identify });
  }

  published(value: Json): void {
    if (this.#issuer.take(value)) this.#bearer?.forget();
  }

  authenticate(exchange: Exchange): Awaitable<Authentication> {
    const bearer = this.#bearer?.authenticate(exchange);
    if (bearer !== undefined) return bearer;
    const own = this.#cookies.of(exchange.headers);
    const session = this.#sessionIn(own);
    if (session === undefined) return this.#absent(exchange, own, 'no session');
    const live = this.#live?.has(session, String(session.claims['sub']), textOf(session.claims['sid'])) ?? true;
    if (live instanceof Promise) return live.then((late) => this.#found(exchange, own, session, late));
    return this.#found(exchange, own, session, live);
  }

  /** The cookies of this policy never reach a target, nor do fields that it sets. */
  strip(exchange: Exchange): void {
    this.#cookies.strip(exchange);
    for (const field of this.requestFields) exchange.headers.remove(field);
  }

  ownsCookie(name: string): boolean {
    return this.#cookies.owns(name);
  }

  after(exchange: Exchange, reply: Reply): undefined {
    const noted = exchange.noted(this) as Noted | undefined;
    if (noted === undefined || noted.cookies.length === 0) return;
    for (const cookie of noted.cookies) reply.headers.append('set-cookie', cookie);
    // A cache must not give the cookies of one person to another one.
    keepPrivate(reply);
  }

  answer(exchange: Exchange, path: string, body: Uint8Array): Awaitable<Reply> {
    const own = this.#cookies.of(exchange.headers);
    switch (path) {
      case 'callback':
        return this.#callback.answer(exchange, own);
      case 'login':
        return this.#login(exchange, own);
      case 'logout':
        return this.#logout.answer(exchange, this.#sessionIn(own), own);
      case 'back-channel-logout':
        return this.#logout.backChannel(exchange, body);
      case 'resource':
        return resourceReply(this.#settings.bearer!.resource!);
      default:
        throw new Error(`The policy has no path ${path}.`);
    }
  }

  close(): void {
    this.#box.clear();
    this.#bearer?.forget();
  }

  // ---------------------------------------------------------------- sessions

  /** The session in the cookies, if it was sealed here, whether it has ended or not. */
  #sessionIn(own: OwnCookies): Session | undefined {
    return this.#box.open(this.#cookies.session(own));
  }

  #found(exchange: Exchange, own: OwnCookies, session: Session, live: boolean): Awaitable<Authentication> {
    if (!live) return this.#absent(exchange, own, 'the session was ended');
    const now = this.#host.clock.now();
    const end = endOf(session, this.#settings, now);
    if (end !== undefined) return this.#absent(exchange, own, end);
    if (needsRefresh(session, this.#settings.refreshBefore, now)) return this.#refreshed(exchange, own, session);
    if (isStale(session, this.#settings, now)) this.#keep(exchange, own, { ...session, used: now });
    return this.#identity(session, 'valid session');
  }

  async #refreshed(exchange: Exchange, own: OwnCookies, session: Session): Promise<Authentication> {
    const result = await this.#refresher.refresh(session);
    if (!isNone(result)) {
      this.#keep(exchange, own, result.session);
      return this.#identity(result.session, 'session with refreshed tokens');
    }
    const { none, cause } = result;
    const { until = 0 } = session.tokens;
    // Until the token expires, there is time to try again.
    if (none === 'outage' && this.#host.clock.now() < until) return this.#identity(session, 'valid session');
    if (none === 'outage') return { outcome: 'unavailable', why: `tokens cannot be refreshed: ${cause}` };
    return this.#absent(exchange, own, `the issuer does not refresh the tokens: ${cause}`);
  }

  /** The browser gets the session anew with the reply. */
  #keep(exchange: Exchange, own: OwnCookies, session: Session): void {
    const sealed = this.#box.seal(session);
    if (sealed === undefined) {
      this.#host.logger.warn('session too large for cookies', { policy: this.#host.name });
      return;
    }
    exchange.note(this, { cookies: this.#cookies.setSession(sealed, own) } satisfies Noted);
  }

  #identity({ claims, tokens }: Session, why: string): Authentication {
    return this.#identify(claims, why, tokens.access);
  }

  #identify(claims: Claims, why: string, token: string | undefined): Authentication {
    const { consumerClaim, fields, forwardToken } = this.#settings;
    const set: (readonly [string, string])[] = [];
    for (const [field, claim] of fields) {
      const text = fieldTextOf(Object.hasOwn(claims, claim) ? claims[claim] : undefined);
      if (text !== undefined) set.push([field, text]);
    }
    if (forwardToken && token !== undefined) set.push(['authorization', `Bearer ${token}`]);
    const identity: Identity = { outcome: 'identity', claims, fields: set, why };
    if (consumerClaim === undefined) return identity;
    const name = Object.hasOwn(claims, consumerClaim) ? claims[consumerClaim] : undefined;
    const consumer = typeof name === 'string' ? this.#host.consumers.byName(name) : undefined;
    if (consumer !== undefined) return { ...identity, consumer, why: `${why} of ${consumer.name}` };
    const refusal = `the claim ${consumerClaim} names no consumer`;
    return { outcome: 'refused', why: refusal, problem: BEARER_PROBLEMS.consumer };
  }

  // ---------------------------------------------------------------- without a session

  #absent(exchange: Exchange, own: OwnCookies, why: string): Awaitable<Authentication> {
    const { optional } = this.#settings;
    const absent = this.#unsigned(why);
    if (optional) {
      const cookies = this.#cookies.dropSession(own);
      if (cookies.length > 0) exchange.note(this, { cookies } satisfies Noted);
      return { ...absent, pass: true };
    }
    return wantsPage(exchange) ? this.#toLogin(exchange, own, absent) : absent;
  }

  async #toLogin(exchange: Exchange, own: OwnCookies, absent: Absent): Promise<Authentication> {
    const begun = await this.#logins.begin(exchange, pageOf(exchange), own);
    if ('outcome' in begun) return begun;
    return { ...absent, why: `${absent.why}; to the login`, reply: begun };
  }

  /** 401 for programs and scripts. */
  #unsigned(why: string): Absent {
    const bearer = this.#bearer?.answers.absent.problem;
    if (bearer !== undefined) return { outcome: 'absent', why, problem: bearer };
    const { code, title } = BEARER_PROBLEMS.missing;
    const { realm } = this.#settings;
    const detail = 'Sign in with a browser.';
    return { outcome: 'absent', why, problem: { code, title, detail, challenge: `Session realm="${realm}"` } };
  }

  async #login(exchange: Exchange, own: OwnCookies): Promise<Reply> {
    const wanted = new URLSearchParams(exchange.query).get('return') ?? '/';
    if (!isOwnPath(wanted)) return failure(exchange, PROBLEMS.returnPath);
    const begun = await this.#logins.begin(exchange, wanted, own);
    return 'outcome' in begun ? failure(exchange, PROBLEMS.unavailable, { cause: begun.why }) : begun;
  }
}

/** Characters of a field for targets. */
const MAX_FIELD = 4096;

/** A claim as a field: a list joined with commas. Undefined for what no field can hold. */
function fieldTextOf(claim: Json | undefined): string | undefined {
  const list = Array.isArray(claim) ? (claim as readonly Json[]) : [claim ?? null];
  const texts = list.filter((one) => one !== null && typeof one !== 'object').map(String);
  if (texts.length === 0) return undefined;
  const text = fieldSafe(texts.join(','));
  return text.length > MAX_FIELD ? undefined : text;
}

const textOf = (value: Json | undefined): string | undefined => (typeof value === 'string' ? value : undefined);
