/** Ends logins: the reply of the authorization endpoint, OpenID Connect Core 1.0 section 3.1.2.5 and RFC 9207. */
import * as crypto from 'node:crypto';
import type { Exchange, Reply } from '../contract.js';
import { MAX_SESSION, type OwnCookies } from './cookies.js';
import type { TokenAnswer } from './endpoints.js';
import { isFault } from './issuer.js';
import type { LiveSessions } from './live.js';
import type { Login, LoginParts, Logins } from './login.js';
import { PROBLEMS } from './problems.js';
import { failure, parameter, redirect } from './replies.js';
import { packSession, type Session, type SessionBox, unpackSession } from './session.js';
import { isNone, type NoSession, type SessionMaker } from './tokens.js';

/** Milliseconds after which another worker may redeem the code: longer than the duty takes. */
const LEASE = 15_000;
/** Milliseconds that the result is kept for a request that is sent twice: then the browser has no login with this state any more. */
const KEPT = 60_000;

export interface CallbackParts extends LoginParts {
  readonly logins: Logins;
  readonly maker: SessionMaker;
  readonly box: SessionBox;
  /** Only for stored sessions. */
  readonly live: LiveSessions | undefined;
}

export class Callback {
  readonly #parts: CallbackParts;

  constructor(parts: CallbackParts) {
    this.#parts = parts;
  }

  async answer(exchange: Exchange, own: OwnCookies): Promise<Reply> {
    const { cookies, logins, settings } = this.#parts;
    const query = new URLSearchParams(exchange.query);
    const [code, error, iss, state] = ['code', 'error', 'iss', 'state'].map((name) => parameter(query, name));
    if (exchange.method !== 'GET' || typeof state !== 'string' || code === null || error === null || iss === null)
      return failure(exchange, PROBLEMS.login, { detail: 'This is not a reply to a login.' });
    const found = logins.find(state, own);
    if (found === undefined)
      return failure(exchange, PROBLEMS.login, { detail: UNKNOWN, cause: 'no login with this state' });
    const [login, name] = found;
    const done = [cookies.drop(name)];
    const mixed = this.#issuerFault(iss);
    if (mixed !== undefined) return failure(exchange, PROBLEMS.login, { detail: OTHER, cause: mixed, cookies: done });
    if (error !== undefined) return refusal(exchange, error, done);
    if (code === undefined)
      return failure(exchange, PROBLEMS.login, { detail: 'The reply has no code.', cookies: done });
    const session = await this.#redeem(code, login);
    if (isNone(session)) return noSession(exchange, session, done);
    const sealed = this.#parts.box.seal(session);
    if (sealed === undefined)
      return failure(exchange, PROBLEMS.size, {
        cause: `the session has more than ${MAX_SESSION} characters`,
        cookies: done,
      });
    exchange.decisions?.push({
      step: this.#parts.host.name,
      use: 'oidc',
      outcome: 'answer',
      why: 'login completed',
    });
    const set = cookies.setSession(sealed, own);
    // The URL of this site is in front, so that no path leads elsewhere; what no field can hold is encoded.
    return redirect(new URL(`${settings.baseUrl}${login.to}`).href, [...done, ...set, logins.ended(own)]);
  }

  /** RFC 9207 section 2.4: a reply of another issuer would lead its code to this one, or the other way round. */
  #issuerFault(iss: string | undefined): string | undefined {
    const { issuer, settings } = this.#parts;
    if (iss !== undefined) return iss === settings.keys.issuer ? undefined : 'the reply is of another issuer';
    return issuer.known?.sendsIssuer === true ? 'the reply does not name its issuer' : undefined;
  }

  /**
   * The session for a code. A code is redeemed once, also if the browser sends the request twice: issuers end what they have
   * issued if a code is used again (RFC 6749 section 4.1.2).
   */
  async #redeem(code: string, login: Login): Promise<Session | NoSession> {
    const { host, sealer } = this.#parts;
    const key = `code ${crypto.hash('sha256', `${login.state} ${code}`, 'base64url')}`;
    const text = await host.once(key, LEASE, async () => {
      const kept = await host.cache.get(key);
      if (kept !== undefined) return kept;
      const session = await this.#request(code, login);
      const sealed = sealer.seal(JSON.stringify(isNone(session) ? session : packSession(session)), key);
      if (!isNone(session) || session.none !== 'outage') await host.cache.set(key, sealed, KEPT);
      return sealed;
    });
    const opened = sealer.open(text, key);
    const result = opened === undefined ? undefined : (JSON.parse(opened) as string | NoSession);
    if (result === undefined) return { none: 'outage', cause: 'another worker has another session secret' };
    return typeof result === 'string' ? unpackSession(result) : result;
  }

  async #request(code: string, { nonce, verifier }: Login): Promise<Session | NoSession> {
    const { host, issuer, live, maker } = this.#parts;
    const answer = await issuer.request<TokenAnswer>({ do: 'code', code, verifier });
    if (isFault(answer)) return { none: answer.fault, cause: answer.cause };
    const made = await maker.login(answer, nonce);
    if (isNone(made)) return made;
    // A new one for every login: an id that was known before the login is worth nothing.
    const id = crypto.randomBytes(16).toString('base64url');
    const now = host.clock.now();
    const session = { ...made, id, created: now, used: now };
    if (live === undefined) return session;
    const { sid, sub } = made.claims;
    const marks = await live.begin(id, String(sub), typeof sid === 'string' ? sid : undefined);
    return { ...session, marks };
  }
}

const UNKNOWN = 'This browser has begun no such login, or it took too long. Open the page again.';
const OTHER = 'The reply is not of the issuer that the login was sent to.';

/** RFC 6749 section 4.1.2.1. Never repeated by itself: that would be a loop. */
function refusal(exchange: Exchange, error: string, cookies: readonly string[]): Reply {
  const code = /^[a-z_]{1,60}$/.test(error) ? error : 'an unknown error';
  const cause = `the issuer answered ${code}`;
  if (error === 'temporarily_unavailable' || error === 'server_error')
    return failure(exchange, PROBLEMS.unavailable, { detail: 'The issuer cannot answer now.', cause, cookies });
  return failure(exchange, PROBLEMS.denied, { detail: `The issuer answered ${code}.`, cause, cookies });
}

function noSession(exchange: Exchange, { none, cause }: NoSession, cookies: readonly string[]): Reply {
  // The login stays, so that the person can try again by reloading the page.
  if (none === 'outage') return failure(exchange, PROBLEMS.unavailable, { cause });
  return failure(exchange, none === 'invalid' ? PROBLEMS.token : PROBLEMS.login, {
    ...(none === 'invalid' ? {} : { detail: 'The issuer does not accept the code of the login. Open the page again.' }),
    cause,
    cookies,
  });
}
