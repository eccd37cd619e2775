/** Ends sessions: here, at the issuer (RP-Initiated Logout 1.0), and by the issuer (Back-Channel Logout 1.0). */
import type { Claims, Exchange, Reply } from '../contract.js';
import { claimsFault } from '../kits/bearer/claims.js';
import { PROBLEMS as BEARER_PROBLEMS } from '../kits/bearer/problems.js';
import { mediaType } from '../kits/negotiate.js';
import { ReplayWindow } from '../kits/replay.js';
import { BytesReply, HeaderMap } from '../run-kit.js';
import type { OwnCookies } from './cookies.js';
import type { LiveSessions } from './live.js';
import type { LoginParts } from './login.js';
import { PROBLEMS } from './problems.js';
import { failure, redirect } from './replies.js';
import type { Session } from './session.js';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** Section 2.4 recommends the type, but does not require it. */
const TYPES = ['logout+jwt', 'jwt'];
/** Milliseconds since a logout token was issued: the issuer sends it at once. */
const MAX_AGE = 10 * 60_000;

export class Logout {
  readonly #parts: LoginParts;
  readonly #live: LiveSessions | undefined;
  readonly #replays: ReplayWindow;

  constructor(parts: LoginParts, live: LiveSessions | undefined) {
    this.#parts = parts;
    this.#live = live;
    this.#replays = new ReplayWindow(parts.host, BEARER_PROBLEMS.replay);
  }

  /** The logout of a person. `session`: of the request, if it has one. */
  async answer(exchange: Exchange, session: Session | undefined, own: OwnCookies): Promise<Reply> {
    const { cookies, issuer, settings } = this.#parts;
    if (!fromOwnSite(exchange, settings.baseUrl)) return failure(exchange, PROBLEMS.crossSite);
    if (session !== undefined) await this.#live?.end(session.id);
    const dropped = [
      ...cookies.dropSession(own),
      ...(own.has(cookies.markerName) ? [cookies.drop(cookies.markerName)] : []),
    ];
    const { endSession } = issuer.known ?? {};
    if (settings.logoutAtIssuer && endSession !== undefined)
      return redirect(this.#location(endSession, session), dropped);
    if (settings.afterLogout !== undefined) return redirect(settings.afterLogout, dropped);
    const headers = new HeaderMap([
      ['content-type', 'text/plain; charset=utf-8'],
      ['cache-control', 'no-store'],
    ]);
    for (const cookie of dropped) headers.append('set-cookie', cookie);
    return new BytesReply(200, { headers, body: 'Signed out.\n' });
  }

  /** RP-Initiated Logout section 2. */
  #location(endSession: string, session: Session | undefined): string {
    const { afterLogout, clientId } = this.#parts.settings;
    const url = new URL(endSession);
    url.searchParams.set('client_id', clientId);
    if (session?.tokens.id !== undefined) url.searchParams.set('id_token_hint', session.tokens.id);
    if (afterLogout !== undefined) url.searchParams.set('post_logout_redirect_uri', afterLogout);
    return url.href;
  }

  /** Back-Channel Logout section 2.5 to 2.8: the issuer ends sessions. */
  async backChannel(exchange: Exchange, body: Uint8Array): Promise<Reply> {
    if (mediaType(exchange.header('content-type')) !== 'application/x-www-form-urlencoded')
      return refused(exchange, 'the body is not a form');
    const tokens = new URLSearchParams(Buffer.from(body).toString()).getAll('logout_token');
    const [token] = tokens;
    if (token === undefined || tokens.length > 1) return refused(exchange, 'the body has no logout token, or several');
    const { algorithms } = this.#parts.settings;
    const types = TYPES;
    let read = await this.#parts.issuer.verify(token, { algorithms, types });
    // Without a type.
    if ('fault' in read && read.fault === NO_TYPE) read = await this.#parts.issuer.verify(token, { algorithms });
    if ('outcome' in read) return failure(exchange, PROBLEMS.unavailable, { cause: read.why });
    if ('fault' in read) return refused(exchange, read.fault);
    const fault = this.#faultOf(read.claims);
    if (fault !== undefined) return refused(exchange, fault);
    // Kept as long as the token could be used again.
    const ttl = MAX_AGE + this.#parts.settings.leeway;
    const use = [String(read.claims['jti'])];
    const first = await this.#replays.isFirstUse(use, ttl);
    if (first === false) return refused(exchange, 'the logout token was used before');
    if (first !== true) return failure(exchange, BEARER_PROBLEMS.replay, { cause: first.why });
    try {
      await this.#end(read.claims);
    } catch (error) {
      // The issuer may send the token again.
      await this.#replays.forget(use).catch(() => undefined);
      return failure(exchange, PROBLEMS.unavailable, { cause: error instanceof Error ? error.message : String(error) });
    }
    return new BytesReply(200, { headers: new HeaderMap([['cache-control', 'no-store']]) });
  }

  /** Section 2.6. */
  #faultOf(claims: Claims): string | undefined {
    const { clientId, issuer, leeway } = this.#parts.settings;
    const now = this.#parts.host.clock.now();
    const common = { issuers: [issuer], audiences: [clientId], claims: {}, leeway, requireExp: true };
    const fault = claimsFault(claims, common, now);
    if (fault !== undefined) return fault;
    const { events, iat, jti, nonce, sid, sub } = claims;
    if (typeof iat !== 'number' || now > iat * 1000 + MAX_AGE) return 'the logout token is too old';
    if (typeof jti !== 'string' || jti === '') return 'the logout token has no jti';
    if (nonce !== undefined) return 'the logout token has a nonce, as ID tokens have';
    const event = typeof events === 'object' && events !== null && Object.hasOwn(events, EVENT);
    if (!event) return 'the logout token has not the event of a logout';
    if (typeof sid !== 'string' && typeof sub !== 'string') return 'the logout token names no session and no subject';
    return undefined;
  }

  /** With `sid`, the session is that of one browser; with `sub` alone, it is every one of the person. */
  async #end({ sid, sub }: Claims): Promise<void> {
    if (typeof sid === 'string') await this.#live?.endSid(sid, typeof sub === 'string' ? sub : undefined);
    else await this.#live?.endSubject(String(sub));
  }
}

const NO_TYPE = 'the token has no type';

const refused = (exchange: Exchange, cause: string): Reply =>
  failure(exchange, PROBLEMS.logoutToken, { detail: `${cause.charAt(0).toUpperCase()}${cause.slice(1)}.`, cause });

/** Whether a page of this site, or the person, asks: another site must not end sessions. Browsers say where a request is from. */
function fromOwnSite({ headers }: Exchange, baseUrl: string): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  const origin = headers.get('origin');
  return origin === undefined || origin === new URL(baseUrl).origin;
}
